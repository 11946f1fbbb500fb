from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mednext.metrics.statistics import bootstrap, wilson


@given(st.integers(1, 500), st.data())
def test_scipy_agrees_with_wilson(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_of_nothing_is_unknown() -> None:
    assert all(math.isnan(v) for v in wilson(0, 0))


def mean_of(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda rows: np.array([np.nanmean(values[rows])])


def test_bootstrap_of_independent_cases_has_the_width_of_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=400)
    low, high = bootstrap([str(i) for i in range(400)], mean_of(values), seed=1, repeats=4000)
    error = values.std() / math.sqrt(400)
    assert low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


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


def test_undefined_draws_are_left_out() -> None:
    def sometimes(rows: np.ndarray) -> np.ndarray:
        return np.array([1.0 if 0 in rows else math.nan, math.nan])

    bounds = bootstrap(["a", "b", "c"], sometimes, seed=0)
    assert bounds[:, 0].tolist() == [1.0, 1.0]
    assert np.isnan(bounds[:, 1]).all()
