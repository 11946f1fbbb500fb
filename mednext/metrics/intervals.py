"""Intervals of sums and differences from those of their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from scipy.stats import t

Bounds = tuple[float, float]


def mover(
    values: Sequence[float],
    bounds: Sequence[Bounds],
    weights: Sequence[float] = (1, 1),
    correlation: float = 0.0,
) -> Bounds:
    """Interval of a weighted sum of two estimates, or of more independent ones, from that of each.

    The distances to the bounds add as squares, each side by itself (MOVER: Zou & Donner 2008,
    10.1002/sim.3095). Of a difference of two proportions with Wilson's intervals it is Newcombe's
    (his method 10, 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), which has a
    width even where one of them is 1.

    Args:
        values: the estimates.
        bounds: lower and upper bound of each.
        weights: of each in the sum; ``(1, -1)`` for a difference.
        correlation: of two estimates (Zou 2007, 10.1037/1082-989X.12.4.399).

    Example:
        >>> low, high = mover((0.5, 0.4), ((0.47, 0.53), (0.36, 0.44)), (1, -1))
        >>> f"{low:.2f} {high:.2f}"
        '0.05 0.15'
    """
    total = math.fsum(w * v for w, v in zip(weights, values, strict=True))
    below, above = [], []
    for value, (low, high), weight in zip(values, bounds, weights, strict=True):
        ends = sorted((weight * low, weight * high))
        below.append(weight * value - ends[0])
        above.append(ends[1] - weight * value)
    return total - _joined(below, weights, correlation), total + _joined(
        above, weights, correlation
    )


def _joined(distances: Sequence[float], weights: Sequence[float], correlation: float) -> float:
    if not correlation:
        return math.hypot(*distances)
    one, other = distances
    sign = math.copysign(1.0, weights[0] * weights[1])
    return math.sqrt(one**2 + other**2 + 2 * sign * correlation * one * other)


def over_seeds(values: Sequence[float], halves: Sequence[Bounds]) -> tuple[float, Bounds]:
    """Mean over seeds and its interval: the test cases, which all seeds share, and the seeds.

    Args:
        values: of each seed, on the same test cases.
        halves: distances to the lower and upper bound of each, over test cases.

    Returns:
        The mean and :func:`mover` of the mean distances and Student's interval of the mean over
        seeds. One seed shows nothing of others: its interval is that of the test cases alone.
    """
    count = len(values)
    mean = sum(values) / count
    below, above = (sum(part) / count for part in zip(*halves, strict=True))
    seeds = 0.0
    if count > 1:
        seeds = float(t.ppf(0.975, count - 1)) * stdev(values) / math.sqrt(count)
    return mean, mover((mean, 0.0), ((mean - below, mean + above), (-seeds, seeds)))
