"""Four outcomes of a printed value against ours: by hand, and their error rates by simulation."""

from __future__ import annotations

import math

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
    # Equal errors with 5 degrees of freedom each: Welch has 10.
    error = math.sqrt(2) * 0.2
    limit = t.ppf(0.975, 10) * error
    for shift, outcome in ((limit * 1.001, "higher"), (-limit * 1.001, "lower")):
        found = compare(Estimate(50 + shift, 0.2, 5), Estimate(50, 0.2, 5), margin=0.1)
        assert found == outcome
    inside = 1 - t.ppf(0.95, 10) * error
    for shift, outcome in ((inside * 0.999, "equivalent"), (inside * 1.001, "undecided")):
        assert compare(Estimate(50 + shift, 0.2, 5), Estimate(50, 0.2, 5), margin=1.0) == outcome


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
