"""Augmentation of classification images as batched tensor work: (B, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor


def crop_flip(images: Tensor, size: int, random: torch.Generator) -> Tensor:
    """A random ``size`` x ``size`` crop of each image, mirrored with probability 1/2."""
    count, spare = images.shape[0], images.shape[-1] - size
    corners = torch.randint(0, spare + 1, (count, 2), generator=random)
    flips = torch.rand(count, generator=random) < 0.5
    out = images.new_empty(*images.shape[:2], size, size)
    # Slices are copied row by row; indexing would look up every pixel.
    for image, (y, x), flip, kept in zip(
        images, corners.tolist(), flips.tolist(), out, strict=True
    ):
        crop = image[:, y : y + size, x : x + size]
        kept.copy_(crop.flip(-1) if flip else crop)
    return out


def center_crop(images: Tensor, size: int) -> Tensor:
    """The middle ``size`` x ``size`` pixels."""
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]
