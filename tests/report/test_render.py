"""LaTeX and HTML of the tables: escaped, balanced, compilable."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mednext.report.render import escape_latex

from .made_up import SEGMENTERS


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & more_of #1", r"50 \% \& more\_of \#1"),
        (r"a\b{c}$", r"a\textbackslash{}b\{c\}\$"),
        ("O(N^2) ~ <1>", r"O(N\textasciicircum{}2) \textasciitilde{} \textless{}1\textgreater{}"),
        ("1 → [2, 3] ✓", r"1 $\to$ {[}2, 3{]} $\surd$"),
        ("é Ω", "é U+03A9"),
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


LANDSCAPE_A4_POINTS = 842.0


def compiled(tex: Path) -> float:
    """Width in points of the page that pdflatex makes of a table."""
    # Objects as they are, so that the size of the page can be read.
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-jobname={tex.stem}"]
    done = subprocess.run(
        [*command, rf"\pdfobjcompresslevel=0\input{{{tex.name}}}"],
        cwd=tex.parent,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{tex}: {done.stdout[-2000:]}"
    assert "Missing character" not in done.stdout, tex
    assert "pk>" not in done.stdout, "a font is a bitmap"
    box = re.search(rb"/MediaBox ?\[0 0 ([0-9.]+) ", tex.with_suffix(".pdf").read_bytes())
    assert box is not None
    return float(box[1])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_latex_compiles_and_fits_a_page(local: Path) -> None:
    files = sorted(local.rglob("table?.tex"))
    assert len(files) == 3 * 8
    with ThreadPoolExecutor(2) as pool:
        widths = dict(zip(files, pool.map(compiled, files), strict=True))
    assert {f: w for f, w in widths.items() if not 100 < w <= LANDSCAPE_A4_POINTS} == {}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_widest_table_fits_a_page_when_every_cell_is_filled(table5: Path) -> None:
    tex = table5.with_suffix(".tex")
    assert len(re.findall(r"\{\[\}\d+\.\d", tex.read_text())) == len(SEGMENTERS) * 10
    assert compiled(tex) <= LANDSCAPE_A4_POINTS


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
