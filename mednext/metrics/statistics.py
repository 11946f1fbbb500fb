"""Intervals: Wilson's for a proportion, the bootstrap over groups for everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (10.1080/01621459.1927.10502953)."""
    if trials == 0:
        return math.nan, math.nan
    z = float(norm.ppf(0.5 + level / 2))
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
    level: float = 0.95,
) -> np.ndarray:
    """Percentile intervals by drawing whole groups with replacement.

    Args:
        groups: group of every case; cases of one group are not independent and stay together.
        statistic: indices of the drawn cases -> (K,) values.
        seed: of the draws.
        repeats: number of draws.
        level: coverage.

    Returns:
        (2, K): lower and upper bounds. Draws in which a value is undefined are left out of it.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(codes == g) for g in range(len(names))]
    random = np.random.default_rng(seed)
    values = np.stack(
        [
            statistic(np.concatenate([members[g] for g in draw]))
            for draw in random.integers(len(names), size=(repeats, len(names)))
        ]
    )
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.full((2, values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        known = values[~np.isnan(values[:, column]), column]
        if len(known):
            bounds[:, column] = np.quantile(known, tails)
    return bounds
