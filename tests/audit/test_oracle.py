"""The search against mlscorecheck (10.1016/j.neucom.2024.127556) on random rows."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from mlscorecheck.check.binary import check_1_dataset_known_folds_mos, check_1_testset_no_kfold

from mednext.audit.bands import Band
from mednext.audit.confusion import Sizes
from mednext.audit.programme import fold_types, mean_of_folds, stratified
from mednext.audit.ratios import Metric, value_of
from mednext.audit.testset import matrices

NAMES: dict[Metric, str] = {
    "accuracy": "acc",
    "recall": "sens",
    "specificity": "spec",
    "precision": "ppv",
    "npv": "npv",
    "balanced_accuracy": "bacc",
    "f1": "f1",
    "mcc": "mcc",
    "kappa": "kappa",
}
TOLERANCE = Fraction(3, 10**6)
"""The oracle widens every cell by its numerical tolerance of 1e-6, and compares with one more."""
logging.getLogger("mlscorecheck").setLevel(logging.ERROR)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the oracle's solver writes to the terminal."""
    saved, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(nothing)


def cells(values: dict[Metric, Fraction], eps: Fraction) -> dict[Metric, Band]:
    return {m: Band(v - eps, v + eps, True, True) for m, v in values.items()}


def random_row(rng: np.random.Generator) -> tuple[Sizes, dict[Metric, Fraction], Fraction]:
    """A row printed with two to four decimals; every second one has an altered cell."""
    sizes = Sizes(int(rng.integers(2, 80)), int(rng.integers(2, 80)))
    tp, tn = int(rng.integers(1, sizes.positive + 1)), int(rng.integers(1, sizes.negative + 1))
    digits = int(rng.integers(2, 5))
    counts = (tp, sizes.negative - tn, sizes.positive - tp, tn)
    chosen = rng.choice(list(NAMES), size=int(rng.integers(2, 6)), replace=False)
    row = {m: round(value, digits) for m in chosen if (value := value_of(m, *counts)) is not None}
    if rng.random() < 0.5 and row:
        altered = str(rng.choice(list(row)))
        row[altered] += Fraction(int(rng.integers(-5, 6)), 10**digits)  # type: ignore[index]
    return sizes, row, Fraction(1, 2 * 10**digits)


def gives(evidence: dict[str, int], sizes: Sizes, row: dict[Metric, Band]) -> bool:
    """Whether the oracle's matrix has the metrics of the row."""
    tp, tn = evidence["tp"], evidence["tn"]
    values = {m: value_of(m, tp, sizes.negative - tn, sizes.positive - tp, tn) for m in row}
    return all(v is not None and v in row[m] for m, v in values.items())


def compared(rows: int, seed: int) -> tuple[Counter[str], float, float]:
    """How often both say the same, and the seconds that ours and the oracle took."""
    rng = np.random.default_rng(seed)
    outcome: Counter[str] = Counter()
    ours, theirs = 0.0, 0.0
    for _ in range(rows):
        sizes, row, eps = random_row(rng)
        begun = time.perf_counter()
        found = bool(matrices(sizes, cells(row, eps), most=1))
        ours += time.perf_counter() - begun
        scores = {NAMES[m]: float(v) for m, v in row.items()}
        begun = time.perf_counter()
        result = check_1_testset_no_kfold(
            {"p": sizes.positive, "n": sizes.negative}, scores, eps=float(eps)
        )
        theirs += time.perf_counter() - begun
        if found != result["inconsistency"]:
            outcome["agree, fits" if found else "agree, no fit"] += 1
        elif not found and matrices(sizes, cells(row, eps + TOLERANCE), most=1):
            outcome["the oracle's tolerance"] += 1
        elif not found and not gives(result["evidence"], sizes, cells(row, eps + TOLERANCE)):
            # It solves for one count at a time; of MCC, kappa and a few others the solutions are
            # too wide, so that its own evidence does not print as the row.
            outcome["the oracle's evidence is another row"] += 1
        else:
            outcome["unexplained"] += 1
    return outcome, ours, theirs


def test_random_rows_agree_with_the_oracle() -> None:
    outcome, _, _ = compared(300, seed=1)
    assert outcome["unexplained"] == 0
    assert min(outcome["agree, fits"], outcome["agree, no fit"]) > 50


@pytest.mark.slow
def test_ten_thousand_random_rows_agree_with_the_oracle() -> None:
    outcome, ours, theirs = compared(10_000, seed=2)
    print(dict(outcome), f"ours {ours:.1f} s, oracle {theirs:.1f} s")
    assert outcome["unexplained"] == 0
    assert min(outcome["agree, fits"], outcome["agree, no fit"]) > 2_000
    assert outcome["the oracle's tolerance"] < 100
    assert ours < theirs


@pytest.mark.parametrize("seed", range(12))
def test_means_of_folds_agree_with_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, n, folds = int(rng.integers(12, 40)), int(rng.integers(12, 40)), int(rng.integers(2, 5))
    sizes = stratified(p, n, folds)
    counts = []
    for size in sizes:
        tp, tn = int(rng.integers(size.positive + 1)), int(rng.integers(size.negative + 1))
        counts.append((tp, size.negative - tn, size.positive - tp, tn))
    metrics: tuple[Metric, ...] = ("accuracy", "recall", "specificity")
    row = {
        m: round(sum((value_of(m, *c) or Fraction(0) for c in counts), Fraction(0)) / folds, 3)
        for m in metrics
    }
    row["accuracy"] += Fraction(int(seed % 3 * 8), 1000)
    groups = [fold_types(size, sizes.count(size)) for size in dict.fromkeys(sizes)]
    found = mean_of_folds(groups, cells(row, Fraction(1, 2000)))
    listed = {"folds": [{"p": s.positive, "n": s.negative} for s in sizes]}
    with quiet():
        result = check_1_dataset_known_folds_mos(
            {"p": p, "n": n},
            listed,
            {NAMES[m]: float(v) for m, v in row.items()},
            eps=5e-4,
        )
    assert (found is None) == result["inconsistency"]
