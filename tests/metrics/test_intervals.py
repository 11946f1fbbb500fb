"""Joined intervals against statsmodels and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from mednext.metrics.clustered import correlation_of_means
from mednext.metrics.intervals import mover, over_seeds


@pytest.mark.parametrize(("a", "b"), [(10, 5), (5, 10), (0, 7), (9, 2)])
def test_a_difference_of_proportions_is_newcombes(a: int, b: int) -> None:
    """Of ten and ten: bounds so lopsided that none may stand in another's place."""
    bounds = [proportion_confint(k, 10, method="wilson") for k in (a, b)]
    expected = confint_proportions_2indep(a, 10, b, 10, method="newcomb")
    assert mover((a / 10, b / 10), bounds, (1, -1)) == pytest.approx(expected, abs=1e-12)


def test_each_side_adds_by_itself() -> None:
    # 3 and 4 below, 5 and 12 above; twice the second, and turned.
    assert mover((10, 20), ((7, 15), (16, 32))) == pytest.approx((30 - 5, 30 + 13))
    assert mover((10, 20), ((7, 15), (16, 32)), (1, 2)) == pytest.approx(
        (50 - math.hypot(3, 8), 50 + math.hypot(5, 24))
    )
    assert mover((10, 20), ((7, 15), (16, 32)), (-1, -1)) == pytest.approx((-30 - 13, -30 + 5))


def test_a_correlation_narrows_a_difference_and_widens_a_sum() -> None:
    # sqrt(3^2 + 12^2 -+ 2 * 0.5 * 3 * 12) below the difference and the sum; 5 and 4 above them.
    bounds = ((7, 15), (16, 32))
    low, high = mover((10, 20), bounds, (1, -1), 0.5)
    assert (low, high) == pytest.approx((-10 - math.sqrt(117), -10 + math.sqrt(21)))
    low, high = mover((10, 20), bounds, (1, 1), 0.5)
    assert (low, high) == pytest.approx(
        (30 - math.sqrt(9 + 16 + 12), 30 + math.sqrt(25 + 144 + 60))
    )
    assert mover((10, 20), bounds, (1, -1), 0.0) == mover((10, 20), bounds, (1, -1))


def test_an_interval_of_overlapping_test_sets_covers_at_its_level() -> None:
    """Two samples of 60 with 30 in common: joined with their correlation 95 %, without it more."""
    random = np.random.default_rng(12)
    covered, repeats = np.zeros(2), 1500
    names = [str(k) for k in range(90)]
    for _ in range(repeats):
        images = random.normal(0, 1, 90)
        one = images[:60] + 0.3 * random.normal(size=60)
        two = images[30:] + 0.3 * random.normal(size=60)
        means, halves = [], []
        for values in (one, two):
            means.append(float(values.mean()))
            halves.append(2.0010 * float(values.std(ddof=1)) / 60**0.5)  # t(0.975, 59)
        bounds = [(m - h, m + h) for m, h in zip(means, halves, strict=True)]
        r = correlation_of_means(one, names[:60], two, names[30:])
        for kind, correlation in enumerate((r, 0.0)):
            low, high = mover(means, bounds, (1, -1), correlation)
            covered[kind] += low <= 0 <= high
    assert 0.93 <= covered[0] / repeats <= 0.97 < covered[1] / repeats


def test_seeds_join_their_own_spread() -> None:
    # s = 1, t(0.975, 2) = 4.302653; the bounds are 1 and 2 away on average.
    mean, (low, high) = over_seeds([1.0, 2.0, 3.0], [(0.5, 1.0), (1.0, 2.0), (1.5, 3.0)])
    half = 4.302653 / math.sqrt(3)
    assert mean == 2
    assert (low, high) == pytest.approx(
        (2 - math.hypot(1, half), 2 + math.hypot(2, half)), abs=1e-5
    )
    assert over_seeds([1.0], [(0.5, 1.0)]) == (1.0, (0.5, 2.0))
