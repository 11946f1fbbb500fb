"""Texts that are generated: Jinja environments in which a name without a value is an error, never a
blank, and the parts of hand-written files."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mednext.errors import UserError


def html_templates(package: str, folder: str) -> Environment:
    """Templates of a page; every value is escaped."""
    return Environment(
        loader=PackageLoader(package, folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


def markdown_templates(package: str, folder: str) -> Environment:
    """Templates of a Markdown report, which is made from committed facts."""
    return html_templates(package, folder).overlay(autoescape=False, keep_trailing_newline=True)


def markdown_cell(text: str) -> str:
    """``text`` for a Markdown table or line: on one line, no border of a cell, no HTML tag.

    >>> markdown_cell("a|b, p < 0.05 <img src=x>")
    'a\\\\|b, p < 0.05 &lt;img src=x>'
    """
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", " ".join(text.split("\n")).replace("|", "\\|"))


def replace_between(file: Path, begin: str, end: str, text: str) -> str:
    """The content of ``file`` with ``text`` between its lines ``begin`` and ``end``.

    Raises:
        UserError: the file does not hold both lines.
    """
    before, found, rest = file.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise UserError(
            "no place for what is generated",
            file=file,
            expected=f"{begin!r} and, below it, {end!r}",
            remedy="put both lines where it shall stand",
        )
    return f"{before}{begin}{text}{end}{after}"
