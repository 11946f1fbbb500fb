"""Made-up papers of several designs, each printed from stated matrices, with and without errors.

Every cell comes from a matrix written here, by the metric's textbook formula in exact fractions; an
error is then planted by hand. ``planted`` names each: table, row, column (None: the whole row).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

Rows = list[dict[str, str]]
Planted = set[tuple[int, str, str | None]]


@dataclass(frozen=True)
class MadeUp:
    """A paper's ``audit.yaml``, its tables and the errors planted in them."""

    spec: dict[str, Any]
    tables: dict[int, Rows]
    planted: Planted = field(default_factory=set)


def show(value: Fraction | Decimal, places: int, how: str = ROUND_HALF_UP) -> str:
    """A value with so many decimals."""
    with localcontext() as context:
        context.prec = 60
        exact = (
            value
            if isinstance(value, Decimal)
            else Decimal(value.numerator) / Decimal(value.denominator)
        )
        return str(exact.quantize(Decimal(1).scaleb(-places), rounding=how))


def mcc(tp: int, fp: int, fn: int, tn: int) -> Decimal:
    """Matthews' correlation to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return (
            Decimal(tp * tn - fp * fn)
            / Decimal((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt()
        )


def mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def nodules() -> MadeUp:
    """One test set, fractions, four metrics of one matrix (120 positive, 80 negative)."""
    rows = []
    for slug, tp, tn in (("a", 109, 68), ("b", 110, 70), ("c", 105, 75), ("d", 114, 73)):
        fn, fp = 120 - tp, 80 - tn
        rows.append(
            {
                "slug": slug,
                "acc": show(Fraction(tp + tn, 200), 3),
                "sens": show(Fraction(tp, 120), 3),
                "spec": show(Fraction(tn, 80), 3),
                "mcc": show(mcc(tp, fp, fn, tn), 3),
            }
        )
    rows[1]["mcc"] = show(Decimal(rows[1]["mcc"]) + Decimal("0.020"), 3)
    rows[2]["acc"] = "0.913"  # whole numbers of 200 give steps of 0.005
    return MadeUp(
        {
            "paper": "nodules",
            "tables": {1: {"file": "1.csv"}},
            "scores": [
                {
                    "table": 1,
                    "unit": "fraction",
                    "columns": {
                        "accuracy": "acc",
                        "recall": "sens",
                        "specificity": "spec",
                        "mcc": "mcc",
                    },
                    "positive": 120,
                    "negative": 80,
                }
            ],
        },
        {1: rows},
        {(1, "b", "mcc"), (1, "c", "acc")},
    )


def polyps() -> MadeUp:
    """Five stratified folds of 100 positive and 150 negative; the mean of the folds' scores."""
    rows = []
    folds = {
        "a": ((18, 27), (17, 25), (19, 28), (16, 29), (18, 26)),
        "b": ((15, 22), (14, 25), (16, 21), (15, 24), (17, 23)),
        "c": ((20, 30), (19, 29), (20, 28), (18, 30), (20, 29)),
    }
    for slug, counts in folds.items():
        sens = mean([Fraction(tp, 20) for tp, _ in counts])
        spec = mean([Fraction(tn, 30) for _, tn in counts])
        rows.append(
            {
                "slug": slug,
                "acc": show(100 * mean([Fraction(tp + tn, 50) for tp, tn in counts]), 2),
                "sens": show(100 * sens, 2),
                "spec": show(100 * spec, 2),
                "f1": show(
                    100 * mean([Fraction(2 * tp, tp + 20 + 30 - tn) for tp, tn in counts]), 2
                ),
                "bacc": show(100 * (sens + spec) / 2, 2),
            }
        )
    rows[1]["bacc"] = show(Decimal(rows[1]["bacc"]) + Decimal("0.50"), 2)
    return MadeUp(
        {
            "paper": "polyps",
            "tables": {1: {"file": "1.csv"}},
            "scores": [
                {
                    "table": 1,
                    "unit": "percent",
                    "design": "mean of folds",
                    "columns": {
                        "accuracy": "acc",
                        "recall": "sens",
                        "specificity": "spec",
                        "f1": "f1",
                        "balanced_accuracy": "bacc",
                    },
                    "positive": 100,
                    "negative": 150,
                    "folds": 5,
                    "fold_sizes": "stratified",
                }
            ],
        },
        {1: rows},
        {(1, "b", "bacc")},
    )


