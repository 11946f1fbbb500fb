"""A table of texts as a reader of any format hands it on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mednext.errors import UserError

MOST_CELLS = 2_000_000
"""A table with more cells is refused: no paper prints one, but a hostile file can claim to."""
NUMBER = r"[-+\u2212]?(?:\d+(?:[.,]\d+)?|[.,]\d+)"
NUMERIC = re.compile(rf"^\W{{0,3}}{NUMBER}\s*%?")


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
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if rows and len({cell for cell in rows[0] if cell.strip()}) == 1 and len(rows[0]) > 1:
        caption = caption or next(cell for cell in rows[0] if cell.strip())
        rows = rows[1:]  # a heading over the whole width
    first = next(
        (i for i, row in enumerate(rows) if any(NUMERIC.match(c.strip()) for c in row[1:])), None
    )
    if not first:
        return None
    return Grid(rows[:first], rows[first:], caption, list(asks or []))
