"""The text of each cell, for all formats: what is bold, what is underlined, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mednext.config.names import target_name, words
from mednext.report.model import Cell, Line, Table
from mednext.report.spec import Column
from mednext.report.verdicts import load_rules

Form = Literal["side", "reported", "reproduced"]
SHORT = {
    "equivalent": "=",
    "higher": "▲",
    "lower": "▼",
    "undecided": "?",
    "not comparable": "n/c",
    "matches": "✓",
    "near": "≈",
    "off": "✗",
    "not printed": "np",
}
LEGEND = (
    "Cells read: printed → ours [95 % interval] Δ difference, verdict. Verdicts: = equivalent, "
    "▲ higher, ▼ lower, ? undecided; costs and counts: ✓ matches, ≈ within 0.5 %, ✗ off; "
    "n/c not comparable, np not printed. Best printed value bold, second underlined."
)
COUNTS_LEGEND = (
    "Cells read: printed → found, Δ difference, verdict. Verdicts: ✓ matches, ✗ off, "
    "n/c not comparable, np not printed."
)


@dataclass(frozen=True)
class Text:
    """One cell: its words and how they are set."""

    words: str
    bold: bool = False
    underlined: bool = False
    marks: tuple[str, ...] = ()
    """Letters of its footnotes."""
    ours: str = ""
    """The reproduced value beside the printed one, with an arrow before it."""
    interval: str = ""
    rest: str = ""
    """Difference and verdict; the rank is that of ``words`` alone."""


class Notes:
    """The footnotes of one table; equal ones share a letter."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The letter of a footnote."""
        if text not in self.texts:
            self.texts.append(text)
        return letter(self.texts.index(text))


def ranks(table: Table, column: Column, printed: bool) -> dict[str, int]:
    """Slug -> 1 for the best, 2 for the second best value of a column; ties share a rank."""
    if column.better is None:
        return {}
    values: dict[str, float] = {}
    for line in table.lines:
        cell = line.cells[column.name]
        if printed and cell.printed:
            values[line.slug] = float(cell.printed)
        elif not printed and cell.value is not None:
            values[line.slug] = round(cell.value, column.digits)
    order = sorted(set(values.values()), reverse=column.better == "higher")
    return {slug: order.index(v) + 1 for slug, v in values.items() if order.index(v) < 2}


def grid(table: Table, form: Form) -> tuple[list[str], list[list[Text]], list[str]]:
    """Header, rows and footnotes of one form of a table."""
    notes = Notes()
    best = {c.name: ranks(table, c, form != "reproduced") for c in table.spec.columns}
    rows = []
    for line in table.lines:
        about = []
        if form != "reported" and line.reason:
            about.append(f"{line.status}: {line.reason}")
        if form != "reported" and line.remark:
            about.append(line.remark)
        if form != "reproduced":
            about += line.findings
        cells = [Text(line.name, marks=tuple(notes.mark(note) for note in about))]
        for column in table.spec.columns:
            rank = best[column.name].get(line.slug)
            cells.append(_text(line.cells[column.name], column, line, form, notes, rank))
        rows.append(cells)
    header = [table.spec.row_header, *(c.arrow for c in table.spec.columns)]
    return header, rows, notes.texts


def letter(index: int) -> str:
    """Name of a footnote: a to z, then aa, ab and so on."""
    first, last = divmod(index, 26)
    return (letter(first - 1) if first else "") + chr(ord("a") + last)


def _text(
    cell: Cell, column: Column, line: Line, form: Form, notes: Notes, rank: int | None
) -> Text:
    about = () if form == "reproduced" else cell.findings
    if not cell.printed and (form != "reproduced" or column.text):
        about = ("not printed in the paper", *about)
    marks = tuple(notes.mark(note) for note in about)
    bold, underlined = rank == 1, rank == 2
    printed = cell.printed or "–"
    if form == "reported" or column.text:
        return Text(printed, bold, underlined, marks)
    if cell.value is None:
        # Neither a run nor a cost: the row's own note says why.
        ours, interval = (line.status if line.status != "ok" else "undefined"), ""
    else:
        ours, interval = f"{cell.value:.{column.digits}f}", ""
        if cell.low is not None and cell.high is not None:
            interval = f"[{cell.low:.{column.digits}f}, {cell.high:.{column.digits}f}]"
    if form == "reproduced":
        return Text(ours, bold, underlined, marks, interval=interval)
    parts = []
    if cell.difference is not None:
        parts.append(f"Δ {_signed(cell.difference, column.digits)}")
    if cell.verdict:
        parts.append(SHORT[cell.verdict])
    if cell.aside:
        marks = (*marks, notes.mark(cell.aside))
    if cell.needs:
        marks = (*marks, notes.mark(f"undecided; what would decide it: {cell.needs}"))
    return Text(printed, bold, underlined, marks, f"→ {ours}", interval, " ".join(parts))


def _signed(value: float, digits: int) -> str:
    """With its sign, but no sign before a rounded zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def headings(table: Table, form: Form) -> tuple[str, list[str]]:
    """Title and the lines above a table: what it shows, and what its numbers are not."""
    kind = {"side": "printed and reproduced", "reported": "as printed", "reproduced": "reproduced"}
    title = f"Table {table.number}. {table.spec.title}, {kind[form]}"
    if form == "reported":
        ranked = any(column.better for column in table.spec.columns)
        best = "; best bold, second underlined" if ranked else ""
        return title, [f"Printed in 10.1371/journal.pone.0340108{best}."]
    lines = []
    if table.phantom:
        lines.append(
            "PHANTOM (synthetic) data: these numbers say nothing about the paper or its methods."
        )
    view = table.view
    if view.selection == "best_test":
        lines.append(
            "UPPER BOUND, not a result: the epoch was chosen by its score on the test set itself."
        )
    lines.append(_shown(table))
    if table.setting:
        lines.append(table.setting + ".")
    if table.scale_note:
        lines.append(f"Not the paper's scale, hence not comparable (n/c): {table.scale_note}.")
    lines += table.spec.remarks
    if form == "side":
        counts = any(column.count for column in table.spec.columns)
        lines.append(COUNTS_LEGEND if counts else f"{LEGEND} {load_rules().sentence}")
    return title, lines


def _shown(table: Table) -> str:
    """Which of the results the table shows, by name."""
    view = table.view
    if table.spec.dataset is None:
        return f"Protocol {words(view.protocol)}."
    overlap = any(column.target for column in table.spec.columns)
    positive = target_name(table.spec.dataset, view.orientation)
    task_view = f"empty-mask policy {view.policy}" if overlap else f"positive class {positive}"
    protocol, selection = words(view.protocol), words(view.selection)
    return f"Protocol {protocol}, weights of selection {selection}, {task_view}."
