"""What may be said of a difference: chosen by its interval alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from scipy.stats import norm, t

from mednext.metrics.intervals import over_seeds
from mednext.results import DifferenceRow

ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Estimate:
    """A difference in percentage points with its 95 % interval, if there is one."""

    value: float
    low: float | None
    high: float | None

    @property
    def words(self) -> str:
        """``higher`` or ``lower`` where the interval excludes 0, else ``inconclusive``."""
        if self.low is None or self.high is None:
            return "inconclusive: no interval"
        value, low, high = (signed(v) for v in (self.value, self.low, self.high))
        interval = f"{value} points, the interval is [{low}, {high}]"
        if self.low > 0:
            return f"higher: {interval}"
        return f"lower: {interval}" if self.high < 0 else f"inconclusive: {interval}"


def signed(value: float) -> str:
    """With its sign and one decimal; what rounds to nothing has a plus, never a minus."""
    return f"{round(value, 1) + 0.0:+.1f}"


def estimate(rows: Sequence[DifferenceRow], turned: bool = False) -> Estimate:
    """Mean over seeds of one pair of methods.

    See :func:`mednext.metrics.intervals.over_seeds`. ``turned`` gives the second method minus the
    first.
    """
    sign = -100 if turned else 100
    values = [sign * row.difference for row in rows]
    halves = [50 * (r.ci_high - r.ci_low) for r in rows if None not in (r.ci_low, r.ci_high)]  # type: ignore[operator]
    if len(halves) < len(rows):
        return Estimate(mean(values), None, None)
    value, bounds = over_seeds(values, [(half, half) for half in halves])
    return Estimate(value, *bounds)


def detectable(deviation: float, n: int, tests: int = 1) -> float:
    """Smallest difference, in percentage points, that ``tests`` paired tests of ``n`` cases show
    with the power 0.8 at a family-wise level of 0.05 (normal approximation, Bonferroni).
    """
    quantiles = norm.isf(ALPHA / (2 * tests)) + norm.ppf(POWER)
    return 100 * float(quantiles) * deviation / math.sqrt(n)


def detectable_over_seeds(values: Sequence[float]) -> float | None:
    """The same of the mean of paired differences over seeds, with Student's quantiles."""
    k = len(values)
    if k < 2:
        return None
    quantiles = t.ppf(1 - ALPHA / 2, k - 1) + t.ppf(POWER, k - 1)
    return float(quantiles) * stdev(values) / math.sqrt(k)
