"""Augmentation of classification images as batched tensor work: (B, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor


def crop_flip(images: Tensor, size: int, random: torch.Generator) -> Tensor:
    """A random ``size`` x ``size`` crop of each image, mirrored with probability 1/2."""
    count, spare = images.shape[0], images.shape[-1] - size
    corners = torch.randint(0, spare + 1, (count, 2), generator=random)
    flips = torch.rand(count, generator=random) < 0.5
    along = torch.arange(size)
    rows = corners[:, :1] + along
    columns = corners[:, 1:] + torch.where(flips[:, None], along.flip(0), along)
    picked = images.permute(0, 2, 3, 1)[
        torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    return picked.permute(0, 3, 1, 2)


def center_crop(images: Tensor, size: int) -> Tensor:
    """The middle ``size`` x ``size`` pixels."""
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]
