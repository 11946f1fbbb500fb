"""Paired tests with groups: against those of independent cases, and their simulated size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, permutation_test
from sklearn.metrics import roc_auc_score

from mednext.metrics.clustered import obuchowski, sign_flip
from mednext.metrics.comparison import delong, mcnemar_exact


def test_all_signs_of_eight_groups_as_scipy_counts_them() -> None:
    difference = np.array([1.0, 1, 1, 0.5, 1, -1, 1, 2])
    exact = permutation_test(
        (difference, np.zeros(8)),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip(difference, list("abcdefgh"), 0) == pytest.approx(exact.pvalue, abs=0.01)


def test_single_cases_are_mcnemars_test() -> None:
    first = np.array([True] * 12 + [False] * 3 + [True] * 30)
    second = np.array([False] * 12 + [True] * 3 + [True] * 30)
    p = sign_flip(first.astype(float) - second, [str(i) for i in range(45)], 1)
    assert p == pytest.approx(mcnemar_exact(first, second), abs=0.01)


def test_a_repeated_case_of_a_group_says_nothing_new() -> None:
    difference = np.array([1.0] * 7 + [-1.0])
    names = list("abcdefgh")
    once = sign_flip(difference, names, 2)
    assert sign_flip(np.repeat(difference, 5), [n for n in names for _ in range(5)], 2) == once


def scores(random: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    """60 groups whose cases share their class and most of two equally good scores."""
    positive = np.repeat(np.arange(60) % 2 == 0, size)
    shared = random.normal(size=(2, 60)).repeat(size, axis=1)
    first, second = positive + shared + 0.3 * random.normal(size=(2, 60 * size))
    return positive, first, second, np.arange(60).repeat(size).astype(str)


def test_obuchowski_of_single_cases_is_delong() -> None:
    positive, first, second, groups = scores(np.random.default_rng(0), 1)
    expected = delong(positive, first, second)
    found = obuchowski(positive, first, second, groups)
    assert found[:2] == pytest.approx(expected[:2])
    assert found[0] == pytest.approx(roc_auc_score(positive, first))
    # It also divides the covariance of both classes, which is zero for single cases.
    assert found[2] == pytest.approx(expected[2], rel=0.02)


def test_obuchowski_of_groups_with_both_classes_is_the_jackknife_over_groups() -> None:
    """A group's scores lie high or low together, which moves its two classes against each other."""
    random = np.random.default_rng(5)
    groups = np.arange(60).repeat(4)
    positive = np.tile([True, True, False, False], 60)
    shared = 2 * random.normal(size=(2, 60)).repeat(4, axis=1)
    first, second = shared + random.normal(size=(2, 240)) + np.array([[1.0], [0.5]]) * positive

    def difference(kept: np.ndarray) -> float:
        areas = [roc_auc_score(positive[kept], scores[kept]) for scores in (first, second)]
        return float(areas[0] - areas[1])

    without = np.array([difference(groups != group) for group in range(60)])
    error = math.sqrt(59 / 60 * ((without - without.mean()) ** 2).sum())
    p = obuchowski(positive, first, second, groups.astype(str))[2]
    assert norm.isf(p / 2) == pytest.approx(abs(difference(groups >= 0)) / error, rel=0.03)


def test_obuchowski_does_not_depend_on_the_order_of_its_sums() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        positive = generator.random(200) < 0.5
        first, second = (positive + generator.normal(0, 2, 200) for _ in range(2))
        groups = generator.integers(0, 60, 200)
        found = [
            obuchowski(positive, first, second, [f"{g:02}" for g in names])
            for names in (groups, 59 - groups)
        ]
        assert found[0] == found[1]  # to the last bit


@pytest.mark.parametrize("test", ["sign flip", "obuchowski"])
def test_size_with_groups_of_six(test: str) -> None:
    random = np.random.default_rng(4)
    rejected = naive = 0
    repeats = 200
    for _ in range(repeats):
        positive, first, second, groups = scores(random, 6)
        if test == "obuchowski":
            rejected += obuchowski(positive, first, second, groups)[2] < 0.05
            naive += delong(positive, first, second)[2] < 0.05
        else:
            right = [(s > 0.5) == positive for s in (first, second)]
            rejected += sign_flip(right[0].astype(float) - right[1], groups, 0) < 0.05
            naive += mcnemar_exact(*right) < 0.05
    assert rejected / repeats <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert naive / repeats > 0.25  # what taking slices for patients does


def test_one_group_of_a_class_has_no_test() -> None:
    positive = np.array([True, True, False, False])
    assert math.isnan(obuchowski(positive, positive * 1.0, positive * 2.0, list("aabc"))[2])
