"""A table of texts as a reader of any format hands it on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mednext.errors import UserError

MOST_CELLS = 500_000
"""A table with more cells is refused: no paper prints one, but a hostile file can claim to."""
NUMBER = r"[-+\u2212]?(?:\d+(?:[.,]\d+)?|[.,]\d+)"
NUMERIC = re.compile(rf"^\W{{0,3}}{NUMBER}\s*%?(?!\s*(?!to\b|n\.?s\.?)[^\W\d_]{{2}})")
"""A cell that begins with a number, and not one with a word behind it ("95% CI", "2 classes")."""
GROUP = "group"
"""Heading of the column with the headings that stood across the table."""
POWER = re.compile(r"[\u00d7x\u00b7*]\s*10$|(?<![^\W\d_])(?:[mck]?m|R)$")


@dataclass
class Grid:
    """Rows of equal length; ``header`` has one row per level, ``asks`` is left to the user."""

    header: list[list[str]]
    body: list[list[str]]
    caption: str = ""
    asks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        width = max((len(row) for row in (*self.header, *self.body)), default=0)
        check_size(width, len(self.header) + len(self.body))
        for rows in (self.header, self.body):
            for row in rows:
                row.extend([""] * (width - len(row)))


def check_size(columns: int, rows: int) -> None:
    """Refuse a table that would not be printed.

    Raises:
        UserError: more than :data:`MOST_CELLS` cells.
    """
    if columns * rows > MOST_CELLS:
        raise UserError(
            "a table is too large", found=f"{columns * rows:,} cells", expected=f"{MOST_CELLS:,}"
        )


def split_header(
    rows: list[list[str]], caption: str = "", asks: list[str] | None = None
) -> Grid | None:
    """A grid whose header is every row above the first with a number beyond the first column.

    None if there is no such row, or none above it.
    """
    rows = [[cell.strip() for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    check_size(width, len(rows))
    rows = without_empty([[*row, *[""] * (width - len(row))] for row in rows])
    while rows and width > 1 and (title := across(rows[0], alone=True)):
        caption = caption or title
        rows = rows[1:]
    first = next((i for i, row in enumerate(rows) if any(map(NUMERIC.match, row[1:]))), None)
    while first and across(rows[first - 1], alone=True):
        first -= 1  # a heading of the first rows, not a level of the header
    if not first:
        return None
    return grouped(rows[:first], rows[first:], caption, list(asks or []), alone=True)


def without_empty(rows: list[list[str]]) -> list[list[str]]:
    """Rows of one length without the columns that hold nothing at all."""
    kept = [i for i, column in enumerate(zip(*rows, strict=True)) if any(column)]
    return [[row[i] for i in kept] for row in rows]


def raised(before: str, mark: str) -> str:
    """What a raised text leaves: powers of ten and of units stay, marks of footnotes go."""
    power = re.fullmatch(r"[-\u2212]?\d{1,2}", mark.strip()) and POWER.search(before)
    return f"^{mark.strip()}" if power else ""


def across(row: list[str], alone: bool) -> str:
    """The text that a row has over its whole width, or with ``alone`` in one cell; else empty."""
    texts = [cell.strip() for cell in row if cell.strip()]
    whole = len(set(texts)) == 1 and (len(texts) == len(row) or (alone and len(texts) == 1))
    return texts[0] if whole and not NUMERIC.match(texts[0]) else ""


def grouped(
    header: list[list[str]], body: list[list[str]], caption: str, asks: list[str], alone: bool
) -> Grid | None:
    """A grid without the rows that are headings over the whole width; None if no row is left.

    Where the first row is such a heading, every row has one: it becomes the column ``group``.
    """
    groups, kept, group = [], [], ""
    for row in body:
        if len(row) > 1 and (heading := across(row, alone)):
            group = heading
        else:
            groups.append(group)
            kept.append(row)
    if not kept:
        return None
    if groups[0]:
        header = [[GROUP if level is header[-1] else "", *level] for level in header]
        kept = [[name, *row] for name, row in zip(groups, kept, strict=True)]
    return Grid(header, kept, caption, asks)
