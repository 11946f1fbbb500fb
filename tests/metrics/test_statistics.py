from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, norm, ttest_1samp

from mednext.metrics.classification import auc
from mednext.metrics.statistics import Resampled, bootstrap, interval, resample, wilson


@given(st.integers(1, 500), st.data())
def test_scipy_agrees_with_wilson(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_of_nothing_is_unknown() -> None:
    assert all(math.isnan(v) for v in wilson(0, 0))


def mean_of(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda rows: np.array([np.nanmean(values[rows])])


def test_bootstrap_of_independent_cases_spreads_like_the_mean() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=400)
    draws = bootstrap([str(i) for i in range(400)], mean_of(values), seed=1, repeats=4000)
    assert draws.shape == (4000, 1)
    assert draws.std() == pytest.approx(values.std() / math.sqrt(400), rel=0.05)


def test_copies_in_a_group_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    groups = [str(i) for i in range(50)]
    alone = bootstrap(groups, mean_of(values), seed=1)
    copied = bootstrap(groups * 4, mean_of(np.tile(values, 4)), seed=1)
    assert copied == pytest.approx(alone)


def test_the_seed_decides() -> None:
    values = np.arange(20.0)
    groups = [str(i) for i in range(20)]
    first = bootstrap(groups, mean_of(values), seed=5)
    assert np.array_equal(first, bootstrap(groups, mean_of(values), seed=5))
    assert not np.array_equal(first, bootstrap(groups, mean_of(values), seed=6))


def singles(draws: np.ndarray, groups: int) -> Resampled:
    """Draws (R,) of groups of one case each."""
    return Resampled(draws[:, None], groups, draws[:, None], 1.0)


def test_a_value_far_from_its_limits_has_students_interval() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=25)
    draws = bootstrap([str(i) for i in range(25)], mean_of(values), seed=0, repeats=20000)
    expected = ttest_1samp(values, 0).confidence_interval()
    found = interval(float(values.mean()), singles(draws[:, 0], 25), limits=(-1e4, 1e4))
    assert found == pytest.approx((expected.low, expected.high), rel=0.02)


def test_a_proportion_of_independent_cases_has_nearly_wilsons_interval() -> None:
    right = np.arange(500) < 460
    resampled = resample([str(i) for i in range(500)], mean_of(right), seed=0, repeats=20000)
    assert resampled.design_effect == 1 and resampled.draws is resampled.iid
    assert interval(0.92, resampled) == pytest.approx(wilson(460, 500), abs=5e-4)


@pytest.mark.parametrize("groups", [5, 20, 60])
def test_all_right_is_not_certain(groups: int) -> None:
    low, high = interval(1.0, singles(np.ones(100), groups))
    assert high == 1 and 0.3 < low < 1
    # No more certain than Clopper and Pearson of as many independent trials.
    assert low < binomtest(groups, groups).proportion_ci(0.95).low + 0.02


def test_distances_that_are_all_zero_are_not_certain() -> None:
    low, high = interval(0.0, singles(np.zeros(100), 20), limits=(0.0, 300.0))
    assert low == 0 and 10 < high < 60


def test_resampling_knows_how_crowded_groups_are() -> None:
    groups = ["a"] * 3 + ["b"]
    resampled = resample(groups, mean_of(np.array([1.0, 1, 1, 0])), seed=0, repeats=800)
    # three cases share their group with three, one is alone: (3 * 3 + 1) / 4
    assert (resampled.n_groups, resampled.design_effect) == (2, 2.5)
    assert set(resampled.draws[:, 0]) == {0.0, 0.75, 1.0}
    assert resampled.iid.var() == pytest.approx(0.75 * 0.25 / 4, rel=0.2)


def test_few_wrong_cases_do_not_show_that_cases_of_a_group_differ() -> None:
    """One wrong case in 60 groups of 8: as certain as with 480 independent cases it is not; with
    60 wrong ones all over the place it nearly is."""
    groups = [str(i // 8) for i in range(480)]
    for wrong, least, most in ((1, 2.0, 2.5), (60, 0.9, 1.5)):
        right = np.ones(480)
        right[np.random.default_rng(0).choice(480, wrong, replace=False)] = 0
        low, high = interval(float(right.mean()), resample(groups, mean_of(right), seed=0))
        alone = wilson(right.sum(), 480)
        assert least < (high - low) / (alone[1] - alone[0]) < most


def test_an_interval_needs_something_to_go_by() -> None:
    some = np.array([0.5, 0.6, 0.7])
    for value, draws, groups in (
        (0.6, some, 1),
        (math.nan, some, 9),
        (0.6, np.array([0.6, math.nan, math.nan]), 9),
    ):
        assert all(math.isnan(v) for v in interval(value, singles(draws, groups)))


@given(
    st.floats(-1, 1),
    arrays(float, 20, elements=st.floats(-1, 1)),
    st.integers(2, 100),
    st.floats(1, 9),
)
def test_an_interval_stays_inside_its_limits(
    value: float, draws: np.ndarray, n: int, design_effect: float
) -> None:
    resampled = Resampled(draws[:, None], n, draws[::-1, None], design_effect)
    low, high = interval(value, resampled, limits=(-1.0, 1.0))
    assert -1 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1 and low < high


def coverage(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]],
    truth: float,
    limits: tuple[float, float],
    repeats: int = 700,
) -> float:
    """How often the interval of a mean holds the truth over simulated test sets."""
    random = np.random.default_rng(7)
    hits = 0
    for number in range(repeats):
        values, groups = draw(random)
        resampled = resample(groups.tolist(), mean_of(values), seed=number, repeats=300)
        low, high = interval(float(values.mean()), resampled, limits=limits)
        hits += low <= truth <= high
    return hits / repeats


