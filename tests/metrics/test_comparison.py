from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as oracle

from mednext.metrics.comparison import delong, holm, mcnemar_exact, rank_shares, wilcoxon_paired


def test_mcnemar_by_hand() -> None:
    # 8 cases only the first gets right, 1 only the second: 2 * (C(9,0) + C(9,1)) / 2^9
    first = np.array([True] * 8 + [False] + [True] * 20)
    second = np.array([False] * 8 + [True] + [True] * 20)
    assert mcnemar_exact(first, second) == pytest.approx(20 / 512)
    assert mcnemar_exact(second, first) == pytest.approx(20 / 512)
    assert mcnemar_exact(first, first) == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_statsmodels_agrees_with_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array(pairs).T
    table = [
        [int(((first == a) & (second == b)).sum()) for b in (True, False)] for a in (True, False)
    ]
    assert mcnemar_exact(first, second) == pytest.approx(oracle(table, exact=True).pvalue)


@given(st.integers(0, 2**31), st.integers(2, 30), st.integers(2, 30))
def test_delongs_areas_are_scikit_learns(seed: int, n_pos: int, n_neg: int) -> None:
    random = np.random.default_rng(seed)
    positive = np.arange(n_pos + n_neg) < n_pos
    scores = random.integers(0, 6, size=(2, n_pos + n_neg)) / 5  # with ties
    first, second, p = delong(positive, scores[0], scores[1])
    assert first == pytest.approx(roc_auc_score(positive, scores[0]))
    assert second == pytest.approx(roc_auc_score(positive, scores[1]))
    assert math.isnan(p) or 0 <= p <= 1


def test_delong_by_hand() -> None:
    # Positives 3, 5, 6 and negatives 1, 4, 2 by the first; the second swaps one pair more.
    positive = np.array([True, True, True, False, False, False])
    first = np.array([3.0, 5, 6, 1, 4, 2])
    second = np.array([3.0, 1, 6, 2, 4, 5])
    # Shares of negatives beaten by each positive: (2/3, 1, 1) and (1/3, 0, 1);
    # of positives above each negative: (1, 2/3, 1) and (2/3, 1/3, 1/3).
    a, b = (2 / 3 + 1 + 1) / 3, (1 / 3 + 0 + 1) / 3
    d_pos = np.array([2 / 3 - 1 / 3, 1 - 0, 1 - 1])
    d_neg = np.array([1 - 2 / 3, 2 / 3 - 1 / 3, 1 - 1 / 3])
    variance = d_pos.var(ddof=1) / 3 + d_neg.var(ddof=1) / 3
    z = (a - b) / math.sqrt(variance)
    expected = math.erfc(z / math.sqrt(2))
    assert delong(positive, first, second) == pytest.approx((a, b, expected))


OVARIAN = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
    1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
    4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
    3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
    3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
    3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
    3.6 6.6 5 1
"""
"""Albumin, total protein, K-G score and outcome of 43 patients: the example of DeLong et al. 1988
(10.2307/2531595), which PROC LOGISTIC's manual analyses as well."""


def test_delongs_own_example() -> None:
    albumin, protein, score, outcome = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    positive = outcome == 1
    first, second, p = delong(positive, albumin, 10 - score)
    assert (round(first, 4), round(second, 4), round(p, 4)) == (0.7366, 0.7258, 0.9102)
    first, _, p = delong(positive, protein, 10 - score)
    assert (round(first, 4), round(p, 4)) == (0.6478, 0.4561)


def test_delong_against_nothing_is_the_test_of_one_area() -> None:
    # A constant score has area 1/2 and no variance: DeLong's z is then that of the first area
    # alone, near the rank-sum test under the alternative only; both must agree in direction.
    random = np.random.default_rng(0)
    positive = np.arange(80) < 40
    score = random.normal(positive * 0.8, 1.0)
    area, half, p = delong(positive, score, np.zeros(80))
    assert half == 0.5
    u = mannwhitneyu(score[positive], score[~positive])
    assert area == pytest.approx(u.statistic / 1600)
    assert (p < 0.05) == (u.pvalue < 0.05)


def test_delong_of_equal_scores() -> None:
    positive = np.array([True, True, False, False])
    score = np.array([0.9, 0.4, 0.5, 0.1])
    assert delong(positive, score, score) == (0.75, 0.75, 1.0)
    assert math.isnan(delong(positive[1:], score[1:], score[1:])[2])  # one positive: no variance


@pytest.mark.slow
def test_delong_rejects_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    positive = np.arange(120) < 60
    rejected = 0
    for _ in range(1500):
        common = random.normal(positive * 1.0, 1.0)
        pair = common + random.normal(0, 0.7, size=(2, 120))
        rejected += delong(positive, pair[0], pair[1])[2] < 0.05
    assert 0.03 < rejected / 1500 < 0.07


def test_wilcoxon_of_pairs() -> None:
    # Five pairs, all in one direction: the smallest two-sided p is 2 / 2^5.
    first = np.array([0.9, 0.8, 0.7, 0.95, 0.85, math.nan])
    second = np.array([0.8, 0.6, 0.4, 0.91, 0.80, 0.5])
    assert wilcoxon_paired(first, second) == pytest.approx(2 / 32)
    assert wilcoxon_paired(first, first) == 1.0
    assert math.isnan(wilcoxon_paired(np.array([math.nan]), np.array([1.0])))


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03: times 3, 2, 1, never falling.
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, math.nan, 0.9]) == pytest.approx([1.0, math.nan, 1.0], nan_ok=True)
    assert np.isnan(holm([math.nan])).all() and len(holm([])) == 0


def test_ranks_over_draws() -> None:
    draws = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.7], [0.9, 0.9, 0.7], [0.9, 0.8, 0.85]])
    shares = rank_shares(draws)
    assert shares.tolist() == [[0.625, 0.375, 0], [0.375, 0.375, 0.25], [0, 0.25, 0.75]]
    assert rank_shares(-draws, higher_is_better=False).tolist() == shares.tolist()