def retina() -> MadeUp:
    """Three classes (40, 35, 25), macro averages of one matrix."""
    matrices = {
        "a": ((34, 4, 2), (3, 28, 4), (1, 5, 19)),
        "b": ((30, 6, 4), (5, 25, 5), (2, 4, 19)),
        "c": ((38, 1, 1), (2, 32, 1), (0, 2, 23)),
    }
    rows = []
    for slug, matrix in matrices.items():
        hits = [matrix[i][i] for i in range(3)]
        truth = [sum(matrix[i]) for i in range(3)]
        called = [sum(matrix[j][i] for j in range(3)) for i in range(3)]
        rows.append(
            {
                "slug": slug,
                "acc": show(Fraction(100 * sum(hits), 100), 2),
                "prec": show(100 * mean([Fraction(hits[i], called[i]) for i in range(3)]), 2),
                "rec": show(100 * mean([Fraction(hits[i], truth[i]) for i in range(3)]), 2),
                "f1": show(
                    100 * mean([Fraction(2 * hits[i], truth[i] + called[i]) for i in range(3)]), 2
                ),
            }
        )
    rows[0]["rec"] = show(Decimal(rows[0]["rec"]) + Decimal("4.00"), 2)
    return MadeUp(
        {
            "paper": "retina",
            "tables": {1: {"file": "1.csv"}},
            "scores": [
                {
                    "table": 1,
                    "unit": "percent",
                    "design": "classes",
                    "average": "macro",
                    "columns": {
                        "accuracy": "acc",
                        "precision": "prec",
                        "recall": "rec",
                        "f1": "f1",
                    },
                    "classes": [40, 35, 25],
                }
            ],
        },
        {1: rows},
        {(1, "a", "rec")},
    )


def cells() -> MadeUp:
    """Dice and IoU averaged over 20 cases, with the SD over them."""
    dice = {
        "a": [Fraction(60 + i, 100) for i in range(20)],
        "b": [Fraction(90 - i, 100) for i in range(20)],
        "c": [Fraction(70 + (i % 5), 100) for i in range(20)],
    }
    rows = []
    for slug, values in dice.items():
        centre = mean(values)
        variance = sum(((v - centre) ** 2 for v in values), Fraction(0)) / 19
        with localcontext() as context:
            context.prec = 60
            spread = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
        rows.append(
            {
                "slug": slug,
                "dice": show(centre, 3),
                "dice_sd": show(spread, 3),
                "iou": show(mean([v / (2 - v) for v in values]), 3),
            }
        )
    rows[0]["iou"] = "0.712"  # above the Dice of the same cases
    rows[1]["dice_sd"] = "0.450"  # no 20 values between 0 and 1 with this mean spread so far
    return MadeUp(
        {
            "paper": "cells",
            "tables": {1: {"file": "1.csv"}},
            "dice": [
                {
                    "table": 1,
                    "unit": "fraction",
                    "dice": "dice",
                    "iou": "iou",
                    "sd": "dice_sd",
                    "cases": 20,
                }
            ],
        },
        {1: rows},
        {(1, "a", "iou"), (1, "b", "dice_sd")},
    )


def _printed(how: Callable[[Fraction], str], *counts: tuple[str, int, int]) -> Rows:
    """Rows of 83 positive and 94 negative cases, printed in one way."""
    return [
        {
            "slug": slug,
            "prec": how(Fraction(100 * tp, tp + 94 - tn)),
            "rec": how(Fraction(100 * tp, 83)),
            "iou": how(Fraction(100 * tp, 83 + 94 - tn)),
            "npv": how(Fraction(100 * tn, tn + 83 - tp)),
            "kappa": how(
                Fraction(
                    100 * 2 * (tp * tn - (83 - tp) * (94 - tn)),
                    (tp + 94 - tn) * 94 + 83 * (83 - tp + tn),
                )
            ),
        }
        for slug, tp, tn in counts
    ]


