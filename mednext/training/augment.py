"""Augmentation of classification images as batched tensor work: (B, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor

from mednext.models.device import to_device


def _draws(images: Tensor, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Corner (top, left) of each image's crop, and whether it is mirrored; on the CPU."""
    count, spare = images.shape[0], images.shape[-1] - size
    corners = torch.randint(0, spare + 1, (count, 2), generator=random)
    return corners, torch.rand(count, generator=random) < 0.5


def crop_flip(images: Tensor, size: int, random: torch.Generator) -> Tensor:
    """A random ``size`` x ``size`` crop of each image, mirrored with probability 1/2."""
    corners, flips = _draws(images, size, random)
    out = images.new_empty(*images.shape[:2], size, size)
    # Slices are copied row by row; indexing would look up every pixel.
    for image, (y, x), flip, kept in zip(
        images, corners.tolist(), flips.tolist(), out, strict=True
    ):
        crop = image[:, y : y + size, x : x + size]
        kept.copy_(crop.flip(-1) if flip else crop)
    return out


def crop_flip_at_once(images: Tensor, size: int, random: torch.Generator) -> Tensor:
    """As :func:`crop_flip`, by one look-up of all pixels: for images on a GPU."""
    corners, flips = _draws(images, size, random)
    device = images.device
    span = torch.arange(size, device=device)
    top, left, mirrored = to_device(torch.cat([corners, flips[:, None]], dim=1), device).unbind(1)
    columns = torch.where(mirrored[:, None] > 0, size - 1 - span, span) + left[:, None]
    rows = span + top[:, None]
    each = torch.arange(len(images), device=device)[:, None, None]
    found = images.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return found.permute(0, 3, 1, 2)


def center_crop(images: Tensor, size: int) -> Tensor:
    """The middle ``size`` x ``size`` pixels."""
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]
