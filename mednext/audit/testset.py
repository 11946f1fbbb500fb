"""Every confusion matrix of one test set that gives any subset of the ten metrics.

Metrics that bound the true negatives once the true positives are given narrow the search to a few
matrices per true positive; whole numbers decide each one that is left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mednext.audit.bands import Band
from mednext.audit.confusion import Matrix, Sizes, matrix
from mednext.audit.ratios import MARGIN, Metric, holds, near
from mednext.errors import UserError

LARGEST = 20_000_000
"""Matrices that are looked at one by one; of larger test sets more metrics have to be printed."""


class TooLargeError(UserError):
    """The printed cells leave more matrices than are looked at one by one."""


def matrices(sizes: Sizes, cells: Mapping[Metric, Band], most: int | None = None) -> list[Matrix]:
    """All matrices whose metrics lie in the bands (see :func:`mednext.audit.bands.band`).

    Args:
        sizes: of the two classes.
        cells: metric -> band; a metric that a matrix leaves undefined lies in none.
        most: stop after so many matrices.

    Raises:
        TooLargeError: the cells narrow down too little.

    >>> from mednext.audit.bands import Printing, bands
    >>> cells = {"precision": "100", "recall": "96.75", "accuracy": "98.39"}
    >>> matrices(Sizes(246, 250), bands(cells, "percent", Printing.HALF_UP))
    [Matrix(tp=238, fp=0, fn=8, tn=250)]
    """
    tps, tns = _pairs(sizes, cells)
    p, n = sizes.positive, sizes.negative
    kept = np.ones(len(tps), dtype=bool)
    for metric, cell in cells.items():
        kept &= near(metric, cell, tps, n - tns, p - tps, tns)
    found = []
    for tp, tn in zip(tps[kept].tolist(), tns[kept].tolist(), strict=True):
        if all(holds(m, cell, tp, n - tn, p - tp, tn) for m, cell in cells.items()):
            found.append(matrix(sizes, tp, n - tn))
            if len(found) == most:
                break
    return found


def _pairs(sizes: Sizes, cells: Mapping[Metric, Band]) -> tuple[np.ndarray, np.ndarray]:
    """True positives and true negatives that the monotone metrics leave."""
    p, n = float(sizes.positive), float(sizes.negative)
    tp = np.arange(sizes.positive + 1, dtype=np.int64)
    low, high = np.zeros(len(tp)), np.full(len(tp), n)
    for metric, cell in cells.items():
        least, most = _tn_range(metric, float(cell.low), float(cell.high), tp, p, n)
        low, high = np.maximum(low, least), np.minimum(high, most)
    first = np.ceil(low - MARGIN * (1 + n)).clip(0, n + 1).astype(np.int64)
    last = np.floor(high + MARGIN * (1 + n)).clip(-1, n).astype(np.int64)
    counts = np.maximum(last - first + 1, 0)
    if counts.sum() > LARGEST:
        raise TooLargeError(
            "too many confusion matrices may give these cells",
            found=f"{int(counts.sum()):,} matrices",
            expected=f"at most {LARGEST:,}",
            remedy="print more metrics of the row, or more digits",
        )
    tps = np.repeat(tp, counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return tps, np.repeat(first, counts) + np.arange(len(tps)) - starts


def _tn_range(
    metric: Metric, low: float, high: float, tp: np.ndarray, p: float, n: float
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """The true negatives that one metric allows for each true positive."""
    if metric == "accuracy":
        return low * (p + n) - tp, high * (p + n) - tp
    if metric == "specificity":
        return low * n, high * n
    if metric == "balanced_accuracy":
        return n * (2 * low - tp / p), n * (2 * high - tp / p)
    if metric == "recall":
        inside = (tp >= low * p - MARGIN * p) & (tp <= high * p + MARGIN * p)
        return np.where(inside, 0.0, np.inf), n
    # TP / value: what the denominator of precision, IoU and (twice) F1 must be.
    shares = {"precision": (1.0, 0.0), "iou": (1.0, p), "f1": (2.0, p)}
    if metric not in shares:
        return 0.0, n
    times, rest = shares[metric]
    own = tp if metric != "iou" else 0.0
    largest = times * tp / low if low > 0 else np.inf
    smallest = times * tp / high if high > 0 else 0.0
    return n - (largest - own - rest), n - (smallest - own - rest)
