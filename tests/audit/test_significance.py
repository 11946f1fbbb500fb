from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mednext.audit.run import Audit
from mednext.audit.significance import correct_images, difference_range, mcnemar


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_discordant_images(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert float(mcnemar(first, second)) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 60), st.data())
def test_range_of_p_is_that_of_every_pairing(n: int, data: st.DataObject) -> None:
    best = data.draw(st.integers(0, n))
    other = data.draw(st.integers(0, best))
    only_other = range(min(n - best, other) + 1)
    values = [mcnemar(best - other + k, k) for k in only_other]
    assert difference_range((best, best, True), (other, other, True), n) == (
        min(values),
        max(values),
    )


def test_correct_images_of_printed_accuracies() -> None:
    assert correct_images(9839, 496, 10_000) == (488, 488, True)
    assert correct_images(9801, 496, 10_000) == (486, 487, False)  # 97.98 and 98.19
    assert correct_images(9596, 496, 10_000) == (476, 476, True)  # 95.9677, cut off
    assert correct_images(50, 4, 100) == (2, 2, True)
    assert correct_images(10_000, 496, 10_000) == (496, 496, True)


def test_the_best_of_table_2_cannot_be_told_from_the_second(reported: Audit) -> None:
    rows = {row.method: row for row in reported.significance if row.table == 2}
    assert rows["mednext"].verdict == "best"
    # At most 488 - 486 = 2 images apart: 2 * 0.5 ** 2.
    assert rows["densenet121"].smallest_p == 0.5
    assert rows["densenet121"].verdict == "cannot differ"
    # 488 - 479 = 9 images: 2 * 0.5 ** 9 if they disagree on nothing else.
    assert rows["resnet50"].smallest_p == 2**-8
    assert rows["resnet50"].verdict == "may differ"


def test_intervals_are_wilsons(reported: Audit) -> None:
    for row in reported.significance:
        low = binomtest(row.correct_low, row.n).proportion_ci(method="wilson").low
        high = binomtest(row.correct_high, row.n).proportion_ci(method="wilson").high
        assert row.ci_low_pct == pytest.approx(100 * low, abs=0.0051)
        assert row.ci_high_pct == pytest.approx(100 * high, abs=0.0051)
