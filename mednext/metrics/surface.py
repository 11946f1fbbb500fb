"""Hausdorff distances between the surfaces of masks, for all organs of a case in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

Spacing = Sequence[float] | None
DENSE = 8
"""A box of fewer voxels per surface voxel is filled with distances; a search tree takes longer
there (hearts of few thick slices; measured by ``benchmarks/speed/hd95.py``)."""


def hd95(truth: np.ndarray, prediction: np.ndarray, spacing: Spacing = None) -> tuple[float, float]:
    """95 % Hausdorff distances ``(pooled, max)`` of two masks; see :func:`hd95_of_organs`.

    >>> truth, prediction = np.zeros((2, 1, 9), int)
    >>> truth[0, 1] = prediction[0, 5] = 1
    >>> hd95(truth, prediction), hd95(truth, prediction, spacing=(1.0, 0.5))
    ((4.0, 4.0), (2.0, 2.0))
    """
    pair = hd95_of_organs(truth != 0, prediction != 0, [1], [spacing])[0, 0]
    return float(pair[0]), float(pair[1])


def hd95_of_organs(
    truth: np.ndarray,
    prediction: np.ndarray,
    organs: Sequence[int],
    spacings: Sequence[Spacing] = (None,),
) -> np.ndarray:
    """95 % Hausdorff distances of every organ of two label maps, exactly.

    ``pooled``: the 95th percentile of the surface distances of both directions together, as
    ``medpy.metric.binary.hd95``. ``max``: the larger of the two directions' 95th percentiles
    (Eq. 21). Surface: every voxel of an organ with a face on something else. Each map's surfaces
    are found in one pass over the box around its labels; distances are looked up between surface
    voxels only, so the cost follows the surfaces, not the volume, unless they nearly fill it.

    Args:
        truth: label map, any number of axes; 0 is background.
        prediction: label map of the same shape.
        organs: label values, none of them 0.
        spacings: each None (voxels) or one value per axis (its unit is that of the result).

    Returns:
        (organs, spacings, 2): pooled and max; NaN where an organ is absent from a map.

    Raises:
        ValueError: the shapes differ.

    >>> truth, prediction = np.zeros((2, 1, 9), int)
    >>> truth[0, [1, 8]] = 1, 2
    >>> prediction[0, 5] = 1
    >>> hd95_of_organs(truth, prediction, [1, 2])[:, 0].tolist()
    [[4.0, 4.0], [nan, nan]]
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"shapes differ: truth {truth.shape}, prediction {prediction.shape}")
    ours, theirs = _surfaces(truth, organs), _surfaces(prediction, organs)
    out = np.full((len(organs), len(spacings), 2), np.nan)
    for row, (first, second) in enumerate(zip(ours, theirs, strict=True)):
        if len(first) == 0 or len(second) == 0:
            continue
        for column, spacing in enumerate(spacings):
            scale = np.ones(truth.ndim) if spacing is None else np.asarray(spacing, float)
            there = _nearest(first, second, scale)
            back = _nearest(second, first, scale)
            out[row, column, 0] = np.percentile(np.concatenate([there, back]), 95)
            out[row, column, 1] = max(np.percentile(there, 95), np.percentile(back, 95))
    return out


def _surfaces(labels: np.ndarray, organs: Sequence[int]) -> list[np.ndarray]:
    """Coordinates (n, axes) of the surface voxels of each organ."""
    box = _box(labels != 0)
    if box is None:
        return [np.empty((0, labels.ndim), dtype=np.intp) for _ in organs]
    padded = np.pad(labels[box], 1)
    core = tuple(slice(1, -1) for _ in range(labels.ndim))
    inside = padded[core]
    edge = np.zeros(inside.shape, dtype=bool)
    for axis in range(labels.ndim):
        for start in (slice(None, -2), slice(2, None)):
            shifted = (*core[:axis], start, *core[axis + 1 :])
            edge |= inside != padded[shifted]
    edge &= inside != 0
    points, values = np.argwhere(edge), inside[edge]
    corner = np.array([span.start for span in box])
    return [points[values == organ] + corner for organ in organs]


def _box(mask: np.ndarray) -> tuple[slice, ...] | None:
    """The smallest box around everything that is set; None if nothing is."""
    spans: list[slice] = []
    for axis in range(mask.ndim):
        # Each axis is searched inside the box found so far, which is smaller and smaller.
        part = mask[tuple(spans)]
        others = tuple(a for a in range(mask.ndim) if a != axis)
        found = np.flatnonzero(part.any(axis=others))
        if len(found) == 0:
            return None
        spans.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(spans)


def _nearest(start: np.ndarray, goal: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Distance of every voxel of ``start`` (n, axes) to the nearest one of ``goal``, exactly."""
    corner = np.minimum(start.min(axis=0), goal.min(axis=0))
    shape = np.maximum(start.max(axis=0), goal.max(axis=0)) + 1 - corner
    if np.prod(shape) < DENSE * len(start):
        empty = np.ones(shape, dtype=bool)
        empty[tuple((goal - corner).T)] = False
        field = distance_transform_edt(empty, sampling=scale)
        return np.asarray(field[tuple((start - corner).T)])
    tree = KDTree(goal * scale, leafsize=32, balanced_tree=False, compact_nodes=False)
    distances, _ = tree.query(start * scale)
    return np.asarray(distances)
