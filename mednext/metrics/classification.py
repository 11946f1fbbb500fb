"""Metrics of a binary classifier, for a given choice of the positive class (Eqs. 16-19)."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata


def binary_metrics(
    positive: np.ndarray, predicted: np.ndarray, score: np.ndarray
) -> dict[str, float]:
    """All metrics of one choice of the positive class; an undefined ratio is NaN.

    Args:
        positive: (N,) bool, the case is of the positive class.
        predicted: (N,) bool, it was predicted so.
        score: (N,) probability of the positive class.

    >>> ill = np.array([True, True, True, False])
    >>> score = np.array([0.9, 0.8, 0.3, 0.6])
    >>> found = binary_metrics(ill, score > 0.5, score)
    >>> found["accuracy"], round(found["recall"], 3), found["specificity"]
    (0.5, 0.667, 0.0)
    """
    tp = int((positive & predicted).sum())
    tn = int((~positive & ~predicted).sum())
    fp = int((~positive & predicted).sum())
    fn = int((positive & ~predicted).sum())
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "accuracy": _ratio(tp + tn, len(positive)),
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "auc": auc(positive, score),
        "specificity": specificity,
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": (tp * tn - fp * fn) / root if root else math.nan,
        "ece": expected_calibration_error(positive, score),
        "brier": float(np.mean((score - positive) ** 2)) if len(positive) else math.nan,
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    >>> auc(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1]))
    0.75
    """
    n_pos = int(positive.sum())
    n_neg = len(positive) - n_pos
    if n_pos == 0 or n_neg == 0:
        return math.nan
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def expected_calibration_error(positive: np.ndarray, score: np.ndarray, bins: int = 15) -> float:
    """Mean gap between score and frequency of the positive class over equal bins of the score
    (Naeini et al. 2015), weighted by the cases of each bin.

    >>> round(expected_calibration_error(np.array([True, False]), np.array([0.9, 0.1])), 3)
    0.1
    """
    if not len(positive):
        return math.nan
    index = np.minimum((score * bins).astype(int), bins - 1)
    gaps = np.bincount(index, score - positive, minlength=bins)
    return float(np.abs(gaps).sum() / len(positive))
