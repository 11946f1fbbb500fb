"""Augmentation as batched tensor work: (B, C, H, W) float images, (B, H, W) integer labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_flip(images: Tensor, size: int, random: torch.Generator) -> Tensor:
    """A random ``size`` x ``size`` crop of each image, mirrored with probability 1/2."""
    count, spare = images.shape[0], images.shape[-1] - size
    corners = torch.randint(0, spare + 1, (count, 2), generator=random)
    flips = torch.rand(count, generator=random) < 0.5
    out = images.new_empty(count, images.shape[1], size, size)
    for i, (y, x) in enumerate(corners.tolist()):
        patch = images[i, :, y : y + size, x : x + size]
        out[i] = patch.flip(-1) if flips[i] else patch
    return out


def center_crop(images: Tensor, size: int) -> Tensor:
    """The middle ``size`` x ``size`` pixels."""
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]


def transunet(images: Tensor, labels: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """``RandomGenerator`` of Beckschen/TransUNet (``datasets/dataset_synapse.py``).

    With probability 1/2: turn by a multiple of 90 degrees, then flip along a random axis; else with
    probability 1/2: rotate by -20 to 19 whole degrees with nearest neighbours, zeros outside.
    Upstream works on the slice before it is resized, this on the resized one.
    """
    images, labels = images.clone(), labels.clone()
    choice = torch.rand(len(images), 2, generator=random)
    quarter = torch.randint(0, 4, (len(images),), generator=random).tolist()
    axis = torch.randint(0, 2, (len(images),), generator=random).tolist()
    degrees = torch.randint(-20, 20, (len(images),), generator=random)
    rotated = (choice[:, 0] <= 0.5) & (choice[:, 1] > 0.5)
    for i in torch.nonzero(choice[:, 0] > 0.5).flatten().tolist():
        images[i] = torch.rot90(images[i], quarter[i], (-2, -1)).flip(axis[i] - 2)
        labels[i] = torch.rot90(labels[i], quarter[i], (-2, -1)).flip(axis[i] - 2)
    if rotated.any():
        angle = degrees[rotated].double() * math.pi / 180
        images[rotated], labels[rotated] = _rotate(images[rotated], labels[rotated], angle)
    return images, labels


def _rotate(images: Tensor, labels: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate image and label of each pair by its ``angle`` (radians), nearest neighbour."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrix = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).reshape(-1, 2, 3).float()
    both = torch.cat([images, labels[:, None].to(images.dtype)], dim=1)
    grid = F.affine_grid(matrix, list(both.shape), align_corners=False)
    turned = F.grid_sample(both, grid, mode="nearest", align_corners=False)
    return turned[:, :-1], turned[:, -1].to(labels.dtype)