def clustered(share: float, images: int, clusters: int, correlation: float):  # type: ignore[no-untyped-def]
    """Right and wrong answers with the given correlation inside clusters of random size."""

    def draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        groups = np.concatenate(
            [np.arange(clusters), random.integers(clusters, size=images - clusters)]
        )
        easy = np.full(clusters, share)
        if correlation:
            scale = 1 / correlation - 1
            easy = random.beta(share * scale, (1 - share) * scale, size=clusters)
        return (random.random(images) < easy[groups]).astype(float), groups

    return draw


def skewed_dice(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """20 Dice values with a tail to the left, mean 8 / 9."""
    return random.beta(8, 1, size=20), np.arange(20)


def distances(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """HD95 of 20 patients with two frames each, mean 3."""
    patient = np.repeat(random.normal(0, 0.5, 20), 2)
    return 3 + patient + random.normal(0, 0.7, 40), np.repeat(np.arange(20), 2)


def skewed_distances(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """HD95 of 20 patients with a tail of bad ones, mean 6."""
    return random.gamma(1.5, 4, size=20), np.arange(20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "truth", "limits"),
    [
        (clustered(0.98, 496, 60, 0.0), 0.98, (0.0, 1.0)),
        (clustered(0.98, 496, 60, 0.05), 0.98, (0.0, 1.0)),
        (clustered(0.98, 496, 60, 0.2), 0.98, (0.0, 1.0)),
        (clustered(0.98, 496, 60, 0.5), 0.98, (0.0, 1.0)),
        (clustered(0.90, 496, 60, 0.2), 0.90, (0.0, 1.0)),
        (clustered(0.98, 496, 496, 0.0), 0.98, (0.0, 1.0)),
        (clustered(0.90, 20, 20, 0.0), 0.90, (0.0, 1.0)),
        (clustered(0.98, 20, 20, 0.0), 0.98, (0.0, 1.0)),
        (skewed_dice, 8 / 9, (0.0, 1.0)),
        (distances, 3.0, (0.0, 400.0)),
        (skewed_distances, 6.0, (0.0, 400.0)),
    ],
    ids=[
        "496in60at98",
        "496in60at98alike05",
        "496in60at98alike20",
        "496in60at98alike50",
        "496in60at90alike20",
        "496at98",
        "20at90",
        "20at98",
        "dice20",
        "hd95of20",
        "hd95of20skewed",
    ],
)
def test_coverage(draw, truth: float, limits: tuple[float, float]) -> None:  # type: ignore[no-untyped-def]
    found = coverage(draw, truth, limits)
    print(f"coverage {found:.3f}")
    assert 0.92 <= found <= 0.98


def ranked(area: float) -> Callable[[np.random.Generator], tuple[np.ndarray, ...]]:
    """496 images of 60 groups of one class each, a quarter of the variance between groups."""

    def draw(random: np.random.Generator) -> tuple[np.ndarray, ...]:
        groups = np.concatenate([np.arange(60), random.integers(60, size=436)])
        positive = groups % 2 == 0
        noise = random.normal(0, 0.5, 60)[groups] + random.normal(0, 0.75**0.5, 496)
        return positive, noise + norm.ppf(area) * 2**0.5 * positive, groups

    return draw


@pytest.mark.slow
@pytest.mark.parametrize("area", [0.9, 0.99])
def test_coverage_of_the_area_under_the_curve(area: float) -> None:
    random = np.random.default_rng(7)
    hits = 0
    for number in range(400):
        positive, score, groups = ranked(area)(random)

        def statistic(
            rows: np.ndarray, positive: np.ndarray = positive, score: np.ndarray = score
        ) -> np.ndarray:
            return np.array([auc(positive[rows], score[rows])])

        resampled = resample(groups.tolist(), statistic, seed=number, repeats=200)
        low, high = interval(float(statistic(np.arange(496))[0]), resampled)
        hits += low <= area <= high
    print(f"coverage {hits / 400:.3f}")
    assert 0.92 <= hits / 400 <= 0.98
