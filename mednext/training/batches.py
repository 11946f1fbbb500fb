"""Batches straight from the memory map, in a random order that depends on the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData
from mednext.training.augment import center_crop, crop_flip
from mednext.training.augment_slices import SLICE_AUGMENTS
from mednext.training.seeds import stream

Data = ClassificationData | SegmentationData
AUGMENT: dict[str, tuple[str, ...]] = {
    "classification": ("crop_flip",),
    "segmentation": tuple(SLICE_AUGMENTS),
}
"""Task -> the augmentations that its recipe may name."""


def subset_rows(data: Data, subset: str) -> np.ndarray:
    """Rows of the images (or slices) of one subset."""
    return data.subsets[subset] if isinstance(data, ClassificationData) else data.rows(subset)


def train_batches(data: Data, run: RunConfig, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented batches of one epoch, without a last one of a single image (BN needs two)."""
    rows = subset_rows(data, "train")
    order = torch.randperm(len(rows), generator=stream(run, "order", epoch)).numpy()
    random = stream(run, "augment", epoch)
    for start in range(0, batch_count(len(rows), run) * run.batch_size, run.batch_size):
        # A memory map is read fastest from front to back.
        chosen = np.sort(rows[order[start : start + run.batch_size]])
        images, labels = raw(data, chosen)
        if isinstance(data, ClassificationData):
            images = crop_flip(images, data.img_size, random)
        else:
            augment = SLICE_AUGMENTS[run.recipe["augment"]]
            images, labels = augment(images, labels, [data.plane(row) for row in chosen], random)
        yield network_input(images, run), labels


def batch_count(rows: int, run: RunConfig) -> int:
    """Batches per epoch of ``rows`` training images."""
    full, rest = divmod(rows, run.batch_size)
    return full + (rest > 1 or (rest == 1 and full == 0))


def ordered_batches(
    data: Data, run: RunConfig, rows: np.ndarray, micro_batch: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most ``micro_batch`` images (default: the run's), without augmentation, in the
    given order.
    """
    size = min(run.batch_size, micro_batch or run.micro_batch or run.batch_size)
    for start in range(0, len(rows), size):
        images, labels = raw(data, rows[start : start + size])
        if isinstance(data, ClassificationData):
            images = center_crop(images, data.img_size)
        yield network_input(images, run), labels


def raw(data: Data, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) as they are stored (uint8, or float32 slices), and int64 labels."""
    images = torch.from_numpy(np.ascontiguousarray(data.images[rows]))
    labels = torch.from_numpy(np.asarray(data.labels[rows], dtype=np.int64))
    return (images if images.dtype == torch.uint8 else images[:, None]), labels


def network_input(images: Tensor, run: RunConfig) -> Tensor:
    """Float32, normalised as the recipe says, channels last; grey images three times, since all
    networks are built for colour.
    """
    how = run.recipe["normalise"]
    count, _, height, width = images.shape
    out = torch.empty(count, 3, height, width, memory_format=torch.channels_last)
    for image, kept in zip(images, out, strict=True):  # one by one they stay in the caches
        floats = image.float().div_(255) if image.dtype == torch.uint8 else image.clone()
        kept.copy_(floats.sub_(how["mean"]).div_(how["std"]))
    return out
