"""How certain a number is: intervals from resampled groups, and paired tests between methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm, t


def wilson(
    successes: float, trials: float, level: float = 0.95, df: int | None = None
) -> tuple[float, float]:
    """Wilson's score interval of a proportion (10.1080/01621459.1927.10502953).

    With ``df`` the normal quantile is replaced by that of Student's t with so many degrees of
    freedom: for a number of trials that was itself estimated.
    """
    if trials == 0:
        return math.nan, math.nan
    upper = 0.5 + level / 2
    z = float(norm.ppf(upper) if df is None else t.ppf(upper, df))
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


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


def interval(
    value: float,
    draws: np.ndarray,
    n_groups: int,
    limits: tuple[float, float] | None = (0.0, 1.0),
    level: float = 0.95,
) -> tuple[float, float]:
    """Confidence interval of ``value`` from the spread of its bootstrap draws.

    A value between ``limits`` gets the score interval of a proportion with as many trials as give
    the spread of the draws, so that it stays inside the limits and is skewed towards their middle;
    percentiles of the draws would be too narrow for few groups and near a limit. Where nothing
    varies (all cases right) every group counts as one trial, so that the width is never zero. A
    value without limits gets Student's interval. Both with ``n_groups - 1`` degrees of freedom.

    Args:
        value: on all cases.
        draws: (R,) values on resampled groups, NaN where undefined.
        n_groups: groups that were resampled.
        limits: least and greatest possible value; None if there are none.
        level: coverage.

    Returns:
        lower and upper bound; NaN where there is nothing to go by (one group, an undefined value,
        draws that are mostly undefined, an unlimited value that never varies).
    """
    known = draws[~np.isnan(draws)]
    if math.isnan(value) or n_groups < 2 or 2 * len(known) < len(draws):
        return math.nan, math.nan
    # The spread of draws from G groups is too small by (G - 1) / G.
    variance = float(known.var()) * n_groups / (n_groups - 1)
    # What is left of an exact zero after summing in another order is none.
    varies = math.sqrt(variance) > 1e-9 * max(1.0, abs(value))
    if limits is None:
        if not varies:
            return math.nan, math.nan
        half = float(t.ppf(0.5 + level / 2, n_groups - 1)) * math.sqrt(variance)
        return value - half, value + half
    low, high = limits
    share = (value - low) / (high - low)
    trials = float(n_groups)
    if varies and 0 < share < 1:
        trials = share * (1 - share) / (variance / (high - low) ** 2)
    bounds = wilson(share * trials, trials, level, df=n_groups - 1)
    return low + bounds[0] * (high - low), low + bounds[1] * (high - low)
