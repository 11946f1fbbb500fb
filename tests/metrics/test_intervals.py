"""Joined intervals against statsmodels and by hand."""

from __future__ import annotations

import math

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

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


def test_seeds_join_their_own_spread() -> None:
    # s = 1, t(0.975, 2) = 4.302653; the bounds are 1 and 2 away on average.
    mean, (low, high) = over_seeds([1.0, 2.0, 3.0], [(0.5, 1.0), (1.0, 2.0), (1.5, 3.0)])
    half = 4.302653 / math.sqrt(3)
    assert mean == 2
    assert (low, high) == pytest.approx(
        (2 - math.hypot(1, half), 2 + math.hypot(2, half)), abs=1e-5
    )
    assert over_seeds([1.0], [(0.5, 1.0)]) == (1.0, (0.5, 2.0))
