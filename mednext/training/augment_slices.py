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

from mednext.models.device import to_device

Plane = tuple[np.ndarray, np.ndarray] | tuple[Tensor, Tensor]
"""Image and label (H, W) of one slice in its own resolution; tensors lie where the batch does.

All choices are drawn on the CPU, so that a seed means the same on every device, and are sent to the
device of the images as numbers of pixels and slices: nothing waits for it."""


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
    choice = torch.rand(len(images), 2, generator=random)
    quarter = torch.randint(0, 4, (len(images),), generator=random)
    axis = torch.randint(0, 2, (len(images),), generator=random)
    degrees = torch.randint(-20, 20, (len(images),), generator=random).tolist()
    turned = choice[:, 0] > 0.5
    # Resizing is symmetric: turned after it is the same as turned before it.
    codes = torch.where(turned, 1 + 2 * quarter + axis, 0)
    images, labels = _turned(images, codes, MIRRORED), _turned(labels, codes, MIRRORED)
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i in torch.nonzero(~turned & (choice[:, 1] > 0.5)).flatten().tolist():
        by_shape[tuple(native[i][0].shape)].append(i)
    device, size = images.device, images.shape[-1]
    for shape, members in by_shape.items():
        height, width = shape
        source = torch.stack([_rotation(height, width, degrees[i], device) for i in members])
        image, label = (
            _picked(_stacked([native[i][part] for i in members]), source) for part in (0, 1)
        )
        index = to_device(torch.tensor(members), device)
        images[index, 0] = _resized(image, size)
        labels[index] = _nearest(label, size).to(labels.dtype)
    return images, labels


MIRRORED = tuple((k, (direction,)) for k in range(4) for direction in (-2, -1))
"""Quarter turns and the axis of the flip that follows, of :func:`transunet`."""
SYMMETRIES = tuple((code % 4, (-1,) if code >= 4 else ()) for code in range(1, 8))
"""The same of :func:`transunet_corrected`: all symmetries of the square but the identity."""


@lru_cache(maxsize=8)
def _moves(
    size: int, moves: tuple[tuple[int, tuple[int, ...]], ...], device: torch.device
) -> Tensor:
    """(1 + moves, S * S): for each pixel the one that comes there; row 0 moves nothing."""
    pixels = torch.arange(size * size).view(size, size)
    turned = [pixels, *(torch.rot90(pixels, k, (-2, -1)).flip(flip) for k, flip in moves)]
    return to_device(torch.stack([t.flatten() for t in turned]), device)


def _turned(
    planes: Tensor, codes: Tensor, moves: tuple[tuple[int, tuple[int, ...]], ...]
) -> Tensor:
    """A copy of (B, ..., S, S), each moved as its code says: 0 is not at all, n is move n - 1."""
    source = _moves(planes.shape[-1], moves, planes.device)[to_device(codes, planes.device)]
    return planes.flatten(1).gather(1, source).view_as(planes)


def _stacked(planes: Sequence[np.ndarray | Tensor]) -> Tensor:
    first = [p for p in planes if isinstance(p, Tensor)]
    return torch.stack(first) if first else torch.from_numpy(np.stack(planes))


@lru_cache(maxsize=256)
def _rotation(height: int, width: int, degrees: int, device: torch.device) -> Tensor:
    """(H * W): for each pixel of the rotated slice the one it comes from, from 1; 0 is outside."""
    numbers = np.arange(1, height * width + 1, dtype=np.int32).reshape(height, width)
    found = torch.from_numpy(rotate(numbers, degrees, order=0, reshape=False).ravel())
    return to_device(found.long(), device)


def _picked(planes: Tensor, source: Tensor) -> Tensor:
    """(N, H, W) planes, each with its pixels taken from where ``source`` (N, H * W) says."""
    flat = F.pad(planes.flatten(1), (1, 0))
    return flat.gather(1, source).view_as(planes)


@lru_cache(maxsize=256)
def _spline(length: int, size: int, device: torch.device) -> Tensor:
    """(size, length): cubic resizing along one axis, which is linear, as a matrix. On a GPU in
    float64, since its fp32 products may be TF32."""
    matrix = torch.from_numpy(zoom(np.eye(length), (size / length, 1), order=3))
    return to_device(matrix, device) if device.type == "cuda" else matrix.float()


@lru_cache(maxsize=256)
def _sampled(length: int, size: int, device: torch.device) -> Tensor:
    """(size,): the pixel that resizing by nearest neighbours takes along one axis."""
    return to_device(torch.from_numpy(zoom(np.arange(length), size / length, order=0)), device)


def _resized(planes: Tensor, size: int) -> Tensor:
    """(N, H, W) -> (N, size, size) by cubic splines, as ``zoom(order=3)`` does."""
    height, width = planes.shape[1:]
    if (height, width) == (size, size):
        return planes
    down, across = (_spline(length, size, planes.device) for length in (height, width))
    return (down @ planes.to(down.dtype) @ across.T).float()


def _nearest(planes: Tensor, size: int) -> Tensor:
    """(N, H, W) -> (N, size, size) by nearest neighbours, as ``zoom(order=0)`` does."""
    rows, columns = (_sampled(length, size, planes.device) for length in planes.shape[1:])
    return planes[:, rows[:, None], columns]


def transunet_corrected(
    images: Tensor, labels: Tensor, native: Sequence[Plane], random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The same repertoire without the quirks of :func:`transunet`.

    Each of the eight symmetries of the square is as likely as any other, and independently half of
    the slices are rotated by any angle between -20 and 20 degrees: images bilinearly, labels by
    nearest neighbours, in the proportions of the slice before it was resized.
    """
    symmetry = torch.randint(0, 8, (len(images),), generator=random)
    rotated = torch.rand(len(images), generator=random) < 0.5
    angle = (torch.rand(len(images), generator=random) * 40 - 20) * (math.pi / 180)
    aspect = torch.tensor([image.shape[0] / image.shape[1] for image, _ in native])
    images, labels = _turned(images, symmetry, SYMMETRIES), _turned(labels, symmetry, SYMMETRIES)
    # A turn by 90 degrees exchanges height and width.
    aspect = torch.where(symmetry % 2 == 1, 1 / aspect, aspect)
    if rotated.any():
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        rows = [cos, -sin * aspect, zero, sin / aspect, cos, zero]
        matrix = torch.stack(rows, dim=1).reshape(-1, 2, 3)[rotated]
        shape = [len(matrix), *images.shape[1:]]
        grid = to_device(F.affine_grid(matrix, shape, align_corners=False), images.device)
        some = to_device(torch.nonzero(rotated).flatten(), images.device)
        masks = labels[some, None].to(images.dtype)
        images[some] = F.grid_sample(images[some], grid, "bilinear", align_corners=False)
        moved = F.grid_sample(masks, grid, "nearest", align_corners=False)
        labels[some] = moved[:, 0].to(labels.dtype)
    return images, labels


SLICE_AUGMENTS = {"transunet": transunet, "transunet_corrected": transunet_corrected}
