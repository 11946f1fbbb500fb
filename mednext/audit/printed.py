"""Printed decimals as whole numbers, and when an exact ratio agrees with one.

Nothing here is a float: a cell of d decimals is a whole number of units of its last digit.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import overload

import numpy as np

from mednext.errors import UserError

Whole = np.ndarray  # of int64


PLAIN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
"""A decimal as tables print it; no exponent, so that no cell is a number of a million digits."""


class Convention(StrEnum):
    """How an exact value became a printed one."""

    ROUNDING = "rounding"
    """To the nearest; a tie may have gone either way."""
    TRUNCATION = "truncation"
    """Digits cut off."""
    MIXED = "mixed"
    """Either, each metric for itself."""


def number(text: str) -> Fraction | None:
    """The exact value of a cell; None if it is empty.

    Raises:
        UserError: the cell holds something else than a plain decimal.
    """
    if not text.strip():
        return None
    if not PLAIN.fullmatch(text.strip()):
        raise UserError(
            "a cell is not a number", found=repr(text[:100]), expected="digits, with a point or not"
        )
    return Fraction(text.strip())


def units(text: str, decimals: int) -> int | None:
    """A cell in units of 10^-decimals; None if it is empty.

    Raises:
        UserError: not a number, or one with more decimals.
    """
    value = number(text)
    if value is None:
        return None
    scaled = value * 10**decimals
    if scaled.denominator != 1:
        raise UserError("a cell has more decimals than its column", found=text, expected=decimals)
    return int(scaled)


@overload
def agrees(num: int, den: int, printed: int, convention: Convention) -> bool: ...
@overload
def agrees(num: Whole, den: Whole | int, printed: int, convention: Convention) -> Whole: ...
def agrees(
    num: Whole | int, den: Whole | int, printed: int, convention: Convention
) -> Whole | bool:
    """Where the exact ratio ``num / den``, in printed units, becomes ``printed``.

    Args:
        num: numerators, already multiplied by the units per whole.
        den: denominators; where one is 0 the ratio is undefined and agrees with nothing.
        printed: the cell in units of its last digit.
        convention: how the value was printed.
    """
    excess = num - printed * den
    rounds = (-den <= 2 * excess) & (2 * excess <= den)
    cuts = (excess >= 0) & (excess < den)
    known = den > 0
    if convention is Convention.ROUNDING:
        return rounds & known
    return (cuts if convention is Convention.TRUNCATION else rounds | cuts) & known


def interval(printed: int, convention: Convention) -> tuple[Fraction, Fraction]:
    """The exact values, in units, that may stand behind a printed cell (closed bounds)."""
    low = Fraction(printed) if convention is Convention.TRUNCATION else Fraction(2 * printed - 1, 2)
    high = Fraction(2 * printed + 1, 2) if convention is Convention.ROUNDING else printed + 1
    return low, Fraction(high)


def decimal_text(value: Fraction | int, decimals: int) -> str:
    """An exact value with ``decimals`` digits, rounded to the nearest (ties to even)."""
    scaled = round(Fraction(value) * 10**decimals)
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)
