"""The test of a subgroup: Welch's statistic, size and power as promised, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from mednext.metrics.subgroup import deficit, noticeable, power

SINGLE = [str(k) for k in range(20)]
FOUR = np.arange(20) < 4


def test_with_groups_of_one_it_is_welchs_statistic() -> None:
    values = np.random.default_rng(0).normal(size=20)
    expected = ttest_ind(values[FOUR], values[~FOUR], equal_var=False)
    found = deficit(values, FOUR, SINGLE, seed=1)
    assert found.value == pytest.approx(values[FOUR].mean() - values[~FOUR].mean())
    assert found.value / found.error == pytest.approx(expected.statistic)
    low, high = found.interval()
    assert low < found.value < high and (low < 0 < high) == (found.p_value() > 0.05)


def test_a_group_counts_once_however_often_it_is_repeated() -> None:
    values = np.random.default_rng(0).normal(size=20)
    once = deficit(values, FOUR, SINGLE, seed=1)
    often = deficit(np.repeat(values, 5), np.repeat(FOUR, 5), np.repeat(SINGLE, 5).tolist(), seed=1)
    assert often.value == pytest.approx(once.value) and often.error == pytest.approx(once.error)
    assert often.p_value() == once.p_value()


def test_what_all_groups_share_cancels() -> None:
    """Each group has cases on both sides: what it adds to both is no error of the difference."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 2)
    inside = np.tile([True, False], 20)
    noise, own = random.normal(0, 0.1, 40), random.normal(0, 10, 20)[groups]
    alone = deficit(noise, inside, groups.astype(str).tolist(), seed=0)
    shared = deficit(noise + own, inside, groups.astype(str).tolist(), seed=0)
    assert shared.value == pytest.approx(alone.value)
    assert shared.error == pytest.approx(alone.error, rel=1e-6)


def test_nothing_that_varies_and_too_few_groups() -> None:
    right = np.ones(20)
    found = deficit(right, FOUR, SINGLE, seed=0)
    assert found.value == 0 and found.p_value() == 1.0 and found.error > 0
    one = deficit(right, np.arange(20) < 1, SINGLE, seed=0)
    assert np.isnan(one.p_value()) and np.isnan(noticeable(right, np.arange(20) < 1, SINGLE, 0))
    assert np.isnan(power(0.1, right, np.arange(20) < 1, SINGLE, 0))


def test_power_and_the_noticeable_deficit_are_one_curve() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.1, 20)
    facts = (values, FOUR, SINGLE, 0, 0.01)
    least = noticeable(*facts)
    assert power(least, *facts) == pytest.approx(0.8, abs=0.01)
    assert power(least / 2, *facts) < 0.5 < power(2 * least, *facts)
    assert power(0.0, *facts) <= 0.02  # one-sided half of 1 %, and what 1999 draws leave


def test_a_planted_deficit_is_found_where_promised_and_none_where_there_is_none() -> None:
    """Twenty patients, four of a subgroup; 600 data sets, so that 0.8 is known to 0.03."""
    random = np.random.default_rng(5)
    least = noticeable(0.1 * _standard(20), FOUR, SINGLE, seed=0)
    hits = alarms = 0
    for seed in range(600):
        values = random.normal(0.6, 0.1, 20)
        alarms += deficit(values, FOUR, SINGLE, seed).p_value() <= 0.05
        values[FOUR] -= least
        found = deficit(values, FOUR, SINGLE, seed)
        hits += found.p_value() <= 0.05 and found.value < 0
    assert 0.74 < hits / 600 < 0.86
    assert alarms / 600 < 0.05 + 3 * 0.009


def _standard(count: int) -> np.ndarray:
    """Values whose variance on both sides together is 1."""
    values = np.random.default_rng(1).normal(size=count)
    for side in (FOUR, ~FOUR):
        values[side] = (values[side] - values[side].mean()) / values[side].std()
    return values * np.sqrt((count - 2) / count)


@pytest.mark.slow
def test_of_shares_in_groups_of_images() -> None:
    """150 scans of one to three slices, a quarter of a subgroup, 90 % right."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), random.integers(1, 4, 150))
    inside, names = groups % 4 == 0, groups.astype(str).tolist()

    def draw() -> np.ndarray:
        return random.random(len(groups)) < random.beta(9, 1, 150)[groups]

    least = np.mean([noticeable(draw().astype(float), inside, names, 0) for _ in range(8)])
    hits = alarms = 0
    for seed in range(300):
        right = draw()
        alarms += deficit(right.astype(float), inside, names, seed).p_value() <= 0.05
        planted = right & ~(inside & (random.random(len(groups)) < least / 0.9))
        found = deficit(planted.astype(float), inside, names, seed)
        hits += found.p_value() <= 0.05 and found.value < 0
    assert 0.72 < hits / 300 < 0.88
    assert alarms / 300 < 0.05 + 3 * 0.0126
