"""Folds found by their sums, against every outcome of small folds one by one."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from mednext.audit.bands import Band
from mednext.audit.confusion import Sizes
from mednext.audit.draws import folds_by_sums
from mednext.audit.programme import CannotTellError
from mednext.audit.ratios import Metric, value_of

SIZES = [Sizes(3, 4), Sizes(2, 4), Sizes(3, 4)]
METRICS: tuple[Metric, ...] = ("recall", "accuracy", "specificity", "balanced_accuracy", "f1")


def every_outcome() -> np.ndarray:
    """Mean scores (outcomes, metrics) of every way in which the three folds can come out."""
    each = [
        [
            [
                float(value_of(m, tp, size.negative - tn, size.positive - tp, tn) or 0)
                for m in METRICS
            ]
            for tp, tn in itertools.product(range(size.positive + 1), range(size.negative + 1))
        ]
        for size in SIZES
    ]
    return np.array([np.mean(folds, axis=0) for folds in itertools.product(*each)])


@pytest.mark.parametrize("printed", [METRICS[:1], METRICS[1:3], METRICS[:4], METRICS])
def test_what_is_found_and_what_is_ruled_out_is_so(printed: tuple[Metric, ...]) -> None:
    outcomes = every_outcome()[:, [METRICS.index(m) for m in printed]]
    rng = np.random.default_rng(3)
    answers = {True: 0, False: 0}
    for _ in range(40):
        centre = outcomes[rng.integers(len(outcomes))] + rng.choice([0, 0.004]) * rng.normal(
            size=len(printed)
        )
        low = np.round(centre, 3) - 0.0005
        exists = bool(((outcomes >= low) & (outcomes < low + 0.001)).all(axis=1).any())
        cells = {
            m: Band(Fraction(f"{x:.4f}"), Fraction(f"{x + 0.001:.4f}"), True, False)
            for m, x in zip(printed, low, strict=True)
        }
        try:
            found = folds_by_sums(SIZES, cells)
        except CannotTellError:
            assert "f1" in printed  # a few folds are few draws' work; it may still be open
            continue
        assert (found is not None) == exists
        answers[exists] += 1
        for metric in printed if found else ():
            mean = sum((value_of(metric, *c) or Fraction(0) for c in found), Fraction(0)) / 3
            assert mean in cells[metric]
        pairs = sorted((size.positive, size.negative) for size in SIZES)
        assert found is None or sorted((c[0] + c[2], c[1] + c[3]) for c in found) == pairs
    assert answers[True] > 10


def test_too_many_sums_are_left_to_the_integer_programme() -> None:
    half = Band(Fraction(1, 2), Fraction(3, 4), True, True)
    with pytest.raises(CannotTellError, match="too many sums"):
        folds_by_sums([Sizes(2000, 3000)] * 5, {"f1": half})
