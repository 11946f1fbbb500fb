"""Batches straight from the memory map, in a random order that depends on the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData
from mednext.models.device import to_device
from mednext.training.augment import center_crop, crop_flip, crop_flip_at_once
from mednext.training.augment_slices import SLICE_AUGMENTS
from mednext.training.on_device import HostData, OnDevice
from mednext.training.seeds import stream

Data = HostData | OnDevice
AUGMENT: dict[str, tuple[str, ...]] = {
    "classification": ("crop_flip",),
    "segmentation": tuple(SLICE_AUGMENTS),
}
"""Task -> the augmentations that its recipe may name."""


def subset_rows(data: Data, subset: str) -> np.ndarray:
    """Rows of the images (or slices) of one subset."""
    if isinstance(data, OnDevice):
        data = data.host
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
        at_once = isinstance(data, OnDevice)
        if run.task == "classification":
            crop = crop_flip_at_once if at_once else crop_flip
            images = crop(images, run.img_size, random)
        else:
            assert not isinstance(data, ClassificationData)
            augment = SLICE_AUGMENTS[run.recipe["augment"]]
            images, labels = augment(images, labels, [data.plane(row) for row in chosen], random)
        yield network_input(images, run, at_once), labels


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
        yield ordered_batch(data, run, rows[start : start + size])


def ordered_batch(data: Data, run: RunConfig, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """The images of ``rows`` without augmentation, and their labels."""
    images, labels = raw(data, rows)
    if run.task == "classification":
        images = center_crop(images, run.img_size)
    return network_input(images, run, isinstance(data, OnDevice)), labels


def raw(data: Data, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) as they are stored (uint8, or float32 slices), and int64 labels."""
    if isinstance(data, OnDevice):
        index = to_device(torch.from_numpy(rows), data.images.device)
        images, labels = data.images[index], data.labels[index].long()
    else:
        images = torch.from_numpy(np.ascontiguousarray(data.images[rows]))
        labels = torch.from_numpy(np.asarray(data.labels[rows], dtype=np.int64))
    return (images if images.dtype == torch.uint8 else images[:, None]), labels


def network_input(images: Tensor, run: RunConfig, at_once: bool = False) -> Tensor:
    """Float32, normalised as the recipe says, channels last; grey images as often as
    the network has channels. ``at_once``: the whole batch in each operation, as a GPU likes.
    """
    how = run.recipe["normalise"]
    count, _, height, width = images.shape
    if at_once:
        floats = images.float().div_(255) if images.dtype == torch.uint8 else images
        floats = floats.sub(how["mean"]).div_(how["std"]).expand(-1, run.in_chans, -1, -1)
        return floats.contiguous(memory_format=torch.channels_last)
    out = torch.empty(count, run.in_chans, height, width, memory_format=torch.channels_last)
    for image, kept in zip(images, out, strict=True):  # one by one they stay in the caches
        floats = image.float().div_(255) if image.dtype == torch.uint8 else image.clone()
        kept.copy_(floats.sub_(how["mean"]).div_(how["std"]))
    return out
