"""Averages over classes by trying every diagonal and every column sum of the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from mednext.audit.bands import Band
from mednext.audit.programme import Average, CannotTellError, Counts, linear_classes
from mednext.audit.ratios import MARGIN, RATIOS, Metric, value_of

LARGEST = 5_000_000
"""Diagonals, or column sums of one diagonal, that are tried; beyond it only accuracy and recall."""


def class_counts(
    classes: Sequence[int], cells: Mapping[Metric, Band], average: Average
) -> list[Counts] | None:
    """Counts of every class against the rest whose averages lie in the bands; None if none.

    A matrix with given row sums, column sums and diagonal exists exactly if the wrong calls sum up
    to the missed images and no class has more of both than there are errors: what is left is a
    transport problem without a diagonal. An undefined score counts as 0, as in scikit-learn.

    Args:
        classes: test images per class, at least two classes.
        cells: metric -> band; accuracy is that of the whole matrix.
        average: over the classes, of every other metric. Micro averages all equal the accuracy.

    Raises:
        CannotTellError: too large to try all, and accuracy and recall alone do not rule it out.

    >>> three = Fraction(3, 4)
    >>> class_counts([2, 2], {"accuracy": Band(three, three, True, True)}, "micro")
    [(1, 0, 1, 2), (2, 1, 0, 1)]
    """
    if average == "micro":
        cells = {"accuracy": _common(list(cells.values()))}
    try:
        return next(_found(classes, cells, average), None)
    except CannotTellError:
        linear_classes(classes, cells, average == "macro")
        return None


def _common(every: Sequence[Band]) -> Band:
    low = max(every, key=lambda b: (b.low, not b.low_in))
    high = min(every, key=lambda b: (b.high, b.high_in))
    return Band(low.low, high.high, low.low_in, high.high_in)


def _found(
    classes: Sequence[int], cells: Mapping[Metric, Band], average: Average
) -> Iterator[list[Counts]]:
    images = sum(classes)
    weights = np.array(
        [size / images if average == "weighted" else 1 / len(classes) for size in classes]
    )
    for hits in _diagonals(classes, cells, weights):
        missed = np.array(classes) - hits
        errors = int(missed.sum())
        fp = _column_sums(errors, errors - missed)
        fn = np.broadcast_to(missed, fp.shape)
        tp = np.broadcast_to(hits, fp.shape)
        kept = np.ones(len(fp), dtype=bool)
        for metric, cell in cells.items():
            if metric == "accuracy":
                continue
            num, den = RATIOS[metric](
                *(x.astype(float) for x in (tp, fp, fn, images - tp - fp - fn))
            )
            den = np.sqrt(den) if metric == "mcc" else den
            scores = np.divide(num, den, out=np.zeros(fp.shape), where=den > 0) @ weights
            kept &= _near(scores, cell)
        for row in np.flatnonzero(kept):
            counts: list[Counts] = [
                (int(t), int(f), int(m), images - int(t + f + m))
                for t, f, m in zip(hits, fp[row], missed, strict=True)
            ]
            if all(average_of(m, counts, average) in cell for m, cell in cells.items()):
                yield counts


def average_of(metric: Metric, counts: Sequence[Counts], average: Average) -> Fraction:
    """The exact average of a metric over classes; the accuracy is that of the whole matrix."""
    images = sum(counts[0])
    if metric == "accuracy" or average == "micro":
        return Fraction(sum(c[0] for c in counts), images)
    total = Fraction(0)
    for c in counts:
        weight = (
            Fraction(c[0] + c[2], images) if average == "weighted" else Fraction(1, len(counts))
        )
        total += weight * (value_of(metric, *c) or 0)
    return total


def _near(scores: np.ndarray, cell: Band) -> np.ndarray:
    inside = (scores >= float(cell.low) - MARGIN) & (scores <= float(cell.high) + MARGIN)
    return np.asarray(inside)


def _diagonals(
    classes: Sequence[int], cells: Mapping[Metric, Band], weights: np.ndarray
) -> np.ndarray:
    """Hits per class (diagonals, classes) that give the accuracy and the averaged recall."""
    if np.prod([size + 1.0 for size in classes]) > LARGEST:
        raise CannotTellError("too many diagonals to try")
    grids = np.meshgrid(*(np.arange(size + 1) for size in classes), indexing="ij")
    hits = np.stack([grid.ravel() for grid in grids], axis=1)
    kept = np.ones(len(hits), dtype=bool)
    if "accuracy" in cells:
        kept &= _near(hits.sum(axis=1) / sum(classes), cells["accuracy"])
    if "recall" in cells:
        kept &= _near(hits / np.array(classes) @ weights, cells["recall"])
    # What tries all the column sums of every diagonal that is left.
    errors = float(sum(classes) - hits[kept].sum(axis=1).min(initial=sum(classes)))
    if kept.sum() * (errors + 1) ** (len(classes) - 1) > 20 * LARGEST:
        raise CannotTellError("too many column sums to try")
    return np.asarray(hits[kept])


def _column_sums(errors: int, most: np.ndarray) -> np.ndarray:
    """All wrong calls per class that sum up to ``errors``, each at most ``most``."""
    grids = np.meshgrid(*(np.arange(m + 1) for m in most[:-1]), indexing="ij")
    first = np.stack([grid.ravel() for grid in grids], axis=1)
    last = errors - first.sum(axis=1)
    inside = (last >= 0) & (last <= most[-1])
    return np.column_stack([first, last])[inside]
