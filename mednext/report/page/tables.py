"""Tables 1 to 8 for the page: the words of the other formats, with the numbers behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mednext.config import load_datasets
from mednext.config.names import target_name, words
from mednext.report.cells import COUNTS_LEGEND, LEGEND, SHORT, Text, grid, headings, letter
from mednext.report.model import Cell, Line, Table
from mednext.results import HEADLINE, View

WORDS = {
    "equivalent": "within the margin of the printed value, the errors of both included",
    "higher": "ours is higher than printed, the errors of both included",
    "lower": "ours is lower than printed, the errors of both included",
    "undecided": "neither shown, or fewer than three seeds; a footnote says what would decide",
    "not comparable": "synthetic data, stand-in data, or another scale",
    "matches": "rounds (or is cut off) to the printed digits",
    "near": "within 0.5 % of the printed value",
    "off": "another value than printed",
    "not printed": "the paper prints no value",
}


@dataclass(frozen=True)
class PageCell:
    """One cell: its words, and what it is sorted by."""

    text: Text
    printed: str
    ours: str
    verdict: str


@dataclass(frozen=True)
class PageRow:
    """One method (in Table 1: one class)."""

    name: Text
    slug: str
    ours: bool
    status: str
    cells: list[PageCell]
    absent: bool
    """Nothing was run: the row holds printed values, and counted costs at most."""


@dataclass(frozen=True)
class PageTable:
    """One table in one view."""

    key: str
    number: str
    title: str
    dataset: str
    protocol: str
    view: str
    lines: list[str]
    header: list[str]
    rows: list[PageRow]
    notes: list[tuple[str, str]]


def page_table(table: Table) -> PageTable:
    """The side-by-side form of a table."""
    _, lines = headings(table, "side")
    header, rows, notes = grid(table, "side")
    return PageTable(
        key=f"table{table.number}{table.view.suffix}".replace(".", "-"),
        number=table.number,
        title=table.spec.title,
        dataset=table.spec.dataset or "",
        protocol=table.view.protocol,
        view=view_name(table.view, table.spec.dataset or ""),
        lines=[line for line in lines if not line.startswith((LEGEND, COUNTS_LEGEND))],
        header=header,
        rows=[_row(table, line, texts) for line, texts in zip(table.lines, rows, strict=True)],
        notes=[(letter(i), note) for i, note in enumerate(notes)],
    )


def view_name(view: View, dataset: str) -> str:
    """What differs from the headline, in words; ``headline`` if nothing does."""
    said = {
        "protocol": f"protocol {words(view.protocol)}",
        "selection": f"weights {words(view.selection)}",
        "orientation": f"positive class {target_name(dataset, view.orientation)}",
        "policy": f"empty masks {view.policy}",
    }
    changed = [said[name] for name, value in vars(view).items() if value != getattr(HEADLINE, name)]
    return ", ".join(changed) or "headline"


def _row(table: Table, line: Line, texts: Sequence[Text]) -> PageRow:
    cells = [
        PageCell(text, _number(cell.printed), _value(cell), cell.verdict or "")
        for text, column in zip(texts[1:], table.spec.columns, strict=True)
        for cell in [line.cells[column.name]]
    ]
    absent = line.status == "not run"
    return PageRow(texts[0], line.slug, line.ours, line.status, cells, absent)


def _number(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return ""


def _value(cell: Cell) -> str:
    return "" if cell.value is None else repr(round(cell.value, 10))


@dataclass(frozen=True)
class Tally:
    """How often each verdict stands in one table."""

    label: str
    href: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Cells with a verdict."""
        return sum(self.counts.values())


METRIC_VERDICTS = ("equivalent", "higher", "lower", "undecided", "not comparable")
COST_VERDICTS = ("matches", "near", "off", "not printed")


def metric_tallies(tables: Sequence[Table]) -> list[Tally]:
    """Verdicts of the reproduced metrics of each headline table, then their sum."""
    found = []
    for table in tables:
        if table.view != HEADLINE or table.spec.dataset is None:
            continue
        names = [c.name for c in table.spec.columns if c.metric is not None]
        label = f"Table {table.number}, {load_datasets()[table.spec.dataset].name}"
        found.append(_tally(label, table, names, METRIC_VERDICTS))
    return [*found, _sum(found, METRIC_VERDICTS)]


def cost_tallies(tables: Sequence[Table]) -> list[Tally]:
    """Verdicts of the counted parameters and multiply-accumulates, then their sum."""
    found = []
    for table in tables:
        names = [c.name for c in table.spec.columns if c.cost is not None]
        if table.view == HEADLINE and names:
            found.append(_tally(f"Table {table.number}", table, names, COST_VERDICTS))
    return [*found, _sum(found, COST_VERDICTS)]


def _tally(label: str, table: Table, names: Sequence[str], verdicts: Sequence[str]) -> Tally:
    counts = Counter(line.cells[name].verdict for line in table.lines for name in names)
    return Tally(label, f"#table{table.number}", {v: counts[v] for v in verdicts})


def _sum(tallies: Sequence[Tally], verdicts: Sequence[str]) -> Tally:
    return Tally("All", "#tables", {v: sum(t.counts[v] for t in tallies) for v in verdicts})


def marks() -> dict[str, str]:
    """The sign of each verdict."""
    return dict(SHORT)
