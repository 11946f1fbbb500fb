"""What a reproduced value says about the printed one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from scipy.stats import t

from mednext.results import Metric, MetricRow

MIN_SEEDS = 3
HALF_WIDTH_POINTS = 1.0


def judge(
    printed: float,
    value: float,
    low: float | None,
    high: float | None,
    seeds: int,
    unit: float,
) -> str:
    """Verdict of a reproduced value at the paper's scale (design: 3 seeds, half-width 1 point).

    ``unit`` is one percentage point in the printed unit. Without an interval nothing is decided.
    """
    if low is None or high is None or seeds < MIN_SEEDS:
        return "inconclusive"
    if (high - low) / 2 > HALF_WIDTH_POINTS * unit:
        return "inconclusive"
    if low <= printed <= high:
        return "reproduced"
    return "higher" if value > printed else "lower"


def over_seeds(rows: Sequence[MetricRow]) -> tuple[float, float | None, float | None]:
    """Mean over seeds and its interval, in the unit of ``metrics.csv``.

    Two uncertainties, added as squares: the test cases, which all seeds share (the mean half-width
    of the intervals), and the seeds (Student's interval of their mean). One seed shows nothing of
    the latter: its interval is that of the test cases alone.
    """
    values = [row.value for row in rows if row.value is not None]
    count = len(values)
    mean = sum(values) / count
    known = [
        (row.value - row.ci_low, row.ci_high - row.value)
        for row in rows
        if row.value is not None and row.ci_low is not None and row.ci_high is not None
    ]
    if len(known) < count:
        return mean, None, None
    below, above = (sum(halves) / count for halves in zip(*known, strict=True))
    seeds = 0.0
    if count > 1:
        seeds = float(t.ppf(0.975, count - 1)) * stdev(values) / math.sqrt(count)
    low = mean - math.hypot(below, seeds)
    high = mean + math.hypot(above, seeds)
    if str(rows[0].metric).startswith("hd95"):
        return mean, low, high
    least = -1.0 if rows[0].metric == Metric.MCC else 0.0
    return mean, max(least, low), min(1.0, high)
