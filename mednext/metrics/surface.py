"""Hausdorff distances between the surfaces of two masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, generate_binary_structure


def hd95(
    truth: np.ndarray, prediction: np.ndarray, spacing: Sequence[float] | None = None
) -> tuple[float, float]:
    """95 % Hausdorff distances ``(pooled, max)``; NaN if a mask is empty.

    ``pooled``: the 95th percentile of the surface distances of both directions together, as
    ``medpy.metric.binary.hd95``. ``max``: the larger of the two directions' 95th percentiles
    (Eq. 21). In voxels, or in the unit of ``spacing`` (one value per axis). Surface: every voxel
    of a mask with a face on its outside.
    """
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    if not truth.any() or not prediction.any():
        return float("nan"), float("nan")
    box = _bounding_box(truth | prediction)
    surfaces = [_surface(np.pad(mask[box], 1)) for mask in (truth, prediction)]
    there = _distances(surfaces[0], surfaces[1], spacing)
    back = _distances(surfaces[1], surfaces[0], spacing)
    pooled = np.percentile(np.concatenate([there, back]), 95)
    return float(pooled), float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    spans = [np.flatnonzero(mask.any(axis=_others(mask.ndim, axis))) for axis in range(mask.ndim)]
    return tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)


def _others(ndim: int, axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(ndim) if a != axis)


def _surface(mask: np.ndarray) -> np.ndarray:
    inner = binary_erosion(mask, generate_binary_structure(mask.ndim, 1))
    return np.asarray(mask & ~inner)


def _distances(start: np.ndarray, goal: np.ndarray, spacing: Sequence[float] | None) -> np.ndarray:
    """Distance of every surface voxel of ``start`` to the nearest one of ``goal``."""
    return np.asarray(distance_transform_edt(~goal, sampling=spacing)[start])
