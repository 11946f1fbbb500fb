"""How certain a number is: confidence intervals from resampled groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, skew, t
from statsmodels.stats.proportion import proportion_confint

NOTHING = 1e-9
"""A spread that is only what summing in another order leaves of an exact zero."""
PRIOR_GROUPS = 0.3
"""Weight of the assumption that cases of one group are all alike. Simulated (tests): without it, 60
groups with 98 % right and strongly alike are covered in 88 % of the cases instead of 95 %; with the
weight 1, independent ones in more than 98 %."""


def wilson(
    successes: float, trials: float, level: float = 0.95, df: int | None = None
) -> tuple[float, float]:
    """Wilson's score interval of a proportion (10.1080/01621459.1927.10502953).

    With ``df`` the normal quantile is replaced by that of Student's t with so many degrees of
    freedom: for a number of trials that was itself estimated.

    >>> low, high = wilson(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    if trials == 0:
        return math.nan, math.nan
    alpha = 1 - level
    if df is not None:
        alpha = 2 * float(norm.sf(t.isf(alpha / 2, df)))
    low, high = proportion_confint(successes, trials, alpha=alpha, method="wilson")
    # The bounds beyond all and none are exact, whatever rounding leaves of them.
    return (
        0.0 if successes <= 0 else max(0.0, float(low)),
        1.0 if successes >= trials else min(1.0, float(high)),
    )


def bootstrap(
    groups: Sequence[str],
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int,
    repeats: int = 1000,
) -> np.ndarray:
    """Values of a statistic over draws of whole groups with replacement.

    Args:
        groups: group of every case; cases of one group are not independent and stay together.
        statistic: indices of the drawn cases -> (K,) values.
        seed: of the draws.
        repeats: number of draws.

    Returns:
        (repeats, K); NaN where a draw leaves a value undefined.

    >>> right = np.array([1, 1, 0, 0])
    >>> patients = ["a", "a", "b", "b"]
    >>> draws = bootstrap(patients, lambda rows: right[rows].mean(keepdims=True), seed=0, repeats=9)
    >>> draws.shape, sorted(set(draws[:, 0].tolist())) <= [0.0, 0.5, 1.0]
    ((9, 1), True)
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(codes == g) for g in range(len(names))]
    random = np.random.default_rng(seed)
    return np.stack(
        [
            statistic(np.concatenate([members[g] for g in draw]))
            for draw in random.integers(len(names), size=(repeats, len(names)))
        ]
    )


@dataclass(frozen=True)
class Resampled:
    """K values over draws of whole groups, and what their intervals need besides."""

    draws: np.ndarray
    """(R, K); NaN where a draw leaves a value undefined."""
    n_groups: int
    iid: np.ndarray
    """(R', K): the same over draws of single cases, as if they were i.i.d."""
    design_effect: float
    """The largest design effect (variance over that of as many i.i.d. cases) that groups of these
    sizes can have: mean size of a case's group, reached where its cases are all right or all wrong
    (Kish 1965, Survey Sampling)."""


def resample(
    groups: Sequence[str],
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int,
    repeats: int = 1000,
) -> Resampled:
    """Draws of whole groups and, if groups hold several cases, of cases; see :func:`bootstrap`.

    >>> patients = ["a", "a", "b", "b", "c", "c"]
    >>> resample(patients, lambda rows: np.zeros(1), seed=0).n_groups
    3
    """
    draws = iid = bootstrap(groups, statistic, seed, repeats)
    _, sizes = np.unique(np.asarray(groups), return_counts=True)
    design_effect = float((sizes**2).sum() / sizes.sum())
    if design_effect > 1:
        singly = [str(case) for case in range(len(groups))]
        iid = bootstrap(singly, statistic, seed, max(2, repeats // 4))
    return Resampled(draws, len(sizes), iid, design_effect)


def interval(
    value: float,
    resampled: Resampled,
    column: int = 0,
    limits: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> tuple[float, float]:
    """Confidence interval of ``value`` from the spread of its bootstrap draws.

    The score interval of a proportion with as many trials as give the spread of the draws: it stays
    inside the limits and is skewed towards their middle; percentiles of the draws would be too
    narrow for few groups and near a limit. Far from both limits it is Student's interval. Where
    nothing varies (all cases right) every group counts as one trial, so that the width is never
    zero. Quantiles are those of ``n_groups - 1`` degrees of freedom.

    The spread of few groups (nearly all cases right) says little about how alike the cases
    of one group are: it counts as many groups as its skewness shows, beside ``PRIOR_GROUPS`` of a
    group in which they are all alike.

    Args:
        value: on all cases.
        resampled: draws of this and other values.
        column: which of them this is.
        limits: least and greatest possible value.
        level: coverage.

    Returns:
        lower and upper bound; NaN where there is nothing to go by (one group, an undefined value,
        draws that are mostly undefined).

    >>> right = np.array([1, 1, 1, 0, 1, 1, 0, 1])
    >>> patients = ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> draws = resample(patients, lambda rows: right[rows].mean(keepdims=True), seed=0)
    >>> low, high = interval(0.75, draws)
    >>> 0 < low < 0.75 < high < 1
    True
    """
    draws, groups = resampled.draws[:, column], resampled.n_groups
    known = draws[~np.isnan(draws)]
    if math.isnan(value) or groups < 2 or 2 * len(known) < len(draws):
        return math.nan, math.nan
    low, high = limits
    share = (value - low) / (high - low)
    trials = float(groups)
    variance = _variance(known, resampled, column) / (high - low) ** 2
    if math.sqrt(variance) > NOTHING and 0 < share < 1:
        trials = share * (1 - share) / variance
    bounds = wilson(share * trials, trials, level, df=groups - 1)
    return low + bounds[0] * (high - low), low + bounds[1] * (high - low)


def _variance(known: np.ndarray, resampled: Resampled, column: int) -> float:
    """Variance of a value, from its draws that are defined."""
    groups = resampled.n_groups
    # The spread of draws from G groups is too small by (G - 1) / G.
    variance = float(known.var()) * groups / (groups - 1)
    if resampled.design_effect == 1 or math.sqrt(variance) <= NOTHING * max(1.0, abs(known.mean())):
        return variance
    # Draws of k equal groups that differ from the rest have a skewness of 1 / sqrt(k).
    informing = min(groups - 1.0, 1 / max(float(skew(known)) ** 2, 1e-9))
    alike = float(np.nanvar(resampled.iid[:, column])) * resampled.design_effect
    shrunk = (informing * variance + PRIOR_GROUPS * alike) / (informing + PRIOR_GROUPS)
    return max(variance, shrunk)
