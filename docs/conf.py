"""The documentation site: make site (Sphinx, MyST, furo). It asks no other host for anything."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.highlighting import lexers
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.update(COLUMNS="90", NO_COLOR="1")  # the help as wide as a page
from mednext import __version__ as release

lexers["csv"] = TextLexer()
project = "mednext-plos"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"mednext-plos {release}"
html_show_sphinx = False
html_show_copyright = False
autodoc_typehints = "none"  # the docstrings give shapes and units
autodoc_member_order = "bysource"
# make links: one try more than once, as a publisher's page may be slow; inside links are MyST's.
linkcheck_retries = 2
linkcheck_timeout = 20
linkcheck_anchors = False


class EveryCommand(SphinxDirective):
    """What each verb prints as its help, so that a new verb cannot be forgotten."""

    def run(self) -> list[nodes.Node]:
        """Parsed as if the sections had been written."""
        from mednext.cli import parser

        lines: list[str] = []
        for one in self._parsers(parser()):
            lines += [f"## {one.prog}", "", "```text", *one.format_help().splitlines(), "```", ""]
        return self._parsed(lines)

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        held = nodes.section(document=self.state.document)
        self.state.nested_parse(StringList(lines, self.env.docname), 0, held, match_titles=True)
        return held.children

    def _parsers(self, top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
        kinds = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
        yield top
        for kind in kinds:
            for below in kind.choices.values():
                yield from self._parsers(below)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("every-command", EveryCommand)
