"""How fast this device is: seconds per image of one method, measured over a few real steps.

The steps are those of the training loop (augmentation, batch, loss, optimiser) on random images, so
that no data set is needed. A step of a large batch is not run as a whole: what it costs per image
and what the optimiser adds per step are measured apart.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mednext.config import RunConfig
from mednext.datasets.load import Case, ClassificationData, SegmentationData
from mednext.datasets.prepare import padded_size
from mednext.models.registry import create_model
from mednext.training.batches import ordered_batches, train_batches
from mednext.training.device import pick_device, prepare_torch
from mednext.training.step import Stepper

STEPS = 3
STEP_GMACS = 60.0
"""About how much one measured step may compute: a second or two on a CPU core."""
MATMUL = 1024
"""Side of the square matrices whose product measures the device."""


@dataclass(frozen=True)
class Speed:
    """What one method takes on one device, at one image size."""

    train_seconds: float
    """Per training image, augmentation included, the optimiser's share not."""
    step_seconds: float
    """Of the optimiser, per step."""
    forward_seconds: float
    """Per image that is only predicted."""


def calibrate(run: RunConfig, gmacs: float) -> Speed:
    """Measure ``run``'s network on its device; ``gmacs`` of one image choose the batch.

    Raises:
        UserError: the device of the run is not there.
    """
    prepare_torch(run)
    device = pick_device(run)
    affordable = max(2, round(STEP_GMACS / (3 * gmacs)))
    batch = min(run.batch_size, affordable) if device.type == "cpu" else run.batch_size
    run = run.model_copy(update={"batch_size": batch, "micro_batch": None})
    model = create_model(
        run.method, num_classes=len(run.classes), in_chans=3, img_size=run.img_size
    ).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stepper = Stepper(run, model, device)
    data = _random_data(run)

    def train() -> None:
        model.train()
        for images, labels in train_batches(data, run, 0):
            stepper.step(images, labels, 1e-6)

    @torch.no_grad()
    def forward() -> None:
        model.eval()
        for images, labels in ordered_batches(data, run, np.arange(batch)):
            logits = model(images.to(device)).float().cpu()
            stepper.loss_of(logits, labels)

    def optimizer() -> None:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        begun = time.perf_counter()
        stepper.optimizer.step()
        _wait(device)
        idle.append(time.perf_counter() - begun)

    idle: list[float] = []
    whole = _median(train, device)
    for _ in range(STEPS):
        optimizer()
    step = min(min(idle), whole / 2)
    return Speed((whole - step) / batch, step, _median(forward, device) / batch)


def _median(work: Callable[[], None], device: torch.device) -> float:
    """Median seconds of a few repetitions after one that is not counted."""
    times = []
    for _ in range(STEPS + 1):
        begun = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - begun)
    return float(np.median(times[1:]))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _random_data(run: RunConfig) -> ClassificationData | SegmentationData:
    """One batch of random images in the form that training reads."""
    random = np.random.default_rng(0)
    count, classes = run.batch_size, len(run.classes)
    digests = {"data_hash": "", "split_hash": ""}
    if run.task == "classification":
        side = padded_size(run.img_size)
        return ClassificationData(
            images=random.integers(0, 256, (count, run.channels, side, side), dtype=np.uint8),
            labels=random.integers(0, classes, count),
            items=[],
            groups=[],
            sides={"train": np.arange(count)},
            classes=run.classes,
            img_size=run.img_size,
            **digests,
        )
    shape = (count, run.img_size, run.img_size)
    images = random.random(shape, dtype=np.float32)
    labels = random.integers(0, classes, shape, dtype=np.uint8)
    case = Case("", "", "", 0, count, shape, 0, None)
    return SegmentationData(
        images, labels, images, labels, [case], {"train": [0]}, run.classes, run.img_size, **digests
    )


def matmul_gmacs(device: torch.device, threads: int) -> float:
    """GMACs per second of a large fp32 matrix product: what the device can do at best."""
    torch.set_num_threads(threads)
    a = torch.rand(MATMUL, MATMUL, device=device)
    out = torch.empty_like(a)

    def product() -> None:
        torch.mm(a, a, out=out)

    seconds = _median(product, device)
    return MATMUL**3 / seconds / 1e9


def startup_seconds() -> float:
    """Seconds that a process of the pipeline takes before it begins to work: its imports."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import mednext.training.train"], check=True)
    return time.perf_counter() - begun
