"""Overlap of masks from stored counts, under the three policies for empty masks."""

from __future__ import annotations

import numpy as np

POLICIES = ("transunet", "nan", "worst")


def organ_counts(truth: np.ndarray, prediction: np.ndarray, organ: int) -> tuple[int, int, int]:
    """True positive, false positive and false negative voxels of one label value."""
    inside, found = truth == organ, prediction == organ
    tp = int(np.count_nonzero(inside & found))
    return tp, int(np.count_nonzero(found)) - tp, int(np.count_nonzero(inside)) - tp


def dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, policy: str) -> np.ndarray:
    """Dice similarity coefficient (Eq. 20) of every case; NaN where the policy leaves it out.

    Both masks there: 2 TP / (2 TP + FP + FN), in all policies. Truth empty, prediction not:
    ``transunet`` 1, ``worst`` 0. Prediction empty, truth not: ``transunet`` and ``worst`` 0. Both
    empty: ``transunet`` 0. Else NaN. (``transunet`` is Beckschen/TransUNet, ``utils.py``.)
    """
    if policy not in POLICIES:
        raise ValueError(f"unknown policy {policy!r}, expected one of {POLICIES}")
    tp, fp, fn = (np.asarray(v, dtype=np.float64) for v in (tp, fp, fn))
    truth, found = tp + fn > 0, tp + fp > 0
    out = np.full(tp.shape, np.nan)
    both = truth & found
    out[both] = 2 * tp[both] / (2 * tp + fp + fn)[both]
    if policy == "transunet":
        out[~truth & found] = 1.0
        out[~found] = 0.0
    elif policy == "worst":
        out[truth ^ found] = 0.0
    return out
