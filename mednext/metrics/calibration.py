"""Temperature scaling: one number repairs scores that are too sure or not sure enough."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

LEAST = 1e-37
"""Scores below are taken for this, whose logarithm is finite: as small as float32 goes."""


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of the smallest cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    Args:
        scores: (N, K) softmax scores of cases that the network was not trained on.
        labels: (N,) their classes.

    Returns:
        Above 1 where the network is too sure; between 1/20 and 20.

    >>> scores = np.array([[0.9, 0.1]] * 4)
    >>> found = temperature(scores, np.array([0, 0, 0, 1]))  # three of four are right
    >>> scaled(scores, found).round(2).tolist()[0]
    [0.75, 0.25]
    """
    logits = np.log(np.maximum(scores, LEAST))
    rows = np.arange(len(labels))

    def loss(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=(-np.log(20), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def scaled(scores: np.ndarray, by: float) -> np.ndarray:
    """(N, K) scores at this temperature; the order of the classes stays."""
    return np.asarray(softmax(np.log(np.maximum(scores, LEAST)) / by, axis=1))
