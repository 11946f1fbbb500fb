"""Curves behind single numbers: ROC on a fixed grid, and reliability by bins of the score."""

from __future__ import annotations

import numpy as np


def roc_at(positive: np.ndarray, score: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Sensitivity at given false-positive rates, linear between the points of the ROC curve.

    Where the curve rises steeply the upper end counts, as on the drawn curve.

    Args:
        positive: (N,) bool.
        score: (N,) the higher, the more positive.
        grid: (G,) rising false-positive rates in [0, 1].

    Returns:
        (G,); NaN where one class is missing.

    >>> ill, score = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1])
    >>> roc_at(ill, score, np.array([0.0, 0.25, 0.5, 1.0])).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    n_pos = int(positive.sum())
    n_neg = len(positive) - n_pos
    if n_pos == 0 or n_neg == 0:
        return np.full(len(grid), np.nan)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # equal scores are one step
    hits = np.cumsum(positive[order])[ends]
    tpr = np.concatenate([[0.0], hits / n_pos])
    fpr = np.concatenate([[0.0], (ends + 1 - hits) / n_neg])
    at = np.searchsorted(fpr, grid, side="right") - 1
    after = np.minimum(at + 1, len(fpr) - 1)
    width = fpr[after] - fpr[at]
    share = np.divide(grid - fpr[at], width, out=np.zeros(len(grid)), where=width > 0)
    return np.asarray(tpr[at] + share * (tpr[after] - tpr[at]))


def reliability(
    positive: np.ndarray, score: np.ndarray, bins: int = 10
) -> list[tuple[float, int, int]]:
    """Mean score, number of positives and number of cases in each of ``bins`` equal bins.

    Empty bins are left out.

    >>> reliability(np.array([True, False, True]), np.array([0.875, 0.125, 0.625]), bins=2)
    [(0.125, 0, 1), (0.75, 2, 2)]
    """
    index = np.minimum((score * bins).astype(int), bins - 1)
    return [
        (float(score[index == b].mean()), int(positive[index == b].sum()), int((index == b).sum()))
        for b in range(bins)
        if (index == b).any()
    ]
