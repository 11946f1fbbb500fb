"""Loss and score of one subset of the data, as they are during training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig
from mednext.models.device import to_device
from mednext.training.batches import Data, ordered_batch, subset_rows
from mednext.training.memory import is_memory_error
from mednext.training.step import Stepper, release

LARGER = 4
"""So many training batches are evaluated at once on a GPU: a forward pass alone needs less."""
T = TypeVar("T")


def in_batches(
    run: RunConfig,
    data: Data,
    rows: np.ndarray,
    micro_batch: int,
    device: torch.device,
    work: Callable[[Tensor, Tensor], T],
) -> list[T]:
    """``work(images, labels)`` on the device of consecutive batches of ``rows``.

    Batches are of at most ``micro_batch`` images; on a GPU, where the run need not repeat to the
    bit, larger ones, halved when memory does not suffice.
    """
    sized = device.type == "cuda" and not run.deterministic
    size = micro_batch * LARGER if sized else min(run.batch_size, micro_batch)
    done: list[T] = []
    start = 0
    while start < len(rows):
        try:
            images, labels = ordered_batch(data, run, rows[start : start + size])
            done.append(work(to_device(images, device), to_device(labels, device)))
            start += size
            continue
        except RuntimeError as error:
            if not is_memory_error(error) or run.deterministic or size == 1:
                raise
        images = labels = torch.empty(0)  # outside of the handler, the error holds nothing more
        release(device)
        size = (size + 1) // 2
    return done


@torch.no_grad()
def validate(run: RunConfig, data: Data, stepper: Stepper, subset: str) -> tuple[float, float]:
    """Loss and score on ``subset``, (nan, nan) if it is empty.

    The score is the accuracy, or the mean Dice of the organs over all slices together.
    """
    rows = subset_rows(data, subset)
    if len(rows) == 0:
        return math.nan, math.nan
    stepper.model.eval()
    classes = len(run.classes)

    def work(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Summed loss and the confusion matrix, flat."""
        with stepper.autocast():
            logits = stepper.model(images)
        logits = logits.float()
        loss = stepper.loss_of(logits, labels).double() * len(labels)
        pairs = (labels * classes + logits.argmax(1)).flatten()
        table = torch.zeros(classes * classes, dtype=torch.int64, device=pairs.device)
        return loss, table.index_add_(0, pairs, torch.ones_like(pairs))

    found = in_batches(run, data, rows, stepper.micro_batch, stepper.device, work)
    losses = torch.stack([loss for loss, _ in found]).tolist()
    counts = torch.stack([table for _, table in found]).sum(0).cpu()
    table = counts.reshape(classes, classes).double()
    hits = table.diagonal()
    if run.task == "classification":
        score = hits.sum() / table.sum()
    else:
        score = (2 * hits / (table.sum(0) + table.sum(1)).clamp(min=1))[1:].mean()
    return sum(losses) / len(rows), float(score)
