from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from mednext.metrics.classification import auc, binary_metrics, expected_calibration_error

# Few distinct scores, so that ties are common.
cases = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])),
    min_size=1,
    max_size=40,
)


def test_a_hand_computed_case() -> None:
    # TP 2, FN 1, FP 1, TN 4; of the 15 pairs 13 are in order and one is tied.
    positive = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    score = np.array([0.9, 0.8, 0.4, 0.8, 0.1, 0.2, 0.3, 0.05])
    found = binary_metrics(positive, score > 0.5, score)
    assert found["accuracy"] == 6 / 8
    assert found["precision"] == 2 / 3
    assert found["recall"] == 2 / 3
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["specificity"] == 4 / 5
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["mcc"] == pytest.approx((2 * 4 - 1 * 1) / math.sqrt(3 * 3 * 5 * 5))
    assert found["auc"] == pytest.approx((13 + 0.5) / 15)


@settings(deadline=None)
@given(cases)
def test_scikit_learn_agrees(drawn: list[tuple[bool, float]]) -> None:
    positive = np.array([p for p, _ in drawn])
    score = np.array([s for _, s in drawn])
    predicted = score > 0.5
    found = binary_metrics(positive, predicted, score)
    expected = {
        "accuracy": oracle.accuracy_score(positive, predicted),
        "brier": np.mean((score - positive) ** 2),
    }
    if predicted.any():
        expected["precision"] = oracle.precision_score(positive, predicted)
    if positive.any():
        expected["recall"] = oracle.recall_score(positive, predicted)
        expected["f1"] = oracle.f1_score(positive, predicted)
    if not positive.all():
        expected["specificity"] = oracle.recall_score(~positive, ~predicted)
    if positive.any() and not positive.all():
        expected["balanced_accuracy"] = oracle.balanced_accuracy_score(positive, predicted)
        expected["auc"] = oracle.roc_auc_score(positive, score)
        expected["brier"] = oracle.brier_score_loss(positive, score)
        if predicted.any() and not predicted.all():
            expected["mcc"] = oracle.matthews_corrcoef(positive, predicted)
    assert {k: found[k] for k in expected} == pytest.approx(expected)
    undefined = set(found) - set(expected) - {"ece", "f1"}
    assert all(math.isnan(found[name]) for name in undefined)


@given(cases)
def test_the_other_orientation_mirrors(drawn: list[tuple[bool, float]]) -> None:
    positive = np.array([p for p, _ in drawn])
    score = np.array([s for _, s in drawn])
    one = binary_metrics(positive, score > 0.5, score)
    other = binary_metrics(~positive, score <= 0.5, 1 - score)
    for name in ("accuracy", "auc", "balanced_accuracy", "mcc", "brier"):
        assert one[name] == pytest.approx(other[name], nan_ok=True)
    assert one["recall"] == pytest.approx(other["specificity"], nan_ok=True)


def test_calibration_error_by_hand() -> None:
    # Two bins hold cases: 0.5 in bin 7 (2 cases, half positive), 1.0 in the last (both wrong).
    positive = np.array([True, False, False, False])
    score = np.array([0.5, 0.5, 1.0, 1.0])
    assert expected_calibration_error(positive, score) == pytest.approx((2 * 0 + 2 * 1) / 4)


def test_one_class_alone_has_no_auc() -> None:
    assert math.isnan(auc(np.array([True, True]), np.array([0.1, 0.2])))
