"""Averages over folds: an integer programme, whose every answer is checked exactly.

A fold is one of finitely many *types*: its sizes and its counts. The unknowns are how
many folds are of each type, so that every average, also of a metric that is no linear function of
the counts, is linear in them. What HiGHS finds is computed again in exact fractions; that it finds
nothing is believed only with the bands widened beyond its tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from mednext.audit.bands import Band
from mednext.audit.confusion import Sizes
from mednext.audit.ratios import RATIOS, Metric, value_of
from mednext.errors import UserError

MOST_TYPES = 60_000
"""Above this many types the answer is ``inconclusive``."""
SECONDS = 20.0
"""Time for one integer programme."""
WIDEN = 1e-6
"""By how much a band is widened for HiGHS, whose feasibility tolerance is 1e-7."""
Average = Literal["macro", "micro", "weighted"]
Counts = tuple[int, int, int, int]
"""TP, FP, FN, TN of one fold, or of one class against the rest."""


class CannotTellError(UserError):
    """The programme is too large, or was not decided in time."""


@dataclass(frozen=True)
class Types:
    """Every way in which the folds of one size can have come out.

    ``counts`` has shape (types, 4); ``times`` is how many folds there are of this size.
    """

    counts: np.ndarray
    times: int


def fold_types(sizes: Sizes, times: int) -> Types:
    """All counts of a fold with these sizes."""
    grid = np.meshgrid(np.arange(sizes.positive + 1), np.arange(sizes.negative + 1))
    tp, tn = (axis.ravel() for axis in grid)
    return Types(np.stack([tp, sizes.negative - tn, sizes.positive - tp, tn], axis=1), times)


def any_fold_types(total: int, times: int) -> Types:
    """All counts of a fold of ``total`` images that has both classes, whatever their sizes."""
    parts = [fold_types(Sizes(p, total - p), times).counts for p in range(1, total)]
    return Types(np.concatenate(parts), times)


def stratified(positive: int, negative: int, folds: int) -> list[Sizes]:
    """The sizes of stratified folds.

    Each class is spread as evenly as can be; the larger folds of the one are the larger of the
    other (as scikit-learn's ``StratifiedKFold`` does it up to the order).
    """
    return [
        Sizes(
            positive // folds + (i < positive % folds), negative // folds + (i < negative % folds)
        )
        for i in range(folds)
    ]


def mean_of_folds(groups: Sequence[Types], cells: Mapping[Metric, Band]) -> list[Counts] | None:
    """Folds whose mean scores lie in the bands; None if there are none.

    Args:
        groups: the folds of each size.
        cells: metric -> band of its mean over all folds. A score that a fold leaves undefined
            counts as 0, as in scikit-learn.

    Raises:
        CannotTellError: too many types, or no answer in time.
    """
    chosen = _choose(groups, cells)
    if chosen is None:
        return None
    counts, folds = _joined(groups), sum(group.times for group in groups)
    found: list[Counts] = [_tuple(counts[i]) for i, n in enumerate(chosen) for _ in range(int(n))]
    for metric, cell in cells.items():
        _verify(metric, sum((fold_score(metric, c) for c in found), Fraction(0)) / folds, cell)
    return found


def _choose(
    groups: Sequence[Types],
    cells: Mapping[Metric, Band],
    positive: int | None = None,
    whole: bool = True,
) -> list[float] | None:
    """How many folds are of each type; None if no choice keeps to the bands.

    ``positive`` fixes the positive images of all folds; without ``whole`` parts of folds count.
    """
    folds = sum(group.times for group in groups)
    counts = _joined(groups)
    rows = [
        (fold_scores(metric, counts) / folds, band_ends(cell)) for metric, cell in cells.items()
    ]
    if positive is not None:
        rows.append(((counts[:, 0] + counts[:, 2]).astype(float), (positive, positive)))
    owner = np.repeat(np.arange(len(groups)), [len(group.counts) for group in groups])
    times = [float(group.times) for group in groups]
    own = csr_matrix((np.ones(len(owner)), (owner, np.arange(len(owner)))))
    return _milp(rows, np.array(times)[owner], (own, times), whole)


def _tuple(counts: np.ndarray) -> Counts:
    tp, fp, fn, tn = counts.tolist()
    return tp, fp, fn, tn


def band_ends(cell: Band) -> tuple[float, float]:
    """The ends of a band, widened beyond the tolerance of HiGHS."""
    return float(cell.low) - WIDEN, float(cell.high) + WIDEN


LINEAR: tuple[Metric, ...] = ("accuracy", "recall", "specificity", "balanced_accuracy")
"""Metrics that are linear in the counts of a fold of known sizes."""


def linear_mean_of_folds(
    sizes: Sequence[Sizes], cells: Mapping[Metric, Band]
) -> list[Counts] | None:
    """As :func:`mean_of_folds` for large folds of known sizes, by their counts themselves.

    Raises:
        CannotTellError: the linear metrics allow folds, but a metric that is not linear was
            printed, too; or no answer in time.
    """
    p = np.array([size.positive for size in sizes], dtype=float)
    n = np.array([size.negative for size in sizes], dtype=float)
    folds, total = len(sizes), p + n
    weights = {
        "accuracy": (1 / total, 1 / total),
        "recall": (1 / p, 0 * n),
        "specificity": (0 * p, 1 / n),
        "balanced_accuracy": (0.5 / p, 0.5 / n),
    }
    rows = [
        (np.concatenate(weights[metric]) / folds, band_ends(cells[metric]))
        for metric in LINEAR
        if metric in cells
    ]
    chosen = _milp(rows, np.concatenate([p, n]))
    if chosen is None:
        return None
    found: list[Counts] = [
        (tp, size.negative - tn, size.positive - tp, tn)
        for size, tp, tn in zip(
            sizes, map(int, chosen[:folds]), map(int, chosen[folds:]), strict=True
        )
    ]
    _no_others(cells)
    for metric, cell in cells.items():
        _verify(metric, sum((fold_score(metric, c) for c in found), Fraction(0)) / folds, cell)
    return found


def linear_classes(classes: Sequence[int], cells: Mapping[Metric, Band], macro: bool) -> None:
    """Refuse to tell unless the accuracy and the averaged recall contradict each other.

    Raises:
        CannotTellError: they do not.
    """
    sizes = np.array(classes, dtype=float)
    recall = 1 / (sizes * len(classes)) if macro else np.full(len(classes), 1 / sizes.sum())
    weights = {"accuracy": np.full(len(classes), 1 / sizes.sum()), "recall": recall}
    rows = [(w, band_ends(cells[m])) for m, w in weights.items() if m in cells]  # type: ignore[index]
    if _milp(rows, sizes) is not None:
        raise CannotTellError("too many confusion matrices of these classes to try them all")


def _no_others(cells: Mapping[Metric, Band]) -> None:
    others = [metric for metric in cells if metric not in LINEAR]
    if others:
        raise CannotTellError(f"the folds are too large to decide {', '.join(others)}")


def fold_score(metric: Metric, counts: Counts) -> Fraction:
    """The exact score of a fold; 0 where undefined."""
    return value_of(metric, *counts) or Fraction(0)


def _joined(groups: Sequence[Types]) -> np.ndarray:
    types = sum(len(group.counts) for group in groups)
    if types > MOST_TYPES:
        raise CannotTellError(
            "the folds are too large for the integer programme",
            found=f"{types:,} types",
            expected=f"at most {MOST_TYPES:,}",
        )
    return np.concatenate([group.counts for group in groups]).astype(np.int64)


def fold_scores(metric: Metric, counts: np.ndarray) -> np.ndarray:
    """A metric of every type; 0 where undefined."""
    num, den = RATIOS[metric](*counts.astype(float).T)
    den = np.sqrt(den) if metric == "mcc" else den
    return np.divide(num, den, out=np.zeros(len(counts)), where=den > 0)


def _milp(
    rows: Sequence[tuple[np.ndarray, tuple[float, float]]],
    most: np.ndarray,
    sums: tuple[csr_matrix, list[float]] | None = None,
    whole: bool = True,
) -> list[float] | None:
    """Numbers from 0 to ``most`` that keep every row within its ends; None if there are none."""
    constraints = [LinearConstraint(csr_matrix(w), low, high) for w, (low, high) in rows]
    if sums is not None:
        constraints.append(LinearConstraint(sums[0], sums[1], sums[1]))
    result = milp(
        np.zeros(len(most)),
        integrality=np.full(len(most), int(whole)),
        bounds=Bounds(0, most),
        constraints=constraints,
        options={"time_limit": SECONDS},
    )
    if result.status == 2:
        return None
    if result.x is None:
        raise CannotTellError("the integer programme was not decided", found=result.message)
    return [float(x) for x in (np.rint(result.x) if whole else result.x)]


def _verify(metric: Metric, value: Fraction, cell: Band) -> None:
    if value not in cell:
        raise CannotTellError(
            f"only a mean {metric} at the very end of its band was found", found=float(value)
        )


def mean_of_unknown_folds(
    positive: int, negative: int, folds: int, cells: Mapping[Metric, Band]
) -> list[Counts] | None:
    """As :func:`mean_of_folds` for folds of nearly equal size whose classes are not stated.

    A relaxation over all folds that have both classes rules most rows out at once. Else every way
    to spread the positive images is tried, the most even first.

    Raises:
        CannotTellError: too many types, or too many ways for the time there is.
    """
    total = positive + negative
    sizes = [total // folds + (i < total % folds) for i in range(folds)]
    each = {size: sizes.count(size) for size in dict.fromkeys(sizes)}
    groups = [any_fold_types(size, times) for size, times in each.items()]
    if _choose(groups, cells, positive, whole=False) is None:
        return None
    begun = time.monotonic()
    ways = sorted(_spreads(positive, negative, tuple(sizes)), key=lambda w: sum(x * x for x in w))
    for way in ways:
        if time.monotonic() - begun > SECONDS:
            raise CannotTellError("too many ways to spread the positive images over the folds")
        known = [Sizes(p, size - p) for p, size in zip(way, sizes, strict=True)]
        counted = [fold_types(size, known.count(size)) for size in dict.fromkeys(known)]
        if (found := mean_of_folds(counted, cells)) is not None:
            return found
    return None


MOST_SPREADS = 20_000


def _spreads(positive: int, negative: int, sizes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Positive images per fold, at least one of each class; falling among folds of one size."""
    found = 0
    stack: list[tuple[int, ...]] = [()]
    while stack:
        way = stack.pop()
        left, rest = positive - sum(way), sizes[len(way) :]
        if not rest:
            if left == 0:
                found += 1
                if found > MOST_SPREADS:
                    raise CannotTellError("too many ways to spread the positive images")
                yield way
            continue
        most = rest[0] - 1
        if way and rest[0] == sizes[len(way) - 1]:
            most = min(most, way[-1])
        room = sum(size - 1 for size in rest[1:])
        for p in range(max(1, left - room), min(most, left - len(rest) + 1) + 1):
            stack.append((*way, p))
