"""Temperature scaling: by hand, and as scikit-learn fits it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mednext.metrics.calibration import scaled, temperature


def test_by_hand() -> None:
    """All images score 0.99; nine of ten are right: sigmoid(log(99) / T) must be 0.9."""
    scores = np.array([[0.01, 0.99]] * 10)
    labels = np.array([1] * 9 + [0])
    found = temperature(scores, labels)
    assert found == pytest.approx(np.log(99) / np.log(9), rel=1e-3)
    assert scaled(scores, found)[0, 1] == pytest.approx(0.9, abs=1e-4)


def test_scores_that_are_right_stay_and_a_known_temperature_is_found() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 3))
    right = softmax(logits, axis=1)
    labels = (right.cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    assert temperature(right, labels) == pytest.approx(1, abs=0.03)
    assert temperature(softmax(2.5 * logits, axis=1), labels) == pytest.approx(2.5, abs=0.08)


def test_scikit_learn_fits_the_same() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 5))
    y = (x[:, 0] + random.normal(0, 1, 400) > 0).astype(int)
    sure = LogisticRegression(C=1e4).fit(x[:60], y[:60])
    sure.coef_ *= 4  # too sure of itself
    theirs = CalibratedClassifierCV(FrozenEstimator(sure), method="temperature").fit(x, y)
    (fitted,) = theirs.calibrated_classifiers_
    ours = temperature(sure.predict_proba(x), y)
    # Its logits of two classes are d and -d, twice as far apart as ours.
    assert ours == pytest.approx(0.5 / fitted.calibrators[0].beta_, rel=0.01)
    losses = [
        log_loss(y, p) for p in (scaled(sure.predict_proba(x), ours), theirs.predict_proba(x))
    ]
    assert losses[0] <= losses[1] + 1e-9 < log_loss(y, sure.predict_proba(x))


def test_certain_and_wrong_is_no_infinite_loss() -> None:
    assert np.isfinite(temperature(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1, 0])))
