"""Batches straight from the memory map, in a random order that depends on the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData
from mednext.training.augment import center_crop, crop_flip, transunet
from mednext.training.seeds import stream

Data = ClassificationData | SegmentationData
AUGMENT = {"classification": "crop_flip", "segmentation": "transunet"}


def side_rows(data: Data, side: str) -> np.ndarray:
    """Rows of the images (or slices) of one side."""
    return data.sides[side] if isinstance(data, ClassificationData) else data.rows(side)


def train_batches(data: Data, run: RunConfig, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented batches of one epoch, without a last one of a single image (BN needs two)."""
    rows = side_rows(data, "train")
    order = torch.randperm(len(rows), generator=stream(run, "order", epoch)).numpy()
    random = stream(run, "augment", epoch)
    for start in range(0, batch_count(len(rows), run) * run.batch_size, run.batch_size):
        # A memory map is read fastest from front to back.
        chosen = np.sort(rows[order[start : start + run.batch_size]])
        images, labels = raw(data, run, chosen)
        if isinstance(data, ClassificationData):
            images = crop_flip(images, data.img_size, random)
        else:
            images, labels = transunet(images, labels, random)
        yield three_channels(images), labels


def batch_count(rows: int, run: RunConfig) -> int:
    """Batches per epoch of ``rows`` training images."""
    full, rest = divmod(rows, run.batch_size)
    return full + (rest > 1 or (rest == 1 and full == 0))


def ordered_batches(
    data: Data, run: RunConfig, rows: np.ndarray
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without augmentation, in the given order."""
    for start in range(0, len(rows), run.batch_size):
        images, labels = raw(data, run, rows[start : start + run.batch_size])
        if isinstance(data, ClassificationData):
            images = center_crop(images, data.img_size)
        yield three_channels(images), labels


def raw(data: Data, run: RunConfig, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) float32, normalised as the recipe says, and int64 labels."""
    images = torch.from_numpy(np.ascontiguousarray(data.images[rows]))
    labels = torch.from_numpy(np.asarray(data.labels[rows], dtype=np.int64))
    images = images.float() / 255 if images.dtype == torch.uint8 else images[:, None]
    how = run.recipe["normalise"]
    return (images - how["mean"]) / how["std"], labels


def three_channels(images: Tensor) -> Tensor:
    """Grey images three times, since all networks are built for colour; channels last."""
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    return images.contiguous(memory_format=torch.channels_last)
