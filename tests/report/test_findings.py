"""FINDINGS.md: words by rule, numbers checked by hand."""

from __future__ import annotations

import math

import pytest

from mednext.report.wording import Estimate, detectable, detectable_over_seeds, estimate
from mednext.results import DifferenceRow


def row(difference: float, seed: int = 0, half: float = 0.01) -> DifferenceRow:
    return DifferenceRow(
        dataset="sars_cov2_ct", protocol="paper", seed=seed, metric="accuracy", method_a="a",
        method_b="b", difference=difference, ci_low=difference - half, ci_high=difference + half,
        deviation=0.3, n_cases=100, n_groups=100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 2.0, "higher"), (-2.0, -0.1, "lower"), (-1.0, 1.0, "inconclusive"),
     (0.0, 2.0, "inconclusive"), (None, None, "inconclusive")],
)  # fmt: skip
def test_words_follow_the_interval_alone(low: float, high: float, word: str) -> None:
    assert Estimate(0.5, low, high).words.startswith(word)


def test_nothing_has_no_minus() -> None:
    words = Estimate(-0.04, -1.04, 0.96).words
    assert words == "inconclusive: +0.0 points, the interval is [-1.0, +1.0]"


def test_seeds_widen_the_interval() -> None:
    # Differences of 1, 2 and 3 points: s = 1, t(0.975, 2) = 4.302653, so 2.484 points.
    found = estimate([row(d, s) for s, d in enumerate((0.01, 0.02, 0.03))])
    half = math.hypot(1.0, 4.302653 / math.sqrt(3))
    assert found.value == pytest.approx(2.0)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    turned = estimate([row(0.05)], turned=True)
    assert (turned.value, turned.low, turned.high) == pytest.approx((-5.0, -6.0, -4.0))


def test_smallest_detectable_difference() -> None:
    # (1.959964 + 0.841621) * 0.3 / 10, in points; of ten tests z is 2.807034.
    assert detectable(0.3, 100) == pytest.approx(8.404755, abs=1e-4)
    assert detectable(0.3, 100, 10) == pytest.approx(10.945965, abs=1e-4)
    # t(0.975, 2) = 4.302653, t(0.8, 2) = 1.060660; s = 1, three seeds.
    assert detectable_over_seeds([1.0, 2.0, 3.0]) == pytest.approx(3.096515, abs=1e-4)
    assert detectable_over_seeds([1.0]) is None
