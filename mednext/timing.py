"""Seconds of every method of a profile on this device: measured as far as the time goes.

Measurements are kept below ``data/.timing`` under the code, the machine and the setting, so that
asking again is free.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from mednext.config import Profile, RunConfig, SplitCounts, load_datasets
from mednext.cost.complexity import measure
from mednext.errors import UserError
from mednext.files import hash_json, write_json
from mednext.layout import data_root
from mednext.plan import Timing
from mednext.provenance import code_hash, env_hash
from mednext.runs import resolve_run
from mednext.training.calibrate import Speed, calibrate, matmul_gmacs, startup_seconds

ASSUMED_GPU_GMACS = 7000.0
"""14 TFLOPS of fp32, by the data sheet of a V100, are 7000 GMACs per second."""
FIRST = ("mednext", "medunext", "resnet18", "unet")
"""Measured before the others: what a plan is most often asked about."""


class Clock:
    """Answers what an image of a data set costs with a method."""

    def __init__(self, profile: Profile, seconds: float, gpu_gmacs: float | None) -> None:
        import torch

        self.gpu_missing = profile.device == "cuda" and not torch.cuda.is_available()
        if gpu_gmacs is not None and not self.gpu_missing:
            raise UserError(
                "--gpu-gmacs is for planning GPU runs on a machine without a GPU",
                found=f"device: {profile.device}",
                expected="device: cuda, and no GPU here",
                remedy="leave the option out: this device is measured",
            )
        device = "cpu" if self.gpu_missing else profile.device
        self.profile = profile.model_copy(update={"device": device})
        self.torch_device = torch.device(
            "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        )
        self.gpu_gmacs = gpu_gmacs or ASSUMED_GPU_GMACS
        self._end = time.monotonic() + seconds
        self._speeds: dict[tuple[str, str], Speed] = {}
        for dataset, method in self._order():
            self._measure(dataset, method)

    @property
    def device_name(self) -> str:
        """What the hours are hours of."""
        if self.gpu_missing:
            return (
                f"a GPU of {self.gpu_gmacs:.0f} GMACs/s that is NOT here: scaled from this CPU, "
                "good for the order of magnitude; plan on the GPU machine to measure"
            )
        return "this GPU" if self.torch_device.type == "cuda" else "this CPU, one run at a time"

    @cached_property
    def startup_seconds(self) -> float:
        """Of one process of the pipeline."""
        return float(self._kept("startup", startup_seconds))

    @cached_property
    def _cpu_to_gpu(self) -> float:
        """How many times faster the assumed GPU multiplies matrices than this CPU."""
        threads = self.profile.threads
        here = self._kept(f"matmul-{threads}", lambda: matmul_gmacs(self.torch_device, threads))
        return self.gpu_gmacs / float(here)

    def timing(self, dataset: str, method: str) -> Timing:
        """Measured, or by the GMACs and the median speed of the measured methods of the task."""
        gmacs, params = self._cost(dataset, method)
        speed, basis = self._speeds.get((dataset, method)), "measured"
        if speed is None:
            speed, basis = self._derived(dataset, gmacs), "its GMACs and others' speed"
        factor = 1.0
        if self.gpu_missing:
            factor, basis = 1 / self._cpu_to_gpu, f"{basis}, scaled to the GPU"
        return Timing(
            gmacs=gmacs,
            params=params,
            train_seconds=speed.train_seconds * factor,
            step_seconds=speed.step_seconds * factor,
            forward_seconds=speed.forward_seconds * factor,
            basis=basis,
        )

    def _order(self) -> list[tuple[str, str]]:
        pairs = [(d, m) for d, run in self.profile.datasets.items() for m in run.methods]
        first = [p for p in pairs if p[1] in FIRST]
        return first + [p for p in pairs if p[1] not in FIRST]

    def _cost(self, dataset: str, method: str) -> tuple[float, int]:
        run = self.profile.datasets[dataset]
        classes = load_datasets()[dataset].num_classes
        key = f"cost-{method}-{run.img_size}-{classes}"

        def count() -> list[float]:
            cost = measure(method, num_classes=classes, img_size=run.img_size)
            return [cost.gmacs, cost.params]

        gmacs, params = self._kept(key, count)
        return float(gmacs), int(params)

    def _measure(self, dataset: str, method: str) -> None:
        run = self._run(dataset, method)
        # Another data set of the same task and size takes the same time.
        setting = run.model_dump(
            mode="json",
            include={"task", "method", "method_kwargs", "img_size", "channels", "batch_size"}
            | {"threads", "device", "precision", "compile", "deterministic", "recipe"},
        )
        key = f"speed-{hash_json([setting, len(run.classes)])[:24]}"
        over = time.monotonic() > self._end and not self._file(key).is_file()
        if over and self._known(load_datasets()[dataset].task):
            return  # one of each task is measured, however long it takes
        gmacs, _ = self._cost(dataset, method)
        values = self._kept(key, lambda: vars(calibrate(run, gmacs)))
        self._speeds[dataset, method] = Speed(**values)

    def _run(self, dataset: str, method: str) -> RunConfig:
        """The run as a phantom's: its network, size and batch are what is measured."""
        run = self.profile.datasets[dataset].model_copy(
            update={
                "source": "phantom",
                "folder": None,
                "phantom": SplitCounts(train=1, val=1, test=1),
            }
        )
        profile = self.profile.model_copy(update={"datasets": {dataset: run}})
        return resolve_run(profile, dataset, run.protocols[0], method, profile.seeds[0])

    def _known(self, task: str) -> list[tuple[Speed, float]]:
        """What was measured of one task, with its GMACs."""
        return [
            (speed, self._cost(d, m)[0])
            for (d, m), speed in self._speeds.items()
            if load_datasets()[d].task == task
        ]

    def _derived(self, dataset: str, gmacs: float) -> Speed:
        task = load_datasets()[dataset].task
        known = self._known(task)
        median = statistics.median
        return Speed(
            gmacs * median(s.train_seconds / g for s, g in known),
            median(s.step_seconds for s, _ in known),
            gmacs * median(s.forward_seconds / g for s, g in known),
        )

    def _file(self, key: str) -> Path:
        return data_root() / ".timing" / f"{env_hash()}-{code_hash()}" / f"{key}.json"

    def _kept(self, key: str, work: Callable[[], Any]) -> Any:
        file = self._file(key)
        if not file.is_file():
            write_json(file, work())
        return json.loads(file.read_text(encoding="utf-8"))
