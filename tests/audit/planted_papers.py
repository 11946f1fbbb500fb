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


def row(slug: str, places: int, **cells: Fraction | Decimal) -> dict[str, str]:
    return {"slug": slug} | {column: show(value, places) for column, value in cells.items()}


def percent(slug: str, **cells: Fraction) -> dict[str, str]:
    """With two decimals."""
    return row(slug, 2, **{column: 100 * value for column, value in cells.items()})


def changed(cell: str, by: str) -> str:
    return str(Decimal(cell) + Decimal(by))


def made_up(paper: str, tables: Sequence[Rows], planted: Planted, **spec: Any) -> MadeUp:
    """A paper whose tables are numbered from 1."""
    numbered = dict(enumerate(tables, start=1))
    files = {n: {"file": f"{n}.csv"} for n in numbered}
    return MadeUp({"paper": paper, "tables": files} | spec, numbered, planted)


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
        right, sens, spec = Fraction(tp + tn, 200), Fraction(tp, 120), Fraction(tn, 80)
        correlation = mcc(tp, 80 - tn, 120 - tp, tn)
        rows.append(row(slug, 3, acc=right, sens=sens, spec=spec, mcc=correlation))
    rows[1]["mcc"] = changed(rows[1]["mcc"], "0.020")
    rows[2]["acc"] = "0.913"  # whole numbers of 200 give steps of 0.005
    columns = {"accuracy": "acc", "recall": "sens", "specificity": "spec", "mcc": "mcc"}
    score = {"table": 1, "unit": "fraction", "columns": columns, "positive": 120, "negative": 80}
    return made_up("nodules", [rows], {(1, "b", "mcc"), (1, "c", "acc")}, scores=[score])


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
        right = mean([Fraction(tp + tn, 50) for tp, tn in counts])
        f1 = mean([Fraction(2 * tp, tp + 20 + 30 - tn) for tp, tn in counts])
        rows.append(percent(slug, acc=right, sens=sens, spec=spec, f1=f1, bacc=(sens + spec) / 2))
    rows[1]["bacc"] = changed(rows[1]["bacc"], "0.50")
    columns = {"accuracy": "acc", "recall": "sens", "specificity": "spec", "f1": "f1"}
    score: dict[str, Any] = {
        "table": 1,
        "unit": "percent",
        "design": "mean of folds",
        "positive": 100,
    }
    score |= {"negative": 150, "folds": 5, "fold_sizes": "stratified"}
    score["columns"] = columns | {"balanced_accuracy": "bacc"}
    return made_up("polyps", [rows], {(1, "b", "bacc")}, scores=[score])


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
        precision = mean([Fraction(hits[i], called[i]) for i in range(3)])
        recall = mean([Fraction(hits[i], truth[i]) for i in range(3)])
        f1 = mean([Fraction(2 * hits[i], truth[i] + called[i]) for i in range(3)])
        rows.append(percent(slug, acc=Fraction(sum(hits), 100), prec=precision, rec=recall, f1=f1))
    rows[0]["rec"] = changed(rows[0]["rec"], "4.00")
    score: dict[str, Any] = {"table": 1, "unit": "percent", "design": "classes", "average": "macro"}
    columns = {"accuracy": "acc", "precision": "prec", "recall": "rec", "f1": "f1"}
    score |= {"columns": columns, "classes": [40, 35, 25]}
    return made_up("retina", [rows], {(1, "a", "rec")}, scores=[score])


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
        iou = mean([v / (2 - v) for v in values])
        rows.append(row(slug, 3, dice=centre, dice_sd=spread, iou=iou))
    rows[0]["iou"] = "0.712"  # above the Dice of the same cases
    rows[1]["dice_sd"] = "0.450"  # no 20 values between 0 and 1 with this mean spread so far
    rule = {"table": 1, "unit": "fraction", "dice": "dice", "iou": "iou", "sd": "dice_sd"}
    planted: Planted = {(1, "a", "iou"), (1, "b", "dice_sd")}
    return made_up("cells", [rows], planted, dice=[rule | {"cases": 20}])


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
    ways: tuple[Callable[[Fraction], str], ...] = (
        lambda v: show(v, 2, ROUND_HALF_EVEN),
        lambda v: show(v, 2, ROUND_DOWN),
        lambda v: show(v, 2, ROUND_CEILING),
        lambda v: show(v, 1) + "0",
    )
    columns = {"precision": "prec", "recall": "rec"} | {m: m for m in ("iou", "npv", "kappa")}
    score = {"unit": "percent", "columns": columns, "positive": 83, "negative": 94}
    scores = [score | {"table": n} for n in range(1, len(ways) + 1)]
    return made_up("clean", [_printed(how, *counts) for how in ways], set(), scores=scores)


