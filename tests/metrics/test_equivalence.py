"""Four outcomes of a printed value against ours: by hand, and their error rates by simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from mednext.metrics.equivalence import Estimate, compare

PRINTED = Estimate(98.39, 0.57)


@pytest.mark.parametrize(
    ("ours", "outcome"),
    [
        (Estimate(98.4, 0.1, 20), "equivalent"),
        (Estimate(98.4, 0.4, 20), "undecided"),
        (Estimate(96.0, 0.3, 4), "lower"),
        (Estimate(98.4, math.nan, 2), "undecided"),
    ],
)
def test_known_pairs(ours: Estimate, outcome: str) -> None:
    assert compare(ours, PRINTED, margin=1.0) == outcome


def test_a_real_difference_within_the_margin_is_equivalent() -> None:
    assert compare(Estimate(98.7, 0.01), Estimate(98.2, 0.01), margin=1.0) == "equivalent"


def test_both_tests_by_hand() -> None:
    # Errors of 0.3 and 0.4 with quantiles of 5 and 9 degrees of freedom; of trainings 0.1 with 2.
    a, b = Estimate(50, 0.3, 5, 0.1, 2), Estimate(50, 0.4, 9)

    def half(level: float) -> float:
        quantiles = [t.ppf(level, df) for df in (5, 9, 2)]
        return math.hypot(*(e * q for e, q in zip((0.3, 0.4, 0.1), quantiles, strict=True)))

    limit = half(0.975)
    for shift, outcome in ((limit * 1.001, "higher"), (-limit * 1.001, "lower")):
        assert compare(replace(a, value=50 + shift), b, margin=0.1) == outcome
    inside = 2 - half(0.95)
    for shift, outcome in ((inside * 0.999, "equivalent"), (inside * 1.001, "undecided")):
        assert compare(replace(a, value=50 + shift), b, margin=2.0) == outcome


@pytest.mark.parametrize(("truth", "wrong"), [(0.0, ("higher", "lower")), (1.0, ("equivalent",))])
def test_wrong_outcomes_are_rare(truth: float, wrong: tuple[str, ...]) -> None:
    """An equal method is called different, and one just at the margin equivalent, in 5 %."""
    random = np.random.default_rng(0)
    repeats, found = 2000, 0
    for _ in range(repeats):
        seeds = truth + random.normal(0, 0.4, 3)
        ours = Estimate(float(seeds.mean()), float(seeds.std(ddof=1)) / math.sqrt(3), 2)
        printed = Estimate(float(random.normal(0, 0.3)), 0.3)
        found += compare(ours, printed, margin=1.0) in wrong
    assert found / repeats <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


@given(st.floats(-3, 3), st.floats(0.1, 2), st.floats(2, 200))
def test_the_deciding_error_decides(difference: float, margin: float, df: float) -> None:
    equivalent = (margin - abs(difference)) / t.ppf(0.95, df)
    error = max(equivalent, abs(difference) / t.ppf(0.975, df))
    if error > 1e-6:
        ours = Estimate(difference, error * 0.999, df)
        assert compare(ours, Estimate(0.0, 0.0), margin) != "undecided"
        wider = Estimate(difference, error * 1.001, df)
        assert compare(wider, Estimate(0.0, 0.0), margin) == "undecided"
