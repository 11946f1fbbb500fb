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
    between: float = 0.0
    """Standard error of what trainings add, if it is known apart, ..."""
    between_df: float = math.inf
    """and its degrees of freedom."""


def compare(ours: Estimate, printed: Estimate, margin: float, level: float = 0.95) -> Outcome:
    """Two one-sided tests beside a difference test, both of ``ours - printed``.

    ``equivalent``: the difference lies within ``margin`` (both one-sided tests reject at
    ``1 - level``: Schuirmann 1987, 10.1007/BF01068419). ``higher`` and ``lower``: it is not zero
    (two-sided, at ``1 - level``). A difference that is both, real but within the margin, is
    ``equivalent``; neither is ``undecided``. Each error has Student's quantile of its own degrees
    of freedom, and what comes of it adds as squares, as in :func:`mednext.metrics.intervals.mover`:
    one number of degrees of freedom for their sum (Welch) is too large where the error of two or
    three seeds is the larger one.

    Example:
        >>> compare(Estimate(98.0, 0.1, 2), Estimate(98.2, 0.1), margin=1.0)
        'equivalent'
        >>> compare(Estimate(94.0, 0.5, 2), Estimate(98.4, 0.6), margin=1.0)
        'lower'
    """
    difference = ours.value - printed.value
    one_sided, two_sided = (_half(ours, printed, q) for q in (level, (1 + level) / 2))
    if math.isnan(one_sided):
        return "undecided"
    if abs(difference) + one_sided <= margin:
        return "equivalent"
    if abs(difference) > two_sided:
        return "higher" if difference > 0 else "lower"
    return "undecided"


def _half(ours: Estimate, printed: Estimate, level: float) -> float:
    """Distance from the difference to its bound at this level of one side."""
    parts = [p for e in (ours, printed) for p in ((e.error, e.df), (e.between, e.between_df))]
    return math.hypot(*(error and error * float(t.ppf(level, df)) for error, df in parts))
