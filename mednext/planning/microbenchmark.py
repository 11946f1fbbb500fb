"""How fast this device is: seconds of one network's passes, measured over a few real ones.

The passes are those of the training loop (augmentation, batch, loss, optimiser) on random images,
so that no data set is needed. What a pass costs in itself and what each image adds come from two
small batches, so that a large one need not be run. On a CPU with one thread per run CPU time is
taken, which others who use the machine stretch little; a run waits for nothing but its own thread.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mednext.config import RunConfig
from mednext.datasets.load import Case, ClassificationData, SegmentationData
from mednext.datasets.prepare import padded_size
from mednext.files import write_bytes
from mednext.training.batches import ordered_batches, train_batches
from mednext.training.device import fresh_network, pick_device, prepare_torch
from mednext.training.step import Stepper

PASS_GMACS = 4.0
"""About how much the larger measured forward pass on a CPU may compute: tenths of a second."""
MOST_IMAGES = 16
DISK_BYTES = 64_000_000


@dataclass(frozen=True)
class Pass:
    """Seconds of one pass over a batch: ``call + images * image``."""

    call: float
    image: float

    def of(self, images: float) -> float:
        """Seconds of a batch."""
        return self.call + images * self.image


@dataclass(frozen=True)
class Speed:
    """What one network takes on one device, at one image size."""

    forward: Pass
    """Prediction, with the loss."""
    step: Pass | None = None
    """A training step, the optimiser's included; None: not measured."""


def measure_speed(run: RunConfig, gmacs: float, training: bool) -> Speed:
    """Measure ``run``'s network on its device; ``gmacs`` of one image choose the batches.

    Raises:
        UserError: the device of the run is not there.
    """
    prepare_torch(run)
    device = pick_device(run)
    model = fresh_network(run, device)
    stepper = Stepper(run, model, device)
    clock = _Clock(device, run.threads)
    small, large = batches(run, gmacs, device)
    forward = _pass(lambda n: _forward(run, model, stepper, n), small, large, clock)
    if not training:
        return Speed(forward)
    small, large = (2, 2) if small == large else (max(small, 2), max(large, 4))  # batch norm: two
    return Speed(forward, _pass(lambda n: _step(run, model, stepper, n), small, large, clock))


def batches(run: RunConfig, gmacs: float, device: torch.device) -> tuple[int, int]:
    """Images in the two measured forward passes; equal where one image is work enough that a call
    in itself does not count.
    """
    most = run.micro_batch or run.batch_size
    if device.type == "cpu":
        if gmacs > PASS_GMACS:
            return 1, 1
        most = min(most, MOST_IMAGES, round(PASS_GMACS / gmacs))
    large = max(2, most)
    return max(1, large // 4), large


def _pass(work: Callable[[int], Callable[[], None]], small: int, large: int, clock: _Clock) -> Pass:
    """The line through the seconds of two batches, each after one pass that is not counted."""
    seconds = []
    for images in dict.fromkeys((small, large)):
        once = work(images)
        once()
        seconds.append(min(clock.seconds(once) for _ in range(clock.repeats)))
    if small == large:
        return Pass(0.0, seconds[0] / large)
    image = (seconds[1] - seconds[0]) / (large - small)
    # A larger batch never takes less per image than the line through the origin would say.
    image = min(max(image, 0.0), seconds[1] / large)
    return Pass(seconds[1] - large * image, image)


def _forward(run: RunConfig, model: nn.Module, stepper: Stepper, images: int) -> Callable[[], None]:
    data = random_data(run, images)

    @torch.no_grad()
    def work() -> None:
        model.eval()
        for inputs, labels in ordered_batches(data, run, np.arange(images)):
            stepper.loss_of(model(inputs.to(stepper.device)).float().cpu(), labels)

    return work


def _step(run: RunConfig, model: nn.Module, stepper: Stepper, images: int) -> Callable[[], None]:
    data = random_data(run, images)
    batch = run.model_copy(update={"batch_size": images, "micro_batch": None})

    def work() -> None:
        model.train()
        for inputs, labels in train_batches(data, batch, 0):
            stepper.step(inputs, labels, 1e-6)

    return work


class _Clock:
    """Seconds of a piece of work on one device."""

    def __init__(self, device: torch.device, threads: int) -> None:
        self.device = device
        own_time = device.type == "cpu" and threads == 1
        self.now = time.process_time if own_time else time.perf_counter
        # CPU time repeats within a few per cent, wall time where others work does not.
        self.repeats = 1 if own_time else 3

    def seconds(self, work: Callable[[], object]) -> float:
        """Of one call."""
        begun = self.now()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return self.now() - begun


def random_data(run: RunConfig, count: int) -> ClassificationData | SegmentationData:
    """``count`` random images in the form that training reads."""
    random = np.random.default_rng(0)
    classes = len(run.classes)
    digests = {"data_hash": "", "split_hash": ""}
    if run.task == "classification":
        side = padded_size(run.img_size)
        return ClassificationData(
            images=random.integers(0, 256, (count, run.channels, side, side), dtype=np.uint8),
            labels=random.integers(0, classes, count),
            items=[],
            groups=[],
            subsets={"train": np.arange(count)},
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


def startup_seconds() -> float:
    """CPU seconds of a process of the pipeline before it begins to work: its imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import mednext.training.train"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def disk_bytes_per_second(folder: Path) -> float:
    """How fast a file is safe on the disk of ``folder``, as checkpoints are written."""
    file = folder / "write-speed.part"
    begun = time.perf_counter()
    write_bytes(file, bytes(DISK_BYTES))
    seconds = time.perf_counter() - begun
    file.unlink()
    return DISK_BYTES / seconds
