"""Is a subgroup of the cases served worse than the rest, and what could be seen at all?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

DRAWS = 1999
STEPS = 4
"""Towards a deficit of shares, whose variance depends on it."""


@dataclass(frozen=True)
class Parts:
    """Sums and counts of each of G groups, inside the subgroup and outside; arrays (..., G)."""

    sum_in: np.ndarray
    sum_out: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray

    @property
    def split(self) -> bool:
        """Whether some group has cases on both sides."""
        return bool(((self.n_in > 0) & (self.n_out > 0)).any())


@dataclass(frozen=True)
class Deficit:
    """Mean of a subgroup minus the mean of the rest."""

    value: float
    error: float
    """Standard error; NaN with a single group on either side."""
    null: np.ndarray
    """(R,) distribution of ``|value| / error`` where there is no difference."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval; NaN without an error."""
        half = float(np.quantile(self.null, level)) * self.error
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Two-sided; NaN without an error."""
        if math.isnan(self.error):
            return math.nan
        # Summing in another order must not make an equal value a smaller one.
        as_large = self.null >= float(_ratio(self.value, self.error)) - 1e-9
        return float((1 + as_large.sum()) / (1 + len(self.null)))


def deficit(values: np.ndarray, inside: np.ndarray, groups: Sequence[str], seed: int) -> Deficit:
    """Difference of two means of grouped cases, tested by permutation of whole groups.

    The statistic is Welch's (10.1093/biomet/34.1-2.28) of the ratio estimates of both sides: exact
    if groups are exchangeable, and right for many groups even if their variances differ (Janssen
    1997, 10.1016/S0167-7152(97)00043-6). Where groups have cases on both sides they are not
    permuted; Student's distribution is taken, with degrees of freedom by Satterthwaite of as many
    groups as unequal sizes leave (Kish 1965). A side on which nothing varies gets the variance that
    one more success and one more failure, each a group, give it, if all values are 0 or 1.

    Args:
        values: (N,) one score per case.
        inside: (N,) bool, the case is of the subgroup.
        groups: group of each case.
        seed: of the permutations.

    >>> ours, rest = [0.5, 0.6, 0.7], [0.8, 0.9, 0.8, 0.9]
    >>> sides = np.array([True] * 3 + [False] * 4)
    >>> found = deficit(np.array(ours + rest), sides, list("abcdefg"), seed=0)
    >>> round(found.value, 3), found.p_value() < 0.05  # the one of 35 choices
    (-0.25, True)
    """
    parts = _parts_of(values, inside, groups)
    binary = bool(np.isin(values, (0, 1)).all())
    value, error, df = _welch(parts, binary)
    if math.isnan(error):
        return Deficit(float(value), math.nan, np.full(DRAWS, math.nan))
    if parts.split:
        null = t.ppf((1 + (np.arange(DRAWS) + 0.5) / DRAWS) / 2, df)
        return Deficit(float(value), float(error), null)
    random = np.random.default_rng(seed)
    order = np.argsort(random.random((DRAWS, len(parts.n_in))), axis=1)
    sums, counts = parts.sum_in + parts.sum_out, parts.n_in + parts.n_out
    chosen = (parts.n_in > 0)[order]
    null_value, null_error, _ = _welch(
        Parts(sums * chosen, sums * ~chosen, counts * chosen, counts * ~chosen), binary
    )
    return Deficit(float(value), float(error), _ratio(null_value, null_error))


def noticeable(
    values: np.ndarray,
    inside: np.ndarray,
    groups: Sequence[str],
    seed: int,
    alpha: float = 0.05,
    wanted: float = 0.8,
) -> float:
    """The smallest deficit that is found with probability ``wanted``, by simulation.

    Groups of the same sizes are drawn from normal distributions with the variances between and
    within groups that both sides have together, of shares as it would be at the lower share; the
    test's statistic must exceed what it exceeds without a deficit in the share ``alpha`` of draws.

    Args:
        values: (N,) one score per case.
        inside: (N,) bool, the case is of the subgroup.
        groups: group of each case.
        seed: of the draws.
        alpha: two-sided level, divided by the number of tests where several are made.
        wanted: probability to find it.

    Returns:
        The deficit, above 0; NaN with a single group on either side.
    """
    parts = _parts_of(values, inside, groups)
    if min((parts.n_in > 0).sum(), (parts.n_out > 0).sum()) < 2:
        return math.nan
    binary = bool(np.isin(values, (0, 1)).all())
    found = 0.0
    for _ in range(STEPS if binary else 1):
        scale = _scale(np.asarray(values, float), inside, found) if binary else 1.0
        found = float(np.quantile(_needed(parts, values, seed, alpha, scale), wanted))
    return found


def power(
    true: float,
    values: np.ndarray,
    inside: np.ndarray,
    groups: Sequence[str],
    seed: int,
    alpha: float = 0.05,
) -> float:
    """Probability that a true deficit (above 0) is found; arguments as :func:`noticeable`."""
    parts = _parts_of(values, inside, groups)
    if min((parts.n_in > 0).sum(), (parts.n_out > 0).sum()) < 2:
        return math.nan
    binary = bool(np.isin(values, (0, 1)).all())
    scale = _scale(np.asarray(values, float), inside, true) if binary else 1.0
    return float((_needed(parts, values, seed, alpha, scale) < true).mean())


def _scale(values: np.ndarray, inside: np.ndarray, true: float) -> float:
    """Variance of a share so much below that of the rest, over the variance as it is."""
    share, rest = values.mean(), values[~np.asarray(inside, bool)].mean()
    lower = min(max(rest - true, 0.0), 1.0)
    return float(lower * (1 - lower) / max(share * (1 - share), 1e-9)) if 0 < share < 1 else 1.0


def _parts_of(values: np.ndarray, inside: np.ndarray, groups: Sequence[str]) -> Parts:
    code = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(code.max()) + 1
    sides = [np.asarray(inside, bool), ~np.asarray(inside, bool)]
    sums = [np.bincount(code[s], np.asarray(values, float)[s], count) for s in sides]
    counts = [np.bincount(code[s], minlength=count).astype(float) for s in sides]
    return Parts(sums[0], sums[1], counts[0], counts[1])


def _ratio(value: np.ndarray | float, error: np.ndarray | float) -> np.ndarray:
    value, error = np.abs(value), np.asarray(error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(value < 1e-12, 0.0, value / error)


def _welch(parts: Parts, binary: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Difference, standard error and degrees of freedom over the last axis."""
    variances, rests, freedoms, means = [], [], [], []
    for sums, counts in ((parts.sum_in, parts.n_in), (parts.sum_out, parts.n_out)):
        total, there = counts.sum(axis=-1), (counts > 0).sum(axis=-1)
        mean = sums.sum(axis=-1) / total
        rest = (sums - mean[..., None] * counts) / total[..., None]
        variance = (rest**2).sum(axis=-1) * there / np.maximum(there - 1, 1)
        if binary:
            share = (mean * there + 1) / (there + 2)
            variance = np.where(variance < 1e-15, share * (1 - share) / (there + 2), variance)
        means.append(mean)
        rests.append(rest)
        variances.append(np.where(there > 1, variance, np.nan))
        freedoms.append(np.maximum(total**2 / (counts**2).sum(axis=-1) - 1, 1))
    both = ((parts.n_in > 0) & (parts.n_out > 0)).sum(axis=-1)
    shared = (rests[0] * rests[1]).sum(axis=-1) * both / np.maximum(both - 1, 1)
    plain = variances[0] + variances[1]
    squares = variances[0] ** 2 / freedoms[0] + variances[1] ** 2 / freedoms[1]
    df = np.divide(plain**2, squares, out=np.array(freedoms[0]), where=squares > 0)
    return means[0] - means[1], np.sqrt(np.maximum(plain - 2 * shared, 0)), df


