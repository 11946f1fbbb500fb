"""Averages over folds of known sizes: by the sums that linear metrics leave, and by drawing.

Mean recall, specificity, accuracy and balanced accuracy depend only on how many images were right
in all folds of one size together. All such sums can be tried. Where none fits, nothing does; where
some fit, there are mostly so many ways to spread them over the folds that a few draws meet the
bands of the other metrics, which an integer programme may take long to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from mednext.audit.bands import Band
from mednext.audit.confusion import Sizes
from mednext.audit.programme import CannotTellError, Counts, fold_score, fold_scores
from mednext.audit.ratios import MARGIN, Metric

MOST_SUMS = 4_000_000
"""More sums of hits are left to the integer programme."""
DRAWS, BATCHES = 50_000, 6


def folds_by_sums(sizes: Sequence[Sizes], cells: Mapping[Metric, Band]) -> list[Counts] | None:
    """Folds of these sizes whose mean scores lie in the bands; None if there are none.

    Raises:
        CannotTellError: too many sums to try, or sums fit but no draw did.
    """
    kinds = list(dict.fromkeys(sizes))
    sizes = [size for kind in kinds for size in sizes if size == kind]
    times = [sizes.count(kind) for kind in kinds]
    tp, tn = _sums(kinds, times, cells)
    if not len(tp):
        return None
    rng = np.random.default_rng(0)
    p, n = (np.repeat([getattr(k, c) for k in kinds], times) for c in ("positive", "negative"))
    for _ in range(BATCHES):
        chosen = rng.integers(len(tp), size=DRAWS)
        hits = _spread(tp[chosen], [k.positive for k in kinds], times, rng)
        calm = _spread(tn[chosen], [k.negative for k in kinds], times, rng)
        counts = np.stack([hits, n - calm, p - hits, calm], axis=-1)
        kept = np.ones(DRAWS, dtype=bool)
        for metric, cell in cells.items():
            scores = fold_scores(metric, counts.reshape(-1, 4)).reshape(hits.shape).mean(axis=1)
            kept &= _near(scores, cell)
        for folds in counts[kept][:20]:
            found: list[Counts] = [tuple(fold) for fold in folds.tolist()]
            means = {m: sum((fold_score(m, c) for c in found), Fraction(0)) for m in cells}
            if all(means[m] / len(found) in cell for m, cell in cells.items()):
                return found
    raise CannotTellError("hits that give the linear metrics exist, but no draw gave the others")


def _near(values: np.ndarray, cell: Band) -> np.ndarray:
    near = (values >= float(cell.low) - MARGIN) & (values <= float(cell.high) + MARGIN)
    return np.asarray(near)


def _sums(
    kinds: Sequence[Sizes], times: Sequence[int], cells: Mapping[Metric, Band]
) -> tuple[np.ndarray, np.ndarray]:
    """Hits of either class in all folds of each size (n, kinds) that give the linear metrics."""
    folds = sum(times)
    positive = _all([k.positive * t for k, t in zip(kinds, times, strict=True)])
    negative = _all([k.negative * t for k, t in zip(kinds, times, strict=True)])
    recall = positive / [k.positive for k in kinds] @ np.ones(len(kinds)) / folds
    specificity = negative / [k.negative for k in kinds] @ np.ones(len(kinds)) / folds
    if "recall" in cells:
        kept = _near(recall, cells["recall"])
        positive, recall = positive[kept], recall[kept]
    if "specificity" in cells:
        kept = _near(specificity, cells["specificity"])
        negative, specificity = negative[kept], specificity[kept]
    if len(positive) * len(negative) > MOST_SUMS:
        raise CannotTellError("too many sums of hits to try them all")
    totals = np.array([k.positive + k.negative for k in kinds]) * folds
    means = {
        "accuracy": (positive / totals).sum(axis=1)[:, None] + (negative / totals).sum(axis=1),
        "balanced_accuracy": (recall[:, None] + specificity) / 2,
    }
    fits = np.ones((len(positive), len(negative)), dtype=bool)
    for metric, mean in means.items():
        if metric in cells:
            fits &= _near(mean, cells[metric])  # type: ignore[index]
    i, j = np.nonzero(fits)
    return positive[i], negative[j]


def _all(most: Sequence[int]) -> np.ndarray:
    """Every row of whole numbers from 0 to ``most``."""
    if np.prod([m + 1.0 for m in most]) > MOST_SUMS:
        raise CannotTellError("too many sums of hits to try them all")
    grids = np.meshgrid(*(np.arange(m + 1) for m in most), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def _spread(
    sums: np.ndarray, most: Sequence[int], times: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """Each sum over its folds, none above ``most``: (draws, folds), now even and now uneven."""
    columns = []
    for i, (high, folds) in enumerate(zip(most, times, strict=True)):
        rest, width = sums[:, i].copy(), rng.uniform(0, high / 3, len(sums))
        for left in range(folds - 1, 0, -1):
            near = np.rint(rest / (left + 1) + rng.normal(0, 1, len(rest)) * width).astype(int)
            part = np.clip(near, np.maximum(0, rest - left * high), np.minimum(high, rest))
            columns.append(part)
            rest = rest - part
        columns.append(rest)
    return np.stack(columns, axis=1)
