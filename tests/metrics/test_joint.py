"""The joint interval over trainings and test cases: by hand, and its coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mednext.metrics.joint import joint


def test_one_case_per_group_and_no_seed_effect_is_the_t_interval_over_cases() -> None:
    cases = np.array([0.0, 1.0, 0.0, -1.0, 1.0, 1.0])
    found = joint(np.stack([cases, cases]), list("abcdef"))
    expected = stats.t.interval(0.95, 5, cases.mean(), stats.sem(cases))
    assert found.interval() == pytest.approx(expected)
    assert found.p_value() == pytest.approx(stats.ttest_1samp(cases, 0).pvalue)


def test_equal_cases_leave_the_t_interval_over_seeds() -> None:
    seeds = np.array([0.1, 0.3, 0.2])
    found = joint(np.repeat(seeds[:, None], 50, axis=1), [str(i) for i in range(50)])
    assert found.interval() == pytest.approx(stats.t.interval(0.95, 2, 0.2, stats.sem(seeds)))


def test_folds_of_each_seed_are_trainings() -> None:
    values = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    found = joint(values, list("abcd"), folds=[1, 1, 2, 2])
    assert (found.n_groups, found.n_trainings) == (4, 4)


@pytest.mark.parametrize("values", [np.ones((1, 5)), np.ones((3, 1))])
def test_one_training_or_one_group_has_no_interval(values: np.ndarray) -> None:
    found = joint(values, ["a"] * values.shape[1] if values.shape[1] == 1 else list("abcde"))
    assert all(math.isnan(bound) for bound in found.interval())


def test_a_case_counted_twice_in_its_group_says_nothing_new() -> None:
    random = np.random.default_rng(3)
    once = random.normal(size=(3, 40))
    names = [str(i) for i in range(40)]
    twice = joint(np.repeat(once, 2, axis=1), [n for n in names for _ in range(2)])
    assert twice.error == pytest.approx(joint(once, names).error)


@pytest.mark.parametrize(
    ("seeds", "groups", "size", "folds", "of_training", "of_group", "of_cell"),
    [
        (2, 378, 1, 1, 0.012, 0.2, 0.3),  # two seeds that differ little
        (3, 80, 3, 1, 0.0, 0.2, 0.3),
        (3, 80, 3, 1, 0.05, 0.2, 0.3),
        (5, 20, 1, 1, 0.05, 0.05, 0.04),  # ACDC: 20 patients, 5 seeds
        (3, 200, 2, 5, 0.03, 0.2, 0.3),  # cross-validation
    ],
)
def test_coverage(
    seeds: int,
    groups: int,
    size: int,
    folds: int,
    of_training: float,
    of_group: float,
    of_cell: float,
) -> None:
    random = np.random.default_rng(0)
    names = np.repeat(np.arange(groups), size)
    fold = names % folds
    hits, repeats = 0, 600
    for _ in range(repeats):
        training = random.normal(0, of_training, (seeds, folds))[:, fold]
        group = random.normal(0, of_group, groups)[names]
        cell = random.normal(0, of_cell, (seeds, groups))[:, names]
        noise = random.normal(0, of_cell, (seeds, len(names)))
        low, high = joint(training + group + cell + noise, names.astype(str), fold).interval()
        hits += low <= 0 <= high
    # 95 % less three standard errors of the simulation, never far too wide.
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / repeats) <= hits / repeats <= 0.99
