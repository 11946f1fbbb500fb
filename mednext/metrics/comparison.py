"""Paired tests between two methods on the same cases, and how stable a ranking is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm, rankdata, wilcoxon
from statsmodels.stats.multitest import multipletests


def mcnemar_exact(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """Two-sided exact McNemar test (10.1007/BF02295996) of two classifiers on the same cases.

    Args:
        first_right: (N,) bool, the first method is right.
        second_right: (N,) bool, the second one is.

    Returns:
        p; 1 if they differ nowhere.

    >>> first, second = np.array([True] * 8 + [False] * 2), np.array([False] * 6 + [True] * 4)
    >>> round(mcnemar_exact(first, second), 4)  # 6 cases against 2: 2 (1 + 8 + 28) / 2**8
    0.2891
    """
    only_first = int((first_right & ~second_right).sum())
    differ = only_first + int((~first_right & second_right).sum())
    return float(binomtest(only_first, differ).pvalue) if differ else 1.0


def delong(
    positive: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, float, float]:
    """DeLong's test of two correlated areas under the ROC curve (10.2307/2531595).

    Args:
        positive: (N,) bool.
        first: (N,) scores of one method, higher means positive.
        second: (N,) scores of the other.

    Returns:
        the two areas and the two-sided p (1 if both order the cases alike, NaN without both
        classes or with a single case of one).

    >>> ill = np.array([True, True, True, False, False, False])
    >>> first, second = np.array([[6, 5, 4, 3, 2, 1], [6, 2, 4, 3, 5, 1]])
    >>> area, other, p = delong(ill, first, second)
    >>> round(area, 3), round(other, 3), 0 < p < 1
    (1.0, 0.667, True)
    """
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if min(n_pos, n_neg) < 2:
        return math.nan, math.nan, math.nan
    parts = [placements(positive, scores) for scores in (first, second)]
    areas = [float(of_pos.mean()) for of_pos, _ in parts]
    on_pos = np.cov(np.stack([of_pos for of_pos, _ in parts]))
    on_neg = np.cov(np.stack([of_neg for _, of_neg in parts]))
    covariance = on_pos / n_pos + on_neg / n_neg
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 1e-15:
        return areas[0], areas[1], 1.0 if areas[0] == areas[1] else math.nan
    z = (areas[0] - areas[1]) / math.sqrt(variance)
    return areas[0], areas[1], float(2 * norm.sf(abs(z)))


def placements(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the other class that each positive beats, and that each negative is beaten by.

    >>> of_ill, of_healthy = placements(np.array([True, False, False]), np.array([2.0, 1.0, 3.0]))
    >>> of_ill.tolist(), of_healthy.tolist()
    ([0.5], [1.0, 0.0])
    """
    ranks = rankdata(scores)
    pos, neg = scores[positive], scores[~positive]
    of_pos = (ranks[positive] - rankdata(pos)) / len(neg)
    of_neg = 1 - (ranks[~positive] - rankdata(neg)) / len(pos)
    return of_pos, of_neg


def wilcoxon_paired(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank test over cases; 1 if all are equal, NaN without a pair.

    Cases in which either value is NaN are left out.

    >>> wilcoxon_paired(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 1.5]))  # 2 / 2**3
    0.25
    """
    known = ~(np.isnan(first) | np.isnan(second))
    difference = np.asarray(first - second, dtype=np.float64)[known]
    if len(difference) == 0:
        return math.nan
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference).pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjustment (10.2307/4615733); NaN stays NaN and is not counted.

    >>> holm([0.01, 0.04]).tolist()
    [0.02, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted


def rank_shares(draws: np.ndarray, higher_is_better: bool = True) -> np.ndarray:
    """How often each method has each rank over bootstrap draws.

    Tied methods have each of the ranks that they share equally often, so that their mean rank is
    the average of these, as Demsar (2006, JMLR 7:1-30) ranks ties.

    Args:
        draws: (R, M) values of M methods on the same R draws.
        higher_is_better: direction of the metric.

    Returns:
        (M, M): share of the draws in which method i has rank j (0 is the best).

    >>> rank_shares(np.array([[0.9, 0.8], [0.7, 0.8]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    >>> rank_shares(np.array([[0.8, 0.8], [0.8, 0.8]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    ordered = -draws if higher_is_better else draws
    first, last = (rankdata(ordered, method=end, axis=1)[..., None] for end in ("min", "max"))
    places = np.arange(1, draws.shape[1] + 1)
    shares = ((first <= places) & (places <= last)) / (last - first + 1)
    return np.asarray(shares.mean(axis=0))
