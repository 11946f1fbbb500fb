"""The metrics of a 2 x 2 confusion matrix as exact ratios of whole numbers.

Definitions: Maier-Hein et al., Metrics reloaded, 10.1038/s41592-023-02151-z (supplement 3); MCC:
10.1016/0005-2795(75)90109-9; kappa: 10.1177/001316446002000104.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np

from mednext.audit.bands import Band

Metric = Literal[
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "iou",
    "balanced_accuracy",
    "mcc",
    "kappa",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
Ratio = Callable[[Any, Any, Any, Any], tuple[Any, Any]]

RATIOS: dict[Metric, Ratio] = {
    "accuracy": lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "recall": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "npv": lambda tp, fp, fn, tn: (tn, tn + fn),
    "f1": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "iou": lambda tp, fp, fn, tn: (tp, tp + fp + fn),
    "balanced_accuracy": lambda tp, fp, fn, tn: (
        tp * (tn + fp) + tn * (tp + fn),
        2 * (tp + fn) * (tn + fp),
    ),
    "mcc": lambda tp, fp, fn, tn: (
        tp * tn - fp * fn,
        (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn),
    ),
    "kappa": lambda tp, fp, fn, tn: (
        2 * (tp * tn - fp * fn),
        (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn),
    ),
}
"""Metric -> numerator and denominator of (TP, FP, FN, TN), whole numbers or arrays of them.

The denominator of the MCC stands under a square root.
"""
SIGNED = ("mcc", "kappa")
"""Metrics that can be negative; they are printed as fractions even beside percentages."""
MARGIN = 1e-9
"""Nearer than this to the end of a band, whole numbers decide instead of floating point."""


def value_of(metric: Metric, tp: int, fp: int, fn: int, tn: int) -> Fraction | None:
    """A metric's exact value; None where it is undefined. Of the MCC, to 50 digits."""
    num, den = RATIOS[metric](tp, fp, fn, tn)
    if den == 0:
        return None
    if metric != "mcc":
        return Fraction(num, den)
    with localcontext() as context:
        context.prec = 50
        return Fraction(Decimal(num) / Decimal(den).sqrt())


def holds(metric: Metric, cell: Band, tp: int, fp: int, fn: int, tn: int) -> bool:
    """Whether a matrix's metric lies in a band; decided in whole numbers."""
    num, den = RATIOS[metric](tp, fp, fn, tn)
    if den == 0:
        return False
    if metric != "mcc":
        return Fraction(num, den) in cell

    def compared(end: Fraction) -> int:
        """Sign of num / sqrt(den) - end, by squares."""
        mine = num * abs(num) * end.denominator**2
        theirs = end.numerator * abs(end.numerator) * den
        return (mine > theirs) - (mine < theirs)

    low, high = compared(cell.low), compared(cell.high)
    return (low > 0 or (low == 0 and cell.low_in)) and (high < 0 or (high == 0 and cell.high_in))


def near(metric: Metric, cell: Band, tp: Any, fp: Any, fn: Any, tn: Any) -> np.ndarray:
    """Where a metric (arrays of int64) lies in a band widened by :data:`MARGIN`."""
    num, den = RATIOS[metric](*(x.astype(float) for x in (tp, fp, fn, tn)))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = num / (np.sqrt(den) if metric == "mcc" else den)
    inside = (value >= float(cell.low) - MARGIN) & (value <= float(cell.high) + MARGIN)
    return np.asarray(inside & (den > 0))
