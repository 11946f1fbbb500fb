"""Overlap of masks from stored counts, under the three policies for empty masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POLICIES = ("transunet", "nan", "worst")


def organ_counts(truth: np.ndarray, prediction: np.ndarray, organ: int) -> tuple[int, int, int]:
    """True positive, false positive and false negative voxels of one label value.

    >>> truth, prediction = np.array([[1, 1, 0], [2, 0, 0]]), np.array([[1, 0, 0], [2, 1, 1]])
    >>> organ_counts(truth, prediction, 1)
    (1, 2, 1)
    """
    inside, found = truth == organ, prediction == organ
    tp = int(np.count_nonzero(inside & found))
    return tp, int(np.count_nonzero(found)) - tp, int(np.count_nonzero(inside)) - tp


def image_diagonal(shape: Sequence[int], spacing: Sequence[float] | None = None) -> float:
    """Largest distance between two voxels of an image, in voxels or in the unit of ``spacing``.

    >>> image_diagonal((4, 5)), image_diagonal((4, 5), spacing=(2, 2))
    (5.0, 10.0)
    """
    steps = np.ones(len(shape)) if spacing is None else np.asarray(spacing, dtype=np.float64)
    return float(np.linalg.norm((np.asarray(shape) - 1) * steps))


def dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, policy: str) -> np.ndarray:
    """Dice similarity coefficient (Eq. 20) of every case; NaN where the policy leaves it out.

    Both masks there: 2 TP / (2 TP + FP + FN), in all policies. Truth empty, prediction not:
    ``transunet`` 1, ``worst`` 0. Prediction empty, truth not: ``transunet`` and ``worst`` 0. Both
    empty: ``transunet`` 0. Else NaN. (``transunet`` is Beckschen/TransUNet, ``utils.py``.)

    >>> dice([3, 0], [1, 5], [0, 0], "transunet").round(3).tolist()
    [0.857, 1.0]
    >>> dice([3, 0], [1, 5], [0, 0], "nan").round(3).tolist()
    [0.857, nan]
    """
    tp, fp, fn = (np.asarray(v, dtype=np.float64) for v in (tp, fp, fn))
    truth, found = tp + fn > 0, tp + fp > 0
    out = _by_policy(truth, found, policy, spurious=1.0, worst=0.0)
    both = truth & found
    out[both] = 2 * tp[both] / (2 * tp + fp + fn)[both]
    return out


def hausdorff(
    distance: np.ndarray,
    tp: np.ndarray,
    fp: np.ndarray,
    fn: np.ndarray,
    diagonal: np.ndarray,
    policy: str,
) -> np.ndarray:
    """HD95 of every case; NaN where the policy leaves it out.

    Both masks there: ``distance``, in all policies. One of them empty: ``transunet`` 0, ``worst``
    the ``diagonal`` of the image. Both empty: ``transunet`` 0. Else NaN.

    >>> hausdorff([2.5, np.nan], [3, 0], [1, 5], [0, 0], [10.0, 10.0], "worst").tolist()
    [2.5, 10.0]
    """
    tp, fp, fn = (np.asarray(v, dtype=np.float64) for v in (tp, fp, fn))
    truth, found = tp + fn > 0, tp + fp > 0
    out = _by_policy(truth, found, policy, spurious=0.0, worst=np.asarray(diagonal, np.float64))
    both = truth & found
    out[both] = np.asarray(distance, np.float64)[both]
    return out


def _by_policy(
    truth: np.ndarray, found: np.ndarray, policy: str, spurious: float, worst: np.ndarray | float
) -> np.ndarray:
    """What the policy gives to cases with an empty mask; NaN elsewhere.

    ``spurious`` is what ``transunet`` gives where only the prediction is there.
    """
    if policy not in POLICIES:
        raise ValueError(f"unknown policy {policy!r}, expected one of {POLICIES}")
    out = np.full(truth.shape, np.nan)
    if policy == "transunet":
        out[~truth & found] = spurious
        out[~found] = 0.0
    elif policy == "worst":
        out[truth ^ found] = np.broadcast_to(worst, truth.shape)[truth ^ found]
    return out