def lesions() -> MadeUp:
    """Four folds of 12 cases whose classes are not stated, 20 of 48 positive; and pooled counts."""
    folds = {
        "a": ((5, 4, 6), (5, 5, 6), (4, 4, 7), (6, 5, 5)),  # (positive, TP, TN) per fold
        "b": ((7, 5, 4), (3, 2, 8), (5, 3, 6), (5, 4, 6)),
    }
    rows, pooled = [], []
    for slug, counts in folds.items():
        right = mean([Fraction(tp + tn, 12) for _, tp, tn in counts])
        sens = mean([Fraction(tp, p) for p, tp, _ in counts])
        spec = mean([Fraction(tn, 12 - p) for p, _, tn in counts])
        rows.append(row(slug, 4, acc=right, sens=sens, spec=spec))
        tp, tn = sum(c[1] for c in counts), sum(c[2] for c in counts)
        f1 = Fraction(2 * tp, tp + 20 + 28 - tn)
        pooled.append(row(slug, 4, acc=Fraction(tp + tn, 48), f1=f1, sens=Fraction(tp, 20)))
    rows[0]["acc"] = "0.9990"  # a perfect score but for less than one case
    pooled[1]["f1"] = changed(pooled[1]["f1"], "-0.0310")
    score = {"unit": "fraction", "positive": 20, "negative": 28}
    columns = {"accuracy": "acc", "recall": "sens"}
    of_folds = {"design": "mean of folds", "columns": columns | {"specificity": "spec"}}
    scores = [
        score | of_folds | {"table": 1, "folds": 4, "fold_sizes": "unknown"},
        score | {"table": 2, "design": "pooled folds", "columns": columns | {"f1": "f1"}},
    ]
    return made_up("lesions", [rows, pooled], {(1, "a", "acc"), (2, "b", "f1")}, scores=scores)


def lobes() -> MadeUp:
    """Weighted averages of two classes with 30 and 50 cases, and means over lobes."""
    weighted = []
    for slug, (a, b) in {"a": (26, 45), "b": (20, 41)}.items():
        fa, fb = 30 - a, 50 - b
        precision = (30 * Fraction(a, a + fb) + 50 * Fraction(b, b + fa)) / 80
        recall = Fraction(a + b, 80)  # a weighted recall is the accuracy
        weighted.append(percent(slug, acc=recall, prec=precision, rec=recall))
    weighted[1]["rec"] = changed(weighted[1]["rec"], "2.50")
    lobe = [
        {"slug": "a", "mean": "88.00", "left": "87.10", "right": "88.90"},
        {"slug": "b", "mean": "85.25", "left": "84.00", "right": "86.00"},
    ]
    score: dict[str, Any] = {
        "table": 1,
        "unit": "percent",
        "design": "classes",
        "average": "weighted",
    }
    columns = {"accuracy": "acc", "precision": "prec", "recall": "rec"}
    score |= {"classes": [30, 50], "columns": columns}
    means = {"table": 2, "column": "mean", "of": ["left", "right"], "decimals": 2}
    planted: Planted = {(1, "b", "rec"), (2, "b", "mean")}
    return made_up("lobes", [weighted, lobe], planted, scores=[score], means=[means])


PAPERS = (nodules, polyps, retina, cells, clean, lesions, lobes)
