"""Paired tests that allow for groups of cases that are not independent (slices of one patient)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from mednext.metrics.comparison import placements

FLIPS = 9_999


def correlation_of_means(
    first: np.ndarray, first_groups: Sequence[str], second: np.ndarray, second_groups: Sequence[str]
) -> float:
    """Correlation of the means of two samples that have groups in common; groups are independent.

    Args:
        first: (N,) values of one sample.
        first_groups: the group of each.
        second: (M,) values of the other.
        second_groups: the group of each.

    Example:
        >>> import numpy as np
        >>> correlation_of_means(np.array([0, 1]), ["a", "b"], np.array([0, 1]), ["b", "c"])
        -0.5
    """
    sums = []
    for values, groups in ((first, first_groups), (second, second_groups)):
        of_group: dict[str, float] = {}
        for value, group in zip(values - values.mean(), groups, strict=True):
            of_group[group] = of_group.get(group, 0.0) + float(value)
        sums.append(of_group)
    one, other = sums
    size = math.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in other.values()))
    return sum(v * other.get(group, 0.0) for group, v in one.items()) / size if size else 0.0


def sign_flip(difference: np.ndarray, groups: Sequence[str], seed: int) -> float:
    """:func:`sign_flips` of a single difference.

    Example:
        >>> import numpy as np
        >>> bool(sign_flip(np.ones(10), [str(i) for i in range(10)], seed=0) < 0.01)
        True
    """
    return float(sign_flips(np.asarray(difference)[None], groups, seed)[0])


def sign_flips(differences: np.ndarray, groups: Sequence[str], seed: int) -> np.ndarray:
    """Two-sided p of mean paired differences: the sign of each whole group is drawn at random.

    Exact if the differences of a group are symmetric about zero under the null hypothesis, as they
    are if the two methods are exchangeable within it. With fewer than six groups no p below 0.05 is
    possible.

    Args:
        differences: (K, N) of each case in each of K comparisons.
        groups: group of each case; its cases keep or change their sign together.
        seed: of the drawn signs, which all comparisons share.

    Returns:
        (K,)
    """
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.stack([np.bincount(group, row) for row in np.asarray(differences, float)])
    signs = np.random.default_rng(seed).integers(0, 2, (FLIPS, sums.shape[1])) * 2.0 - 1
    # Summing in another order must not make an equal sum a smaller one.
    as_large = np.abs(signs @ sums.T) >= np.abs(sums.sum(axis=1)) - 1e-9
    return np.asarray((1 + as_large.sum(axis=0)) / (1 + FLIPS))


def obuchowski(
    positive: np.ndarray, first: np.ndarray, second: np.ndarray, groups: Sequence[str]
) -> tuple[float, float, float]:
    """Two correlated areas under the ROC curve, clustered (Obuchowski 1997, 10.2307/2533958).

    DeLong's test with the structural components summed within groups; with groups of one case it is
    DeLong's test but for the divisors of its variance.

    Args:
        positive: (N,) bool.
        first: (N,) scores of one method, higher means positive.
        second: (N,) scores of the other.
        groups: group of each case, which may hold both classes.

    Returns:
        the two areas and the two-sided p (1 if both order the cases alike, NaN without both classes
        or with a single group of one).
    """
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(group.max()) + 1
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    of_pos, of_neg = (np.bincount(group[side], minlength=count) for side in (positive, ~positive))
    with_pos, with_neg = int((of_pos > 0).sum()), int((of_neg > 0).sum())
    if min(with_pos, with_neg) < 2:
        return math.nan, math.nan, math.nan
    areas, on_pos, on_neg = [], [], []
    for scores in (first, second):
        pos, neg = placements(positive, scores)
        areas.append(float(pos.mean()))
        on_pos.append(np.bincount(group[positive], pos, count) - of_pos * areas[-1])
        on_neg.append(np.bincount(group[~positive], neg, count) - of_neg * areas[-1])
    pos, neg = on_pos[0] - on_pos[1], on_neg[0] - on_neg[1]
    # Exact sums: those of a BLAS end in other digits on a CPU of another maker.
    variance = (
        with_pos / (with_pos - 1) * math.fsum(pos * pos) / n_pos**2
        + with_neg / (with_neg - 1) * math.fsum(neg * neg) / n_neg**2
        + 2 * count / (count - 1) * math.fsum(pos * neg) / (n_pos * n_neg)
    )
    if variance <= 1e-15:
        return areas[0], areas[1], 1.0 if areas[0] == areas[1] else math.nan
    z = (areas[0] - areas[1]) / math.sqrt(variance)
    return areas[0], areas[1], float(2 * norm.sf(abs(z)))
