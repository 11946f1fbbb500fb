"""The text of each cell, for all formats: what is bold, what is underlined, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mednext.report.build import Cell, Line, Table
from mednext.report.spec import Column

Form = Literal["side", "reported", "reproduced"]
SHORT = {
    "reproduced": "✓",
    "higher": "▲",
    "lower": "▼",
    "inconclusive": "?",
    "not comparable": "n/c",
    "matches": "✓",
    "near": "≈",
    "off": "✗",
    "not printed": "np",
}
LEGEND = (
    "Cells read: printed → ours [95 % interval] verdict. Verdicts: ✓ reproduced (costs: matches), "
    "≈ within 0.5 %, ✗ off, ▲ higher, ▼ lower, ? inconclusive, n/c not comparable, "
    "np not printed. Best printed value bold, second underlined."
)


@dataclass(frozen=True)
class Text:
    """One cell: its words and how they are set."""

    words: str
    bold: bool = False
    underlined: bool = False
    rest: str = ""
    """Plain words that follow: the rank is that of ``words`` alone."""


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
    notes: list[str] = []
    best = {c.name: ranks(table, c, form != "reproduced") for c in table.spec.columns}
    rows = []
    for line in table.lines:
        mark = ""
        if form != "reported" and line.reason:
            mark = f" ({_note(notes, f'{line.status}: {line.reason}')})"
        cells = [Text(line.name + mark)]
        for column in table.spec.columns:
            words, rest = _words(line.cells[column.name], column, line, form, notes)
            rank = best[column.name].get(line.slug)
            cells.append(Text(words, bold=rank == 1, underlined=rank == 2, rest=rest))
        rows.append(cells)
    return ["Method", *(c.arrow for c in table.spec.columns)], rows, notes


def _note(notes: list[str], text: str) -> str:
    """The letter of a footnote; equal notes share one."""
    if text not in notes:
        notes.append(text)
    return letter(notes.index(text))


def letter(index: int) -> str:
    """Name of a footnote: a to z, then aa, ab and so on."""
    first, last = divmod(index, 26)
    return (letter(first - 1) if first else "") + chr(ord("a") + last)


def _words(cell: Cell, column: Column, line: Line, form: Form, notes: list[str]) -> tuple[str, str]:
    """The ranked part of a cell and what follows it."""
    printed = cell.printed
    if not printed:
        printed = f"– ({_note(notes, 'not printed in the paper')})"
    if form == "reported" or column.text:
        return printed, ""
    if cell.value is None:
        # Neither a run nor a cost: the row's own note says why.
        ours, interval = (line.status if line.status != "ok" else "undefined"), ""
    else:
        ours, interval = f"{cell.value:.{column.digits}f}", ""
        if cell.low is not None and cell.high is not None:
            interval = f" [{cell.low:.{column.digits}f}, {cell.high:.{column.digits}f}]"
    if form == "reproduced":
        return ours, interval
    mark = f" {SHORT[cell.verdict]}" if cell.verdict else ""
    return printed, f" → {ours}{interval}{mark}"


def headings(table: Table, form: Form) -> tuple[str, list[str]]:
    """Title and the lines above a table: what it shows, and what its numbers are not."""
    kind = {"side": "printed and reproduced", "reported": "as printed", "reproduced": "reproduced"}
    title = f"Table {table.number}. {table.spec.title}, {kind[form]}"
    if form == "reported":
        return title, ["Printed in 10.1371/journal.pone.0340108; best bold, second underlined."]
    lines = []
    if table.phantom:
        lines.append(
            "PHANTOM (synthetic) data: these numbers say nothing about the paper or its methods."
        )
    view = table.view
    if view.selection == "best_test":
        lines.append(
            "UPPER BOUND, not a result: the epoch was chosen by its score on the test side itself."
        )
    what = f"Protocol {view.protocol}, weights of selection {view.selection}, "
    task_view = (
        f"empty-mask policy {view.policy}"
        if any(c.target for c in table.spec.columns)
        else f"positive class {view.orientation}"
    )
    lines.append(what + task_view + ".")
    if table.setting:
        lines.append(table.setting + ".")
    if table.scale_note:
        lines.append(f"Not the paper's scale, hence not comparable (n/c): {table.scale_note}.")
    if form == "side":
        lines.append(LEGEND)
    return title, lines
