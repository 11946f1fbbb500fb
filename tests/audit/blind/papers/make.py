"""Write the papers beside this file from stated matrices, with the errors of `planted.yaml`.

Everything printed is an exact fraction, rounded half up unless a paper says otherwise. Every
planted error is shown to be one: for a single test set by trying all matrices with each cell free
by a whole unit of its last digit either way (no way of printing moves it further), else by an
inequality that is stated beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from fractions import Fraction as F
from math import isqrt
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
Row = dict[str, str]
Show = Callable[[F, int], str]


def digits(units: int, decimals: int) -> str:
    sign, text = "-" if units < 0 else "", str(abs(units)).rjust(decimals + 1, "0")
    return f"{sign}{text[:-decimals]}.{text[-decimals:]}" if decimals else sign + text


def half_up(value: F, decimals: int) -> str:
    return digits((value * 10**decimals + F(1, 2)).__floor__(), decimals)


def cut(value: F, decimals: int) -> str:
    return digits((value * 10**decimals).__floor__(), decimals)


def mean(values: list[F]) -> F:
    return sum(values, F(0)) / len(values)


def root(value: F) -> F:
    """The square root, exact to 12 decimals."""
    return F(isqrt(value.numerator * 10**24 // value.denominator), 10**12)


def scores(tp: int, tn: int, positive: int, negative: int) -> dict[str, F]:
    """Every metric of one matrix, as fractions of 1."""
    fp, fn, n = negative - tn, positive - tp, positive + negative
    chance = F((tp + fp) * positive + (tn + fn) * negative, n * n)
    right = F(tp + tn, n)
    spread = root(F((tp + fp) * positive * negative * (tn + fn)))
    return {
        "accuracy": right,
        "precision": F(tp, tp + fp) if tp + fp else F(0),
        "recall": F(tp, positive),
        "specificity": F(tn, negative),
        "npv": F(tn, tn + fn) if tn + fn else F(0),
        "f1": F(2 * tp, 2 * tp + fp + fn),
        "iou": F(tp, tp + fp + fn),
        "balanced_accuracy": (F(tp, positive) + F(tn, negative)) / 2,
        "mcc": (tp * tn - fp * fn) / spread if spread else F(0),
        "kappa": (right - chance) / (1 - chance) if chance != 1 else F(0),
    }


def matrices(positive: int, negative: int) -> Iterator[dict[str, F]]:
    for tp in range(positive + 1):
        for tn in range(negative + 1):
            if (tp, positive - tn) != (0, 0):
                yield scores(tp, tn, positive, negative)


def off(row: Row, metrics: dict[str, str], positive: int, negative: int) -> list[str] | None:
    """Columns each of which alone can be what is wrong; None if the row fits, [] if none alone."""
    alone: set[str] = set()
    for found in matrices(positive, negative):
        wrong = []
        for metric, column in metrics.items():
            decimals = len(row[column].partition(".")[2])
            scale = 100 if row["_unit"] == "percent" else 1
            if abs(found[metric] * scale - F(row[column])) >= F(1, 10**decimals):
                wrong.append(column)
        if not wrong:
            return None
        if len(wrong) == 1:
            alone.add(wrong[0])
    return sorted(alone)


def write(
    name: str, tables: list[list[Row]], planted: list[Any], *sentences: Row, **spec: Any
) -> None:
    """A paper whose tables are numbered from 1; ``keys`` names the rows of some of them."""
    keys = spec.pop("keys", {})
    numbered = {n: {"file": f"table{n}.csv"} | keys.get(n, {}) for n in range(1, len(tables) + 1)}
    contents = {f"table{n}.csv": rows for n, rows in enumerate(tables, start=1)}
    if sentences:
        contents["claims.csv"], spec["claims"] = list(sentences), {"file": "claims.csv"}
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "audit.yaml").write_text(
        yaml.safe_dump({"paper": f"invented {name}", "tables": numbered} | spec, sort_keys=False)
    )
    (folder / "planted.yaml").write_text(yaml.safe_dump(planted, sort_keys=False))
    for file, rows in contents.items():
        rows = [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]
        with (folder / file).open("w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def binary(
    matrix: dict[str, tuple[int, int]],
    positive: int,
    negative: int,
    metrics: dict[str, str],
    decimals: int,
    unit: str = "fraction",
    show: Show = half_up,
) -> list[Row]:
    """One row per (TP, TN)."""
    rows = []
    for slug, (tp, tn) in matrix.items():
        found = scores(tp, tn, positive, negative)
        scale = 100 if unit == "percent" else 1
        cells = {c: show(found[m] * scale, decimals) for m, c in metrics.items()}
        rows.append({"slug": slug, "_unit": unit} | cells)
    return rows


def claim(
    number: int, kind: str, value: str, quote: str, expression: str, tables: str = "1"
) -> Row:
    return {
        "claim_id": f"C{number:03}",
        "section": "Results",
        "paper_line": str(100 + number),
        "quote": quote,
        "kind": kind,
        "value": value,
        "unit": "",
        "about": quote,
        "tables": tables,
        "expression": expression,
    }


def nodules() -> None:
    """One test set of 84 and 126 images; one cell changed, and one row from other images."""
    metrics = {"accuracy": "acc", "precision": "ppv", "recall": "sens", "specificity": "spec"}
    metrics |= {"f1": "f1", "mcc": "mcc"}
    truth = {
        "baseline": (61, 101),
        "wide": (66, 108),
        "deep": (70, 104),
        "attention": (72, 113),
        "ours": (77, 117),
    }
    rows = binary(truth, 84, 126, metrics, 3)
    rows[1]["f1"] = half_up(F(rows[1]["f1"]) + F(9, 1000), 3)
    # 'attention' prints a matrix of 90 and 120 images instead.
    rows[3] = binary({"attention": (78, 103)}, 90, 120, metrics, 3)[0]
    planted = []
    for row in rows:
        columns = off(row, metrics, 84, 126)
        assert (columns is None) == (row["slug"] not in ("wide", "attention")), row
        if columns is not None:
            planted.append({"table": 1, "row": row["slug"], "one_of": columns})
    assert planted[0]["one_of"] == ["f1"] and planted[1]["one_of"] == []
    score = {"table": 1, "unit": "fraction", "columns": metrics, "positive": 84, "negative": 126}
    write("nodules", [rows], planted, scores=[score])


FOLDS = [(12, 20), (12, 20), (12, 20), (11, 21), (11, 21)]


def fold_rows(
    truth: dict[str, tuple[tuple[int, int], ...]],
    sizes: list[tuple[int, int]],
    metrics: dict[str, str],
    show: Show = half_up,
) -> list[Row]:
    rows = []
    for slug, counts in truth.items():
        found = [scores(tp, tn, *size) for (tp, tn), size in zip(counts, sizes, strict=True)]
        cells = {c: show(100 * mean([f[m] for f in found]), 2) for m, c in metrics.items()}
        rows.append({"slug": slug} | cells)
    return rows


STAINS = {
    "forest": ((9, 16), (8, 17), (10, 15), (8, 18), (7, 17)),
    "boosting": ((10, 17), (9, 17), (10, 18), (9, 18), (8, 19)),
    "network": ((11, 18), (11, 17), (10, 19), (9, 20), (10, 19)),
    "ensemble": ((12, 18), (11, 19), (11, 19), (10, 20), (11, 19)),
}


def stains() -> None:
    """Mean of the scores of five stated folds, 58 positive and 102 negative."""
    metrics = {"accuracy": "acc", "recall": "sens", "specificity": "spec"}
    metrics["balanced_accuracy"] = "bac"
    rows = fold_rows(STAINS, FOLDS, metrics)
    # A fold's accuracy is 11/32 or 12/32 of its recall and 21/32 or 20/32 of its specificity.
    wrong = F(rows[2]["acc"]) + 6
    assert wrong > F(12, 32) * F(rows[2]["sens"]) + F(21, 32) * F(rows[2]["spec"]) + 1
    rows[2]["acc"] = half_up(wrong, 2)
    # A mean of balanced accuracies is the mean of the mean recall and the mean specificity.
    rows[1]["bac"] = half_up(F(rows[1]["bac"]) - F(35, 100), 2)
    score = {"table": 1, "unit": "percent", "design": "mean of folds", "columns": metrics}
    score |= {"positive": 58, "negative": 102, "folds": 5}
    score["fold_sizes"] = [list(size) for size in FOLDS]
    planted = [
        {"table": 1, "row": "boosting", "column": "bac"},
        {"table": 1, "row": "network", "column": "acc"},
    ]
    write("stains", [rows], planted, scores=[score])


Matrix = tuple[tuple[int, ...], ...]


def averaged(matrix: Matrix, weights: str) -> dict[str, F]:
    """Averages over classes; rows of a matrix are the true classes."""
    k, n = len(matrix), sum(map(sum, matrix))
    truth = [sum(row) for row in matrix]
    called = [sum(matrix[j][i] for j in range(k)) for i in range(k)]
    share = [F(1, k) if weights == "macro" else F(t, n) for t in truth]
    each = {
        "precision": [F(matrix[i][i], called[i]) for i in range(k)],
        "recall": [F(matrix[i][i], truth[i]) for i in range(k)],
        "f1": [F(2 * matrix[i][i], truth[i] + called[i]) for i in range(k)],
    }
    found = {
        m: sum((s * v for s, v in zip(share, vs, strict=True)), F(0)) for m, vs in each.items()
    }
    return found | {"accuracy": F(sum(matrix[i][i] for i in range(k)), n)}


GRADES: dict[str, Matrix] = {
    "plain": ((20, 3, 1, 0), (3, 12, 2, 1), (1, 2, 8, 1), (0, 0, 2, 7)),
    "ordinal": ((22, 2, 0, 0), (2, 14, 2, 0), (0, 2, 9, 1), (0, 0, 1, 8)),
    "ours": ((23, 1, 0, 0), (1, 15, 2, 0), (0, 1, 11, 0), (0, 0, 1, 8)),
}
TISSUES: dict[str, Matrix] = {
    "plain": ((31, 5, 4), (4, 22, 4), (2, 3, 15)),
    "mixed": ((35, 3, 2), (3, 25, 2), (1, 2, 17)),
    "ours": ((38, 1, 1), (1, 28, 1), (1, 1, 18)),
}
CLASS_METRICS = {"accuracy": "acc", "precision": "prec", "recall": "rec", "f1": "f1"}


def class_rows(truth: dict[str, Matrix], weights: str, show: Show = half_up) -> list[Row]:
    rows = []
    for slug, matrix in truth.items():
        found = averaged(matrix, weights)
        cells = {c: show(100 * found[m], 2) for m, c in CLASS_METRICS.items()}
        rows.append({"slug": slug} | cells)
    return rows


def grading() -> None:
    """Macro averages over four grades (24, 18, 12, 9), weighted ones over three tissues."""
    macro = class_rows(GRADES, "macro")
    # F1 of a class is at most the mean of its precision and recall, so that of the averages, too.
    macro[0]["f1"] = half_up((F(macro[0]["prec"]) + F(macro[0]["rec"])) / 2 + F(3, 2), 2)
    weighted = class_rows(TISSUES, "weighted")
    # A weighted recall is the accuracy, a share of 90 images, which this one cannot be.
    weighted[1]["rec"] = half_up(F(weighted[1]["rec"]) + F(56, 100), 2)
    score = {"unit": "percent", "design": "classes", "columns": CLASS_METRICS}
    scores = [
        score | {"table": 1, "average": "macro", "classes": [24, 18, 12, 9]},
        score | {"table": 2, "average": "weighted", "classes": [40, 30, 20]},
    ]
    planted = [
        {"table": 1, "row": "plain", "column": "f1"},
        {"table": 2, "row": "mixed", "one_of": ["rec"]},
    ]
    write("grading", [macro, weighted], planted, scores=scores)


# Dice of 16 cases, in thousandths.
KIDNEYS = {
    "plain": [612, 655, 701, 704, 733, 748, 760, 777, 781, 790, 802, 815, 821, 836, 850, 871],
    "cascade": [688, 702, 745, 751, 766, 790, 801, 803, 814, 825, 837, 841, 850, 862, 877, 899],
    "residual": [701, 722, 740, 775, 779, 801, 812, 822, 829, 833, 846, 851, 866, 871, 880, 903],
    "ours": [744, 751, 779, 802, 811, 825, 838, 841, 850, 858, 863, 872, 880, 889, 901, 917],
}


def dice_rows(show: Show = half_up) -> list[Row]:
    rows = []
    for slug, thousandths in KIDNEYS.items():
        values = [F(v, 1000) for v in thousandths]
        centre = mean(values)
        spread = root(sum(((v - centre) ** 2 for v in values), F(0)) / (len(values) - 1))
        cells = {
            "dsc": show(100 * centre, 2),
            "dsc_sd": show(100 * spread, 2),
            "jac": show(100 * mean([v / (2 - v) for v in values]), 2),
        }
        # Two sides whose mean is the Dice: 0.83 points below it and above it.
        sides = {
            "left": show(100 * centre - F(83, 100), 2),
            "right": show(100 * centre + F(83, 100), 2),
        }
        rows.append({"slug": slug} | cells | sides)
    return rows


KIDNEY_DICE = {"table": 1, "unit": "percent", "dice": "dsc", "iou": "jac", "sd": "dsc_sd"}
KIDNEY_DICE["cases"] = 16
KIDNEY_MEAN = {"table": 1, "column": "dsc", "of": ["left", "right"], "decimals": 2}


def kidneys() -> None:
    """Dice per case, its SD and IoU, and two sides whose mean it is."""
    rows = dice_rows()
    # The IoU of a mean Dice D is D / (2 - D), and no mean IoU is below it.
    dice = F(rows[1]["dsc"]) / 100
    rows[1]["jac"] = half_up(100 * dice / (2 - dice) - F(40, 100), 2)
    # 16 values between 0 and 1 with a mean Dice m spread by at most sqrt(m (1 - m) 16 / 15).
    dice = F(rows[2]["dsc"]) / 100
    rows[2]["dsc_sd"] = half_up(100 * root(dice * (1 - dice) * F(16, 15)) + F(1, 2), 2)
    rows[3]["dsc"], rows[3]["left"] = rows[3]["dsc"], half_up(F(rows[3]["left"]) + F(1, 2), 2)
    planted = [
        {"table": 1, "row": "cascade", "column": "jac"},
        {"table": 1, "row": "residual", "column": "dsc_sd"},
        {"table": 1, "row": "ours", "column": "dsc"},  # the mean, of which 'left' is changed
    ]
    write("kidneys", [rows], planted, dice=[KIDNEY_DICE], means=[KIDNEY_MEAN])


def costs() -> None:
    """Sums of images; costs of eight networks: 4.214 M, and 1.337, 0.861, 2.045 M per module."""
    counts = []
    for slug, train, val, test in (("benign", 812, 116, 233), ("malignant", 455, 65, 131)):
        total = str(train + val + test)
        counts.append(
            {"slug": slug, "train": str(train), "val": str(val), "test": str(test), "total": total}
        )
    counts.append(  # 39 + 5 + 12 = 56
        {"slug": "unclear", "train": "39", "val": "5", "test": "12", "total": "57"}
    )
    rows = []
    for number in range(8):
        has = [number >> i & 1 for i in range(3)]
        params = F(4214, 1000) + sum(
            h * F(p, 1000) for h, p in zip(has, (1337, 861, 2045), strict=True)
        )
        flops = F(1904, 1000) + sum(
            h * F(p, 1000) for h, p in zip(has, (402, 1233, 77), strict=True)
        )
        row = {
            "no": f"#{number + 1}",
            "slug": "base" + "".join(f"_{m}" for m, h in zip("abc", has, strict=True) if h),
        }
        row |= {f"has_{m}": str(h) for m, h in zip("abc", has, strict=True)}
        rows.append(row | {"params_m": half_up(params, 2), "flops_g": half_up(flops, 2)})
    # Eight rows, four unknowns: every cell is held by the others, and a digit off stands alone.
    rows[5]["flops_g"] = half_up(F(rows[5]["flops_g"]) + F(30, 100), 2)
    additive = {"table": 2, "label": "no", "modules": {f"has_{m}": m.upper() for m in "abc"}}
    additive |= {"quantities": {"params_m": "params", "flops_g": "gmacs"}, "decimals": 2}
    planted = [
        {"table": 1, "row": "unclear", "column": "total"},
        {"table": 2, "row": rows[5]["slug"], "column": "flops_g", "basis": "inference"},
    ]
    total = {"table": 1, "column": "total", "of": ["train", "val", "test"]}
    write("costs", [counts, rows], planted, sums=[total], additivity=[additive])


def claims() -> None:
    """A sound table (50 and 75 images) and six sentences about it, two of them wrong."""
    metrics = {"accuracy": "acc", "recall": "sens", "specificity": "spec", "kappa": "kappa"}
    rows = binary({"first": (38, 60), "second": (41, 64), "ours": (45, 66)}, 50, 75, metrics, 4)
    best = {r["slug"]: F(r["acc"]) for r in rows}
    lead = best["ours"] - best["second"]
    share = 100 * (1 - best["ours"]) / (1 - best["first"])
    ahead, to_first = half_up(lead + F(1, 100), 4), half_up(best["ours"] - best["first"], 4)
    difference = "v(1,'ours','acc')-v(1,'second','acc')"
    gain = "gain(1,'acc','ours',['first','second'],max)"
    fewer = "100*(1-(1-v(1,'ours','acc'))/(1-v(1,'first','acc')))"
    sentences = (
        claim(1, "cell", rows[2]["acc"], "the accuracy", "v(1,'ours','acc')"),
        claim(2, "best", "ours", "the best sensitivity", "best(1,'sens')"),
        claim(3, "difference", ahead, "ahead by", difference),
        claim(4, "range_max", to_first, "by up to", gain),
        claim(5, "pct_change", half_up(100 - share, 1), "fewer errors", fewer),
        claim(6, "best", "ours", "the fewest errors of the second kind", "best(1,'spec',low=True)"),
    )
    score = {"table": 1, "unit": "fraction", "columns": metrics, "positive": 50, "negative": 75}
    write("claims", [rows], [{"claim": "C003"}, {"claim": "C006"}], *sentences, scores=[score])


def sites() -> None:
    """Two tables over counts of images, with F1 and AUC; errors in an F1, an AUC and a total."""
    counts = []
    for site, kind, train, test in (
        ("north", "ill", 400, 103),
        ("north", "well", 510, 137),
        ("south", "ill", 220, 59),
        ("south", "well", 260, 71),
    ):
        row = {"site": site, "kind": kind, "train": str(train), "test": str(test)}
        counts.append(row | {"total": str(train + test)})
    counts[2]["total"] = "297"  # 220 + 59 = 279
    metrics = {"precision": "p_pct", "recall": "r_pct", "f1": "f_pct", "accuracy": "a_pct"}
    aucs = ("0.871", "0.902", "0.934")
    north = binary(
        {"a": (81, 107), "b": (86, 116), "c": (91, 121)}, 103, 137, metrics, 2, "percent"
    )
    south = binary({"a": (47, 55), "b": (50, 61), "c": (53, 63)}, 59, 71, metrics, 2, "percent")
    for rows in (north, south):
        for row, auc in zip(rows, aucs, strict=True):
            row["auc"] = auc
    north[1]["f_pct"] = half_up(F(north[1]["f_pct"]) - F(77, 100), 2)
    assert off(north[1], metrics, 103, 137) == ["f_pct"]
    # A ROC curve through FPR 8/71 and TPR 53/59 has an area of at most 1 - (6/59) (8/71) = 0.9885.
    south[2]["auc"] = "0.994"
    classes = [
        {"table": 2, "disease": "north/ill", "non_disease": "north/well"},
        {"table": 3, "disease": "south/ill", "non_disease": "south/well"},
    ]
    stated = {"table": 1, "stated": "test"}
    planted = [
        {"table": 1, "row": "south/ill", "column": "total"},
        {"table": 2, "row": "b", "column": "f_pct"},
        {"table": 3, "row": "c", "column": "auc"},
    ]
    write(
        "sites",
        [counts, north, south],
        planted,
        keys={1: {"key": ["site", "kind"]}},
        classification={"metrics": metrics, "auc": "auc", "decimals": 2, "counts": stated}
        | {"tables": classes},
        sums=[{"table": 1, "column": "total", "of": ["train", "test"]}],
        bounds=[{"tables": [2, 3], "column": "auc", "low": "0.5", "high": "1"}],
    )


def pooled() -> None:
    """Counts pooled over ten folds (37 and 45 cases), and folds of unstated classes; per cent."""
    metrics = {"accuracy": "acc", "precision": "ppv", "npv": "npv", "f1": "f1", "iou": "iou"}
    rows = binary(
        {"svm": (28, 36), "cnn": (31, 39), "ours": (34, 41)}, 37, 45, metrics, 2, "percent"
    )
    rows[0]["npv"] = half_up(F(rows[0]["npv"]) + F(150, 100), 2)
    one = off(rows[0], metrics, 37, 45)
    assert one == ["npv"]
    # 24 positive and 36 negative in four folds of 15 with 7, 6, 6 and 5 positive.
    sizes = [(7, 8), (6, 9), (6, 9), (5, 10)]
    hits = {"svm": ((5, 6), (4, 7), (5, 6), (4, 8)), "ours": ((6, 7), (6, 8), (5, 8), (5, 9))}
    fold_metrics = {"accuracy": "acc", "recall": "sens", "specificity": "spec"}
    folds = fold_rows(hits, sizes, fold_metrics)
    # The folds are of one size, so that the mean accuracy is (correct images) / 60: 48.6 of them.
    folds[0]["acc"] = "81.00"
    of_cases = {"table": 1, "unit": "percent", "design": "pooled folds", "columns": metrics}
    of_folds = {"table": 2, "unit": "percent", "design": "mean of folds", "columns": fold_metrics}
    scores = [
        of_cases | {"positive": 37, "negative": 45},
        of_folds | {"positive": 24, "negative": 36, "folds": 4, "fold_sizes": "unknown"},
    ]
    planted = [{"table": 1, "row": "svm", "one_of": one}]
    planted += [{"table": 2, "row": "svm", "column": "acc"}]
    write("pooled", [rows, folds], planted, scores=scores)


def sound(name: str, show: Show) -> None:
    """No error at all: one table of every design, printed by one convention throughout."""
    metrics = {"accuracy": "acc", "precision": "prec", "recall": "rec", "specificity": "spec"}
    metrics |= {"f1": "f1", "balanced_accuracy": "bac"}
    truth = {"a": (150, 201), "b": (163, 212), "ours": (171, 219)}
    rows = binary(truth, 187, 233, metrics, 2, "percent", show)
    fold_metrics = {"accuracy": "acc", "recall": "sens", "specificity": "spec", "f1": "f1"}
    lead = show(F(rows[2]["acc"]) - F(rows[1]["acc"]), 2)
    ratio = show(100 * F(rows[2]["f1"]) / F(rows[0]["f1"]), 1)
    of_folds = {"design": "mean of folds", "columns": fold_metrics, "folds": 5, "positive": 58}
    of_folds |= {"negative": 102, "fold_sizes": [list(s) for s in FOLDS]}
    of_classes = {"design": "classes", "classes": [40, 30, 20], "columns": CLASS_METRICS}
    score = {"unit": "percent"}
    write(
        name,
        [
            rows,
            fold_rows(STAINS, FOLDS, fold_metrics, show),
            class_rows(TISSUES, "macro", show),
            dice_rows(show),
        ],
        [],
        claim(1, "best", "ours", "the best accuracy", "best(1,'acc')"),
        claim(2, "difference", lead, "ahead by", "v(1,'ours','acc')-v(1,'b','acc')"),
        claim(3, "ratio_pct", ratio, "per cent of", "100*v(1,'ours','f1')/v(1,'a','f1')"),
        scores=[
            score | {"table": 1, "columns": metrics, "positive": 187, "negative": 233},
            score | {"table": 2} | of_folds,
            score | {"table": 3} | of_classes,
        ],
        dice=[KIDNEY_DICE | {"table": 4}],
        means=[KIDNEY_MEAN | {"table": 4}],
        leads=[
            {"table": 1, "column": "acc", "winner": "ours", "kind": "accuracy", "cases": 420},
            {"table": 4, "column": "dsc", "winner": "ours", "kind": "dice", "cases": 16},
        ],
    )


def main() -> None:
    for paper in (nodules, stains, grading, kidneys, costs, claims, sites, pooled):
        paper()
    sound("rounded", half_up)
    sound("truncated", cut)


if __name__ == "__main__":
    main()