def clean() -> MadeUp:
    """No error: one table each of numbers rounded, cut off, rounded up, and padded with a zero."""
    counts = (("a", 71, 80), ("b", 64, 90), ("c", 80, 61))
    ways: dict[int, Callable[[Fraction], str]] = {
        1: lambda v: show(v, 2, ROUND_HALF_EVEN),
        2: lambda v: show(v, 2, ROUND_DOWN),
        3: lambda v: show(v, 2, ROUND_CEILING),
        4: lambda v: show(v, 1) + "0",
    }
    score = {
        "unit": "percent",
        "columns": {
            "precision": "prec",
            "recall": "rec",
            "iou": "iou",
            "npv": "npv",
            "kappa": "kappa",
        },
        "positive": 83,
        "negative": 94,
    }
    return MadeUp(
        {
            "paper": "clean",
            "tables": {n: {"file": f"{n}.csv"} for n in ways},
            "scores": [score | {"table": n} for n in ways],
        },
        {n: _printed(how, *counts) for n, how in ways.items()},
    )


def lesions() -> MadeUp:
    """Four folds of 12 cases whose classes are not stated, 20 of 48 positive; and pooled counts."""
    folds = {
        "a": ((5, 4, 6), (5, 5, 6), (4, 4, 7), (6, 5, 5)),  # (positive, TP, TN) per fold
        "b": ((7, 5, 4), (3, 2, 8), (5, 3, 6), (5, 4, 6)),
    }
    rows, pooled = [], []
    for slug, counts in folds.items():
        rows.append(
            {
                "slug": slug,
                "acc": show(mean([Fraction(tp + tn, 12) for _, tp, tn in counts]), 4),
                "sens": show(mean([Fraction(tp, p) for p, tp, _ in counts]), 4),
                "spec": show(mean([Fraction(tn, 12 - p) for p, _, tn in counts]), 4),
            }
        )
        tp, tn = sum(c[1] for c in counts), sum(c[2] for c in counts)
        pooled.append(
            {
                "slug": slug,
                "acc": show(Fraction(tp + tn, 48), 4),
                "f1": show(Fraction(2 * tp, tp + 20 + 28 - tn), 4),
                "sens": show(Fraction(tp, 20), 4),
            }
        )
    rows[0]["acc"] = "0.9990"  # a perfect score but for less than one case
    pooled[1]["f1"] = show(Decimal(pooled[1]["f1"]) - Decimal("0.0310"), 4)
    score = {"unit": "fraction", "positive": 20, "negative": 28}
    return MadeUp(
        {
            "paper": "lesions",
            "tables": {1: {"file": "1.csv"}, 2: {"file": "2.csv"}},
            "scores": [
                score
                | {
                    "table": 1,
                    "design": "mean of folds",
                    "columns": {"accuracy": "acc", "recall": "sens", "specificity": "spec"},
                    "folds": 4,
                    "fold_sizes": "unknown",
                },
                score
                | {
                    "table": 2,
                    "design": "pooled folds",
                    "columns": {"accuracy": "acc", "f1": "f1", "recall": "sens"},
                },
            ],
        },
        {1: rows, 2: pooled},
        {(1, "a", "acc"), (2, "b", "f1")},
    )


def lobes() -> MadeUp:
    """Weighted averages of two classes with 30 and 50 cases, and means over lobes."""
    weighted = []
    for slug, (a, b) in {"a": (26, 45), "b": (20, 41)}.items():
        fa, fb = 30 - a, 50 - b
        precision = (30 * Fraction(a, a + fb) + 50 * Fraction(b, b + fa)) / 80
        recall = Fraction(a + b, 80)  # a weighted recall is the accuracy
        weighted.append(
            {
                "slug": slug,
                "acc": show(100 * Fraction(a + b, 80), 2),
                "prec": show(100 * precision, 2),
                "rec": show(100 * recall, 2),
            }
        )
    weighted[1]["rec"] = show(Decimal(weighted[1]["rec"]) + Decimal("2.50"), 2)
    lobe = [
        {"slug": "a", "mean": "88.00", "left": "87.10", "right": "88.90"},
        {"slug": "b", "mean": "85.25", "left": "84.00", "right": "86.00"},
    ]
    return MadeUp(
        {
            "paper": "lobes",
            "tables": {1: {"file": "1.csv"}, 2: {"file": "2.csv"}},
            "scores": [
                {
                    "table": 1,
                    "unit": "percent",
                    "design": "classes",
                    "average": "weighted",
                    "classes": [30, 50],
                    "columns": {"accuracy": "acc", "precision": "prec", "recall": "rec"},
                }
            ],
            "means": [{"table": 2, "column": "mean", "of": ["left", "right"], "decimals": 2}],
        },
        {1: weighted, 2: lobe},
        {(1, "b", "rec"), (2, "b", "mean")},
    )


PAPERS = (nodules, polyps, retina, cells, clean, lesions, lobes)
