"""LaTeX and HTML of the tables: escaped, balanced, compilable."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mednext.report.render import escape_latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & more_of #1", r"50 \% \& more\_of \#1"),
        (r"a\b{c}$", r"a\textbackslash{}b\{c\}\$"),
        ("O(N^2) ~ <1>", r"O(N\textasciicircum{}2) \textasciitilde{} \textless{}1\textgreater{}"),
        ("1 → [2, 3] ✓", r"1 $\to$ {[}2, 3{]} $\surd$"),
    ],
)
def test_latex_escaping(text: str, escaped: str) -> None:
    assert escape_latex(text) == escaped


def test_the_latex_of_a_nasty_reason_is_escaped(local: Path) -> None:
    tex = (local / "table2.tex").read_text()
    assert r"\textbar{} nan \& 50 \% of\_steps" in tex
    assert all(rule in tex for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    body = tex.split(r"\toprule")[1].split(r"\bottomrule")[0]
    widths = {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if "&" in line}
    assert widths == {7}
    assert not re.search(r"(?<!\\)[%#]", tex)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_latex_compiles(local: Path) -> None:
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table2.tex"]
    done = subprocess.run(command, cwd=local, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


class Cells(HTMLParser):
    """Counts elements and refuses unbalanced ones."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_balanced_and_reasons_are_text(local: Path) -> None:
    parser = Cells()
    parser.feed((local / "table2.html").read_text())
    assert parser.open == []
    assert parser.counts["tr"] == 12
    assert "script" not in parser.counts
