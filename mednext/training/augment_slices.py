"""Augmentation of labelled slices as batched tensor work: (B, C, S, S) images, (B, S, S) labels.

``transunet`` is what Beckschen/TransUNet does (``RandomGenerator`` of ``dataset_synapse.py``;
reference 12 of the paper), with its quirks; ``transunet_corrected`` is without them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import rotate, zoom
from torch import Tensor

Plane = tuple[np.ndarray, np.ndarray]
"""Image and label (H, W) of one slice in its own resolution."""


def transunet(
    images: Tensor, labels: Tensor, native: Sequence[Plane], random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """As upstream, value by value. Half of the slices are turned, a quarter rotated, by these rules
    with their quirks:

    - *turned or rotated, never both*: a quarter of all slices stays as it is;
    - *turned is always mirrored*: a turn by a multiple of 90 degrees is followed by a flip in every
      case, which leaves the four mirror images, never a turn alone;
    - *lopsided angles*: whole degrees from -20 to 19, 0 among them;
    - *image by nearest neighbours*: the intensities are rotated without interpolation, as the
      labels are, with zeros outside;
    - *resized last*: rotation happens in the slice's own resolution, so that the cubic spline of
      the resizing also smooths the jagged edges and overshoots at them.

    Args:
        images: (B, 1, S, S) float32, the slices resized.
        labels: (B, S, S), theirs.
        native: the same slices before resizing; (H, W) may differ between them.
        random: source of all choices.
    """
    images, labels = images.clone(), labels.clone()
    choice = torch.rand(len(images), 2, generator=random)
    quarter = torch.randint(0, 4, (len(images),), generator=random)
    axis = torch.randint(0, 2, (len(images),), generator=random)
    degrees = torch.randint(-20, 20, (len(images),), generator=random).tolist()
    turned = choice[:, 0] > 0.5
    for k in range(4):
        for direction in range(2):
            # Resizing is symmetric: turned after it is the same as turned before it.
            some = turned & (quarter == k) & (axis == direction)
            for each in (images, labels):
                each[some] = torch.rot90(each[some], k, (-2, -1)).flip(direction - 2)
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in torch.nonzero(~turned & (choice[:, 1] > 0.5)).flatten().tolist():
        by_shape[native[i][0].shape].append(i)
    for shape, members in by_shape.items():
        source = torch.stack([_rotation(shape, degrees[i]) for i in members])
        planes = [np.stack([native[i][part] for i in members]) for part in (0, 1)]
        image, label = (_picked(torch.from_numpy(p), source) for p in planes)
        images[members, 0] = _resized(image, images.shape[-1])
        labels[members] = _nearest(label, images.shape[-1]).to(labels.dtype)
    return images, labels


@lru_cache(maxsize=256)
def _rotation(shape: tuple[int, int], degrees: int) -> Tensor:
    """(H * W): for each pixel of the rotated slice the one it comes from, from 1; 0 is outside."""
    numbers = np.arange(1, shape[0] * shape[1] + 1, dtype=np.int32).reshape(shape)
    return torch.from_numpy(rotate(numbers, degrees, order=0, reshape=False).ravel()).long()


def _picked(planes: Tensor, source: Tensor) -> Tensor:
    """(N, H, W) planes, each with its pixels taken from where ``source`` (N, H * W) says."""
    flat = F.pad(planes.flatten(1), (1, 0))
    return flat.gather(1, source).view_as(planes)


@lru_cache(maxsize=256)
def _spline(length: int, size: int) -> Tensor:
    """(size, length): cubic resizing along one axis, which is linear, as a matrix."""
    matrix = zoom(np.eye(length), (size / length, 1), order=3)
    return torch.from_numpy(matrix).float()


def _resized(planes: Tensor, size: int) -> Tensor:
    """(N, H, W) -> (N, size, size) by cubic splines, as ``zoom(order=3)`` does."""
    height, width = planes.shape[1:]
    if (height, width) == (size, size):
        return planes
    return _spline(height, size) @ planes.float() @ _spline(width, size).T


def _nearest(planes: Tensor, size: int) -> Tensor:
    """(N, H, W) -> (N, size, size) by nearest neighbours, as ``zoom(order=0)`` does."""
    rows, columns = (
        torch.from_numpy(zoom(np.arange(length), size / length, order=0))
        for length in planes.shape[1:]
    )
    return planes[:, rows[:, None], columns]


def transunet_corrected(
    images: Tensor, labels: Tensor, native: Sequence[Plane], random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The same repertoire without the quirks of :func:`transunet`.

    Each of the eight symmetries of the square is as likely as any other, and independently half of
    the slices are rotated by any angle between -20 and 20 degrees: images bilinearly, labels by
    nearest neighbours, in the proportions of the slice before it was resized.
    """
    images, labels = images.clone(), labels.clone()
    symmetry = torch.randint(0, 8, (len(images),), generator=random)
    rotated = torch.rand(len(images), generator=random) < 0.5
    angle = (torch.rand(len(images), generator=random) * 40 - 20) * (math.pi / 180)
    aspect = torch.tensor([image.shape[0] / image.shape[1] for image, _ in native])
    for code in range(1, 8):
        some = symmetry == code
        for each in (images, labels):
            moved = torch.rot90(each[some], code % 4, (-2, -1))
            each[some] = moved.flip(-1) if code >= 4 else moved
    # A turn by 90 degrees exchanges height and width.
    aspect = torch.where(symmetry % 2 == 1, 1 / aspect, aspect)
    if rotated.any():
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        rows = [cos, -sin * aspect, zero, sin / aspect, cos, zero]
        matrix = torch.stack(rows, dim=1).reshape(-1, 2, 3)[rotated]
        grid = F.affine_grid(matrix, list(images[rotated].shape), align_corners=False)
        masks = labels[rotated, None].to(images.dtype)
        images[rotated] = F.grid_sample(images[rotated], grid, "bilinear", align_corners=False)
        moved = F.grid_sample(masks, grid, "nearest", align_corners=False)
        labels[rotated] = moved[:, 0].to(labels.dtype)
    return images, labels


SLICE_AUGMENTS = {"transunet": transunet, "transunet_corrected": transunet_corrected}
