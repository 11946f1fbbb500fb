"""All confusion matrices that give a printed row of precision, recall, F1 and accuracy.

The metrics are Eqs. 16-19 of the paper. The search is exhaustive and exact: every true-positive
count that gives the recall, with every false-positive count that gives the precision, all in whole
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mednext.audit.printed import Convention, Whole, agrees

METRICS: tuple[Literal["precision", "recall", "f1", "accuracy"], ...] = (
    "precision",
    "recall",
    "f1",
    "accuracy",
)
PrintedRow = Mapping[str, int]
"""Metric -> its cell in units of the last printed digit."""
How = Literal["rounding", "truncation", "both", "mixed"]


@dataclass(frozen=True)
class Sizes:
    """Images of the positive and of the negative class."""

    positive: int
    negative: int

    @property
    def total(self) -> int:
        """All images."""
        return self.positive + self.negative


@dataclass(frozen=True, order=True)
class Matrix:
    """A confusion matrix of two classes."""

    tp: int
    fp: int
    fn: int
    tn: int


def ratios(sizes: Sizes, tp: Whole, fp: Whole) -> dict[str, tuple[Whole, Whole | int]]:
    """Numerator and denominator of every metric (arrays of int64 that broadcast)."""
    return {
        "precision": (tp, tp + fp),
        "recall": (tp, sizes.positive),
        "f1": (2 * tp, tp + fp + sizes.positive),
        "accuracy": (tp + sizes.negative - fp, sizes.total),
    }


def find(
    sizes: Sizes, printed: PrintedRow, whole: int, convention: Convention = Convention.MIXED
) -> list[Matrix]:
    """All matrices that give the four printed metrics.

    Args:
        sizes: of the two classes.
        printed: the four cells, in units.
        whole: units of the value 1 (10,000 for percent with two decimals).
        convention: how the cells were printed.
    """
    every_tp = np.arange(sizes.positive + 1, dtype=np.int64)
    every_fp = np.arange(sizes.negative + 1, dtype=np.int64)
    recalled = agrees(whole * every_tp, sizes.positive, printed["recall"], convention)
    found = []
    for tp in every_tp[recalled]:
        of = ratios(sizes, tp, every_fp)
        fits = np.ones(len(every_fp), dtype=bool)
        for metric in ("precision", "f1", "accuracy"):
            num, den = of[metric]
            fits &= agrees(whole * num, den, printed[metric], convention)
        found += [matrix(sizes, int(tp), int(fp)) for fp in every_fp[fits]]
    return found


def matrix(sizes: Sizes, tp: int, fp: int) -> Matrix:
    """The matrix with these true and false positives."""
    return Matrix(tp, fp, sizes.positive - tp, sizes.negative - fp)


def how(sizes: Sizes, found: Matrix, printed: PrintedRow, whole: int) -> How | None:
    """The conventions under which a matrix gives all four cells; None if under none."""
    of = ratios(sizes, np.array(found.tp), np.array(found.fp))

    def under(convention: Convention) -> bool:
        return all(
            bool(agrees(whole * num, den, printed[metric], convention))
            for metric, (num, den) in of.items()
        )

    rounds, cuts = under(Convention.ROUNDING), under(Convention.TRUNCATION)
    if rounds and cuts:
        return "both"
    if rounds or cuts:
        return "rounding" if rounds else "truncation"
    return "mixed" if under(Convention.MIXED) else None


def macro_fits(classes: Sizes, printed: PrintedRow, whole: int) -> int:
    """How many matrices give the row if precision, recall and F1 are means over both classes.

    Not what the paper's equations say; counted so that a row is not called impossible only for
    having been averaged. Under the mixed convention.
    """
    tp = np.arange(classes.positive + 1, dtype=np.int64)[:, None]
    fp = np.arange(classes.negative + 1, dtype=np.int64)[None, :]
    fn, tn = classes.positive - tp, classes.negative - fp
    fits = agrees(whole * (tp + tn), classes.total, printed["accuracy"], Convention.MIXED)
    rows, columns = np.nonzero(fits)
    tp, fn, fp, tn = rows, classes.positive - rows, columns, classes.negative - columns
    called, not_called = tp + fp, tn + fn
    means: dict[str, tuple[Whole, Whole | int]] = {
        "recall": (
            tp * classes.negative + tn * classes.positive,
            2 * classes.positive * classes.negative,
        ),
        "precision": (tp * not_called + tn * called, 2 * called * not_called),
        "f1": (
            tp * (2 * tn + fp + fn) + tn * (2 * tp + fp + fn),
            (2 * tp + fp + fn) * (2 * tn + fp + fn),
        ),
    }
    every = np.ones(len(rows), dtype=bool)
    for metric, (num, den) in means.items():
        every &= agrees(whole * num, den, printed[metric], Convention.MIXED)
    return int(every.sum())
