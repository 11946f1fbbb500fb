"""What exact values may stand behind a printed cell, under each convention of printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal, TypeVar

from mednext.audit.printed import number

Unit = Literal["percent", "fraction"]


class Printing(StrEnum):
    """How an exact value became a printed one, in the order in which they are tried."""

    HALF_UP = "half-up"
    HALF_EVEN = "half-even"
    TRUNCATED = "truncated"
    CEILING = "ceiling"
    PADDED = "padded"
    """Rounded to one digit less, then a zero appended."""
    MIXED = "mixed"
    """Each cell rounded (a tie either way) or cut off."""


@dataclass(frozen=True)
class Band:
    """An interval of exact values; ``low_in`` and ``high_in`` say whether its ends belong to it."""

    low: Fraction
    high: Fraction
    low_in: bool
    high_in: bool

    def __contains__(self, value: Fraction) -> bool:
        above = value >= self.low if self.low_in else value > self.low
        return above and (value <= self.high if self.high_in else value < self.high)


def band(text: str, unit: Unit, printing: Printing) -> Band | None:
    """The values, as fractions of 1, that print as ``text``; None if the cell is empty.

    Args:
        text: a plain decimal.
        unit: ``percent`` divides by 100.
        printing: the convention. Half-even counts a tie to the even digit only; half-up only
            upwards; padded is half-up of one digit less for a cell that ends in 0, else half-up.

    Raises:
        UserError: the cell is no plain decimal.

    >>> cell = band("98.39", "percent", Printing.TRUNCATED)
    >>> float(cell.low), float(cell.high), Fraction(488, 496) in cell
    (0.9839, 0.984, False)
    >>> Fraction(488, 496) in band("98.39", "percent", Printing.HALF_UP)
    True
    """
    value = number(text)
    if value is None:
        return None
    digits = text.strip().partition(".")[2]
    places = len(digits)
    if printing is Printing.PADDED and digits.endswith("0"):
        places -= 1
    step = Fraction(1, 10**places)
    half = step / 2
    if printing is Printing.HALF_EVEN:
        even = (value / step).numerator % 2 == 0
        ends = Band(value - half, value + half, even, even)
    elif printing is Printing.TRUNCATED:
        ends = Band(value, value + step, True, False)
    elif printing is Printing.CEILING:
        ends = Band(value - step, value, False, True)
    elif printing is Printing.MIXED:
        ends = Band(value - half, value + step, True, False)
    else:
        ends = Band(value - half, value + half, True, False)
    share = 100 if unit == "percent" else 1
    return Band(ends.low / share, ends.high / share, ends.low_in, ends.high_in)


Name = TypeVar("Name", bound=str)


def bands(cells: Mapping[Name, str], unit: Unit, printing: Printing) -> dict[Name, Band]:
    """The bands of a row's cells; empty ones are left out."""
    found = {name: band(text, unit, printing) for name, text in cells.items()}
    return {name: cell for name, cell in found.items() if cell is not None}


def hull(cells: Mapping[Name, str], unit: Unit) -> dict[Name, Band]:
    """The smallest closed bands that hold those of every convention."""
    every = [bands(cells, unit, printing) for printing in Printing]
    return {
        name: Band(min(b[name].low for b in every), max(b[name].high for b in every), True, True)
        for name in every[0]
    }
