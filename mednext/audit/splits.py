"""Would a row fit other test sizes, and how easily does any row fit a size by accident?"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mednext.audit.confusion import PrintedRow, Sizes
from mednext.audit.paper import Counts, Paper, TwoClasses
from mednext.audit.printed import Convention, Whole, agrees

Split = tuple[str, int, int]
"""Its name, images of the class with the disease, images of the other class."""


def stated(paper: Paper, two: TwoClasses) -> tuple[int, int]:
    """Test images with and without the disease, as the paper states them."""
    test = _rules(paper).stated
    return _count(paper, two.disease, test), _count(paper, two.non_disease, test)


def other_splits(paper: Paper, two: TwoClasses) -> list[Split]:
    """The other sizes that may have been tested: further subsets, and fractions of all images.

    Fractions of each class are rounded half up. A size equal to an earlier one is left out.
    """
    counts, seen = _rules(paper), {stated(paper, two)}
    candidates: list[Split] = [
        (subset, _count(paper, two.disease, subset), _count(paper, two.non_disease, subset))
        for subset in counts.others
    ]
    if counts.total is not None and paper.spec.classification is not None:
        totals = [_count(paper, row, counts.total) for row in (two.disease, two.non_disease)]
        for percent in paper.spec.classification.fractions:
            disease, non_disease = ((n * percent + 50) // 100 for n in totals)
            candidates.append((f"{percent} % of the images", disease, non_disease))
    splits = []
    for split in candidates:
        if split[1:] not in seen and min(split[1:]) > 0:
            seen.add(split[1:])
            splits.append(split)
    return splits


def _rules(paper: Paper) -> Counts:
    assert paper.spec.classification is not None
    return paper.spec.classification.counts


def _count(paper: Paper, row: str, subset: str) -> int:
    return paper.count(_rules(paper).table, row, subset)


def chance(sizes: Sizes, printed: PrintedRow, whole: int, window: int) -> Fraction:
    """The share of invented, coherent rows near this one that some matrix of these sizes gives.

    An invented row is any precision and recall within ``window`` units of the printed ones, with
    the F1 and the accuracy that follow from them by arithmetic at these sizes, rounded. All of
    them are tried, so the share is exact. Fits count under the mixed convention.

    Args:
        sizes: of the two classes.
        printed: the row; its F1 and accuracy are not used.
        whole: units of the value 1.
        window: units to each side, cut off at 1 unit and at the value 1.
    """
    low = {m: max(1, printed[m] - window) for m in ("precision", "recall")}
    high = {m: min(whole, printed[m] + window) for m in ("precision", "recall")}
    fitting: set[tuple[int, int]] = set()
    for p, r in _near(sizes, whole, low, high):
        fitting.update(zip(p.tolist(), r.tolist(), strict=True))
    rows = (high["precision"] - low["precision"] + 1) * (high["recall"] - low["recall"] + 1)
    return Fraction(len(fitting), rows)


def _near(
    sizes: Sizes, whole: int, low: dict[str, int], high: dict[str, int]
) -> Iterator[tuple[Whole, Whole]]:
    """Precision and recall of invented rows in the window that a matrix gives, with repetitions."""
    tp = np.arange(1, sizes.positive + 1, dtype=np.int64)
    recall = whole * tp // sizes.positive
    tp = tp[(recall >= low["recall"] - 1) & (recall <= high["recall"])]
    fp = np.arange(sizes.negative + 1, dtype=np.int64)
    tps, fps = (a.ravel() for a in np.meshgrid(tp, fp, indexing="ij"))
    precision = whole * tps // (tps + fps)
    inside = (precision >= low["precision"] - 1) & (precision <= high["precision"])
    tps, fps, precision = tps[inside], fps[inside], precision[inside]
    recall = whole * tps // sizes.positive
    # A cut-off value is printed as itself or, rounded, as the next one.
    for p in (precision, precision + 1):
        for r in (recall, recall + 1):
            f1, accuracy = coherent(sizes, p, r, whole)
            good = (p >= low["precision"]) & (p <= high["precision"])
            good &= (r >= low["recall"]) & (r <= high["recall"])
            for num, den, cell in (
                (whole * tps, tps + fps, p),
                (whole * tps, sizes.positive, r),
                (whole * 2 * tps, tps + fps + sizes.positive, f1),
                (whole * (tps + sizes.negative - fps), sizes.total, accuracy),
            ):
                good &= _agree(num, den, cell)
            yield p[good], r[good]


def _agree(num: Whole, den: Whole | int, cells: Whole) -> Whole:
    """:func:`agrees` with one cell per ratio."""
    return agrees(num - cells * den, den, 0, Convention.MIXED)


def coherent(sizes: Sizes, precision: Whole, recall: Whole, whole: int) -> tuple[Whole, Whole]:
    """F1 and accuracy (units, rounded half up) that follow from precision and recall (units > 0).

    F1 = 2PR / (P + R). With R N+ true and R N+ (1 - P) / P false positives, the accuracy is
    (R N+ + N- - R N+ (1 - P) / P) / N.
    """
    f1 = _rounded(2 * precision * recall, precision + recall)
    true = recall * sizes.positive * precision
    false = recall * sizes.positive * (whole - precision)
    accuracy = _rounded(true + whole * sizes.negative * precision - false, precision * sizes.total)
    return f1, accuracy


def _rounded(num: Whole, den: Whole) -> Whole:
    return (2 * num + den) // (2 * den)
