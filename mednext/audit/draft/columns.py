"""What a table's columns are: metric, unit, spread; and its cells as plain decimals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import takewhile

from mednext.audit.bands import Unit
from mednext.audit.draft.cells import (
    CHANGE,
    MISSING,
    decimal_mark,
    number_alone,
    plain_spaces,
    read_cell,
    with_points,
    without_ending,
    without_marks,
)
from mednext.audit.draft.grid import GROUP, NUMERIC, Grid, raised
from mednext.audit.draft.headings import metric_and_kind, metric_of, slug, unit_suffix
from mednext.audit.ratios import METRICS, SIGNED

SHARES = (*METRICS, "dice", "auc")
"""Metrics that are printed as fractions or in per cent."""
LABEL = re.compile(r"(?:methods?|models?|networks?|algorithms?|architectures?)\b", re.I)
"""How the column is headed that names the rows, where that is not the first one."""
PARTS = ("sd", "low", "high", "hits", "of", "bracket")
COSTS = ("params", "flops", "gmacs")
COUNT = re.compile(r"[(\[,;]?\s*\bn\s*=\s*\d[\d\s,.]*[)\]]?", re.I)
"""The number of cases in a heading."""


@dataclass
class Column:
    """One column of a drafted table; ``parts`` are the :data:`PARTS` of its cells."""

    name: str
    metric: str | None
    unit: Unit | None
    cells: list[str]
    parts: dict[str, list[str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Headings of the column and of its parts."""
        return [self.name, *(f"{self.name}_{part}" for part in self.parts)]


@dataclass
class Recognised:
    """A table with recognised columns; ``labels`` are the texts that name its rows, ``named`` the
    columns that hold them.
    """

    caption: str
    slugs: list[str]
    labels: list[str]
    named: list[str]
    columns: list[Column]
    asks: list[str]


def recognise(grid: Grid) -> Recognised:
    """Names, metrics, units and plain cells of a table, with all that it leaves open."""
    asks = list(grid.asks)
    header, body = _upright(grid.header, grid.body)
    for text in dict.fromkeys(cell for level in header for cell in level if COUNT.search(cell)):
        asks.append(f"the heading '{text}' may state the size of a test set")
    header = [[_heading(cell) for cell in level] for level in header]
    label = _label(header, body)
    mark = decimal_mark([cell for row in body for cell in row])
    columns: list[Column] = []
    for i in range(len(header[0])):
        levels = list(dict.fromkeys(level[i] for level in header if level[i]))
        texts = [row[i] for row in body]
        columns.append(_column(levels or [f"column {i + 1}"], texts, i == label, mark, asks))
    used = {"slug"}
    for column in columns:
        name, number = column.name, 2
        while used & set(column.names()):
            column.name, number = f"{name}_{number}", number + 1
        if number == 3:
            asks.append(f"two columns are called '{name}'; say what the second is")
        used |= set(column.names())
    if not any(column.metric in SHARES for column in columns):
        asks.append("no metric was recognised; remove the table, or name its columns")
    alike = _alike(header, label)
    labels = [" ".join(dict.fromkeys(without_marks(row[i]) for i in alike)) for row in body]
    named = [columns[i].name for i in alike]
    return Recognised(grid.caption, _slugs(labels, asks), labels, named, columns, asks)


Rows = list[list[str]]


def _heading(text: str) -> str:
    """A heading without arrows, marks and numbers of cases; raised digits as powers."""
    text = re.sub(
        "[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+",
        lambda found: raised(
            text[: found.start()].rstrip(), unicodedata.normalize("NFKC", found.group())
        ),
        text,
    )
    return without_marks(COUNT.sub(" ", text))


def _label(header: Rows, body: Rows) -> int:
    """The column whose texts name the rows."""
    first = int(header[-1][0] == GROUP)
    for i in range(first, len(header[0])):
        texts = [row[i] for row in body]
        numbers = sum(bool(NUMERIC.match(text)) for text in texts)
        if any(LABEL.match(level[i]) for level in header) and 2 * numbers < len(texts):
            return i
    return first


