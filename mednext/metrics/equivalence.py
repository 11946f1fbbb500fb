"""Is a value the printed one? Equivalence and difference, each with the errors of both values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.stats import t

Outcome = Literal["equivalent", "higher", "lower", "undecided"]


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and the degrees of freedom of that error."""

    value: float
    error: float
    df: float = math.inf


def compare(ours: Estimate, printed: Estimate, margin: float, level: float = 0.95) -> Outcome:
    """Two one-sided tests beside a difference test, both of ``ours - printed``.

    ``equivalent``: the difference lies within ``margin`` (both one-sided tests reject at
    ``1 - level``: Schuirmann 1987, 10.1007/BF01068419). ``higher`` and ``lower``: it is not zero
    (Welch's test at ``1 - level``). A difference that is both, real but within the margin, is
    ``equivalent``; neither is ``undecided``.

    Example:
        >>> compare(Estimate(98.0, 0.1, 2), Estimate(98.2, 0.1), margin=1.0)
        'equivalent'
        >>> compare(Estimate(94.0, 0.5, 2), Estimate(98.4, 0.6), margin=1.0)
        'lower'
    """
    difference, error, df = _difference(ours, printed)
    if math.isnan(error):
        return "undecided"
    if abs(difference) + _quantile(level, df) * error <= margin:
        return "equivalent"
    if abs(difference) > _quantile((1 + level) / 2, df) * error:
        return "higher" if difference > 0 else "lower"
    return "undecided"


def _difference(ours: Estimate, printed: Estimate) -> tuple[float, float, float]:
    squares = ours.error**2, printed.error**2
    error = math.sqrt(sum(squares))
    if error == 0 or math.isnan(error):
        return ours.value - printed.value, error, math.inf
    parts = squares[0] ** 2 / ours.df + squares[1] ** 2 / printed.df
    return ours.value - printed.value, error, error**4 / parts if parts > 0 else math.inf


def _quantile(level: float, df: float) -> float:
    return float(t.ppf(level, df))
