"""What a table is before it is words: cells, lines."""

from __future__ import annotations

from dataclasses import dataclass

from mednext.report.spec import TableSpec
from mednext.results import View


@dataclass(frozen=True)
class Cell:
    """One pair; values in the printed unit."""

    printed: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    verdict: str | None = None
    aside: str | None = None
    """The reproduced value in another unit, in words."""
    needs: str | None = None
    """What would decide an undecided verdict."""
    findings: tuple[str, ...] = ()
    """What the audit says about the printed value."""

    @property
    def difference(self) -> float | None:
        """Ours minus the printed value; None where one of them is missing."""
        if self.value is None or not self.printed:
            return None
        return self.value - float(self.printed)


@dataclass(frozen=True)
class Line:
    """One method; in Table 1 one class of a data set."""

    slug: str
    name: str
    ours: bool
    cells: dict[str, Cell]
    status: str
    reason: str | None
    source: str
    """Where the data come from; ``none`` if the profile does not have them."""
    findings: tuple[str, ...] = ()
    """What the audit says about the printed row as a whole."""
    remark: str | None = None
    """What to know about the reproduced row."""


@dataclass(frozen=True)
class Table:
    """One table in one view."""

    number: str
    spec: TableSpec
    view: View
    lines: list[Line]
    scale_note: str | None = None
    """How this differs from the paper's scale; None if it does not."""
    setting: str | None = None
    """Image size, epochs, amount of data; None if the data set is not part of the profile."""

    @property
    def source(self) -> str:
        """The sources of its lines, joined by ``+``; ``none`` if there is no result."""
        return "+".join(sorted({line.source for line in self.lines} - {"none"})) or "none"

    @property
    def phantom(self) -> bool:
        """Made from synthetic data?"""
        return any(line.source == "phantom" for line in self.lines)