def _needed(parts: Parts, values: np.ndarray, seed: int, alpha: float, scale: float) -> np.ndarray:
    """Of each draw the true deficit from which on it would be found.

    ``scale`` is the variance inside the subgroup over that outside.
    """
    between, within = _components(parts, np.asarray(values, float))
    random = np.random.default_rng(seed)
    shape = (DRAWS, len(parts.n_in))
    own = math.sqrt(between) * random.standard_normal(shape)
    noise = [
        n * own + np.sqrt(within * n) * random.standard_normal(shape)
        for n in (parts.n_in, parts.n_out)
    ]
    counts = [np.broadcast_to(n, shape) for n in (parts.n_in, parts.n_out)]
    value, error, _ = _welch(Parts(noise[0], noise[1], counts[0], counts[1]), binary=False)
    limit = np.quantile(_ratio(value, error), 1 - alpha)
    if scale != 1:
        scaled = Parts(math.sqrt(scale) * noise[0], noise[1], counts[0], counts[1])
        value, error, _ = _welch(scaled, binary=False)
    needed: np.ndarray = value + limit * error
    return needed


def _components(parts: Parts, values: np.ndarray) -> tuple[float, float]:
    """Variance between groups and within a group, of both sides together (analysis of variance)."""
    inner, outer, pairs, used = float((values**2).sum()), 0.0, 0.0, 0
    for sums, counts in ((parts.sum_in, parts.n_in), (parts.sum_out, parts.n_out)):
        sums, counts = sums[counts > 0], counts[counts > 0]
        total, mean = counts.sum(), sums.sum() / counts.sum()
        inner -= float((sums**2 / counts).sum())
        outer += float((counts * (sums / counts - mean) ** 2).sum())
        pairs += total - float((counts**2).sum()) / total
        used += len(counts)
    inner = max(inner, 0.0)
    within = inner / (len(values) - used) if len(values) > used else 0.0
    between = (outer - (used - 2) * within) / pairs
    if between < 0:  # cases of one group are not alike: all variance is that of single cases
        return 0.0, (outer + inner) / (len(values) - 2)
    return between, within