def _alike(header: Rows, label: int) -> list[int]:
    """The column of the labels and those right of it under the same heading."""
    heads = list(zip(*header, strict=True))
    rest = range(label, len(heads))
    return list(takewhile(lambda i: heads[i] == heads[label], rest))


def _upright(header: Rows, body: Rows) -> tuple[Rows, Rows]:
    """The table with metrics as columns, turned if they stand in the first column."""
    first = [metric_of(row[0]) for row in body]
    across = [metric_of(cell) for cell in header[-1][1:]]
    if len(header) > 1 or any(across) or 2 * sum(m is not None for m in first) < len(first):
        return header, body
    turned = [list(row) for row in zip(*(header[0], *body), strict=True)]
    return [["Method", *turned[0][1:]]], turned[1:]


def _slugs(labels: list[str], asks: list[str]) -> list[str]:
    found: list[str] = []
    seen: dict[str, int] = {}
    for label in labels:
        name = slug(label) or "row"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 2:
            asks.append(
                f"a row '{label}' stands there twice; say in the slugs what sets them apart"
            )
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _column(levels: list[str], texts: list[str], label: bool, mark: str, asks: list[str]) -> Column:
    heading = next((level for level in reversed(levels) if metric_of(level)), levels[-1])
    metric, kinds = metric_and_kind(heading)
    above = [slug(level) for level in levels if level != heading]
    name = metric + unit_suffix(heading) if metric else _plain_name(heading)
    name = "_".join(part for part in (*above, *kinds, name) if part)
    if label:
        return Column(name, None, None, [without_marks(text) for text in texts])
    column = Column(name, metric, None, [])
    texts = with_points([plain_spaces(text) for text in texts], name, mark, asks)
    values = [number_alone(text) for text in texts]
    if metric in COSTS:
        values, ending = without_ending(values)
        column.name += ending if not unit_suffix(heading) else ""
    read = [read_cell(value, heading) for value in values]
    numbers = [r for r in read if r is not None and r[0]]
    if not numbers or any(r is None for r in read):
        strange = [t for t, r in zip(texts, read, strict=True) if r is None]
        if numbers and metric:
            asks.append(f"column '{name}' has cells that are no numbers: {'; '.join(strange[:5])}")
        column.metric = None
        column.cells = [
            "" if MISSING.fullmatch(v) else v if r else without_marks(t)
            for t, v, r in zip(texts, values, read, strict=True)
        ]
        return column
    column.cells = [r[0] if r else "" for r in read]
    for part in PARTS:
        cells = [r[2].get(part, "") if r else "" for r in read]
        if any(cells):
            column.parts[part] = cells
    if "bracket" in column.parts:
        asks.append(f"column '{name}' has numbers in brackets; say what they are")
    if any(CHANGE.fullmatch(value) for value in values):
        asks.append(f"column '{name}' has differences in brackets, which were left out")
    if metric in SHARES:
        said = re.sub(r"\d\s*%", "", " ".join(levels))  # "95% CI" states no unit
        percent = bool(re.search(r"%|\bper ?cent\b", said, re.I)) or any(r[1] for r in numbers)
        column.unit = _unit(column, percent, asks)
    return column


def _plain_name(heading: str) -> str:
    return slug(re.sub(r"[(\[]\s*%?\s*[)\]]", "", heading)) or "column"


def _unit(column: Column, percent: bool, asks: list[str]) -> Unit:
    """Per cent if the table says so or a value is above 1; what contradicts that is asked for."""
    values = [abs(float(cell)) for cell in column.cells if cell]
    above = any(value > 1 for value in values)
    if column.metric in SIGNED and not above:
        return "fraction"
    if (percent or above) and any(0 < value <= 1 for value in values):
        asks.append(f"column '{column.name}': some cells look like fractions, some like per cent")
    if any(value > 100 for value in values):
        asks.append(f"column '{column.name}' has a value above 100 per cent")
    return "percent" if percent or above else "fraction"
