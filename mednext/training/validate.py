"""Loss and score of one subset of the data, as they are during training."""

from __future__ import annotations

import math

import torch

from mednext.config import RunConfig
from mednext.training.batches import Data, ordered_batches, subset_rows
from mednext.training.step import Stepper


@torch.no_grad()
def validate(run: RunConfig, data: Data, stepper: Stepper, subset: str) -> tuple[float, float]:
    """Loss and score on ``subset``, (nan, nan) if it is empty.

    The score is the accuracy, or the mean Dice of the organs over all slices together.
    """
    rows = subset_rows(data, subset)
    if len(rows) == 0:
        return math.nan, math.nan
    stepper.model.eval()
    losses = []
    classes = len(run.classes)
    confusion = torch.zeros(classes * classes, dtype=torch.int64)
    for images, labels in ordered_batches(data, run, rows, stepper.micro_batch):
        with stepper.autocast():
            logits = stepper.model(images.to(stepper.device))
        logits = logits.float().cpu()
        losses.append(stepper.loss_of(logits, labels).item() * len(labels))
        pairs = labels.flatten() * classes + logits.argmax(1).flatten()
        confusion += torch.bincount(pairs, minlength=classes * classes)
    table = confusion.reshape(classes, classes).double()
    hits = table.diagonal()
    if run.task == "classification":
        score = hits.sum() / table.sum()
    else:
        score = (2 * hits / (table.sum(0) + table.sum(1)).clamp(min=1))[1:].mean()
    return sum(losses) / len(rows), float(score)
