"""Images per second of trainings, the share of the time that the GPU works, several at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from mednext.config import load_gpus, load_methods
from mednext.cost.complexity import on_meta
from mednext.cost.work import training_work
from mednext.planning.gpu_check.numbers import Found, synchronise
from mednext.planning.gpu_check.scale import BATCH, Scale, run_of
from mednext.planning.microbenchmark import random_data
from mednext.planning.roofline import price
from mednext.training.device import fresh_network, prepare_torch
from mednext.training.on_device import where_it_fits
from mednext.training.step import Stepper
from mednext.training.train import train_epoch

PRECISION = "tf32"
"""That of ``config/paper.yaml``."""
STEPS = 4
"""Of one epoch of a :class:`Looper`."""
PACKED = "resnet18"
"""A small network, which does not fill a large GPU."""


class Looper:
    """Trains epochs of a few steps on random images, by the loop of every training."""

    def __init__(self, method: str, device: str, size: int, batch: int) -> None:
        self.run = run_of(method, device, PRECISION, img_size=size, batch_size=batch, epochs=10**6)
        prepare_torch(self.run)
        where = torch.device(device)
        self.stepper = Stepper(self.run, fresh_network(self.run, where), where)
        self.data = where_it_fits(random_data(self.run, STEPS * batch), self.run, where)
        self.epochs = 0

    def epoch(self) -> int:
        """Train one; returns the number of its images."""
        train_epoch(self.run, self.data, self.stepper, self.epochs, "gpu-check")
        self.epochs += 1
        return STEPS * self.run.batch_size


def speed(device: str, scale: Scale) -> Iterator[Found]:
    """Each of the timed methods by itself."""
    for method in scale.timed:
        batch = scale.batch or BATCH[load_methods()[method].task]
        looper = Looper(method, device, scale.large, batch)
        for _ in range(2):
            looper.epoch()
        synchronise(device)
        images, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < scale.seconds:
            images += looper.epoch()
        synchronise(device)
        per_image = (time.perf_counter() - begun) / images
        found: dict[str, Any] = {"images_per_s": round(1 / per_image, 1), "batch": batch}
        if device == "cuda":
            found["busy_share"] = round(_kernel_seconds(looper) / (STEPS * batch * per_image), 3)
            found["peak_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
            torch.cuda.reset_peak_memory_stats()
        found["planned_images_per_s"] = _planned(method, scale.large, batch)
        yield method, found, None if images else "no step was done"


def _kernel_seconds(looper: Looper) -> float:
    """What the kernels of one epoch take, without the gaps between them."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        looper.epoch()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in profile.key_averages()) / 1e6


def _planned(method: str, size: int, batch: int) -> dict[str, float]:
    """Images per second as ``mednext plan`` prices them, for each GPU that it knows."""
    task, run = load_methods()[method].task, run_of(method, "cpu", PRECISION)
    shape = (batch, 3, size, size)
    work = training_work(on_meta(method, len(run.classes), size), shape, task)
    return {
        name: round(batch / price(work, gpu, PRECISION, 0).alone, 1)
        for name, gpu in load_gpus().items()
    }


def packing(device: str, scale: Scale) -> Iterator[Found]:
    """Images per second of one small network in several processes at once, all together."""
    batch = scale.batch or BATCH[load_methods()[PACKED].task]
    words = [sys.executable, "-m", "mednext.planning.gpu_check.worker", "steps"]
    words += [device, PACKED, str(scale.large), str(batch)]
    workers = [
        subprocess.Popen(  # noqa: S603  fixed words
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(max(scale.processes))
    ]
    try:
        for worker in workers:
            if _line(worker) != "ready":
                yield PACKED, {}, "a process did not start"
                return
        for count in scale.processes:
            for worker in workers[:count]:
                assert worker.stdin is not None
                worker.stdin.write(f"{scale.seconds}\n")
                worker.stdin.flush()
            answers = [_line(worker) for worker in workers[:count]]
            done = [float(answer) for answer in answers if answer]
            problem = None if len(done) == count else f"{count - len(done)} processes died"
            yield f"{count} x {PACKED}", {"images_per_s": round(sum(done), 1)}, problem
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()
