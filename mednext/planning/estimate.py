"""Seconds of every method of a profile on this device: measured as far as the time goes.

The forward pass of every network comes first, since it tells most: a training step is a multiple of
it that differs little between the networks of a task. That multiple, and what the optimiser takes
per parameter, come from the networks whose training steps are measured, too. Measurements are kept
below ``data/.timing`` under the code, the machine and the setting, so that asking again is quick
and measures what is left.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from mednext.config import Profile, RunConfig, SplitCounts, load_datasets, load_gpus
from mednext.cost.complexity import measure
from mednext.errors import UserError
from mednext.files import hash_json, write_json
from mednext.layout import data_root
from mednext.planning.microbenchmark import (
    Pass,
    Speed,
    disk_bytes_per_second,
    matmul_gmacs,
    measure_speed,
    neighbours,
    startup_seconds,
)
from mednext.planning.plan import Timing
from mednext.provenance import code_hash, env_hash, folder_hash
from mednext.runs.resolve import resolve_run

ASSUMED_GPU = "v100"
"""Of ``benchmarks/gpus.yaml``: what a plan for GPUs assumes where there is none."""
FIRST = ("mednext", "medunext", "resnet18", "unet")
"""Measured before the others: what a plan is most often asked about."""
FAMILIES = ("mednext_", "medunext_")
"""Ablations are measured after the others: networks of the same family predict them best."""
Pair = tuple[str, str]
"""Data set and method."""


class Clock:
    """Answers what an image of a data set costs with a method."""

    def __init__(
        self, profile: Profile, seconds: float, gpu_gmacs: float | None, at_once: int = 1
    ) -> None:
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
        # A ratio to this CPU needs but one thread, whose CPU time others do not disturb.
        threads = 1 if self.gpu_missing else profile.threads
        self.profile = profile.model_copy(update={"device": device, "threads": threads})
        self.torch_device = torch.device(
            "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        )
        self.gpu_gmacs = gpu_gmacs or load_gpus()[ASSUMED_GPU].gmacs
        self._gpu_given = gpu_gmacs is not None
        self.at_once = at_once if self.torch_device.type == "cpu" and not self.gpu_missing else 1
        self._speeds: dict[Pair, Speed] = {}
        self._used: list[Path] = []
        self._measure_all(seconds)

    @property
    def device_name(self) -> str:
        """What the hours are hours of."""
        if self.gpu_missing:
            spec = load_gpus()[ASSUMED_GPU]
            name = "a GPU" if self._gpu_given else f"an {spec.name}"
            source = "as given" if self._gpu_given else spec.source
            return (
                f"{name} of {self.gpu_gmacs:.0f} fp32 GMACs/s at its peak ({source}), which is NOT "
                "here: scaled from this CPU by its matrix product, good for the order of "
                "magnitude; plan on the GPU machine to measure"
            )
        return "this GPU" if self.torch_device.type == "cuda" else "this CPU"

    @property
    def age(self) -> float:
        """Seconds since the oldest measurement that was used."""
        return max(time.time() - min(file.stat().st_mtime for file in self._used), 0.0)

    @cached_property
    def startup_seconds(self) -> float:
        """Of one process of the pipeline."""
        return float(self._kept("startup", startup_seconds))

    @cached_property
    def disk_bytes_per_second(self) -> float:
        """How fast checkpoints are written."""
        return float(self._kept("disk", lambda: disk_bytes_per_second(data_root())))

    @cached_property
    def _cpu_to_gpu(self) -> float:
        """How many times faster the assumed GPU multiplies matrices than this CPU."""
        threads = self.profile.threads
        here = self._kept(f"matmul-{threads}", lambda: matmul_gmacs(self.torch_device, threads))
        return self.gpu_gmacs / float(here)

    def timing(self, dataset: str, method: str) -> Timing:
        """Measured, or derived from what was measured of the other methods of the task."""
        gmacs, params = self._cost(dataset, method)
        forward, step, optimizer, basis = self._passes(dataset, method)
        factor = 1.0
        if self.gpu_missing:
            factor, basis = 1 / self._cpu_to_gpu, f"{basis}, scaled to the GPU"
        batch = self.profile.datasets[dataset].batch_size
        return Timing(
            gmacs=gmacs,
            params=params,
            train_seconds=step.image * factor,
            step_seconds=(step.call + optimizer) * factor,
            forward_seconds=forward.of(batch) / batch * factor,
            basis=basis,
        )

    def _passes(self, dataset: str, method: str) -> tuple[Pass, Pass, float, str]:
        """Forward pass, training step, optimiser, and how they were found."""
        gmacs, params = self._cost(dataset, method)
        batch = self.profile.datasets[dataset].batch_size
        known = self._known(load_datasets()[dataset].task)
        speed, basis = self._speeds.get((dataset, method)), "its forward pass"
        if speed is None:
            speed, basis = Speed(_scaled([(s.forward, g) for _, s, g, _ in known], gmacs)), "GMACs"
        if speed.step is not None and speed.optimizer is not None:
            return speed.forward, speed.step, speed.optimizer, "its training steps"
        trained = [(s, p) for _, s, _, p in known if s.step is not None]
        multiple = statistics.median(
            s.step.of(batch) / s.forward.of(batch) for s, _ in trained if s.step is not None
        )
        per_param = statistics.median((s.optimizer or 0.0) / p for s, p in trained)
        step = Pass(multiple * speed.forward.call, multiple * speed.forward.image)
        return speed.forward, step, per_param * params, basis

    def _measure_all(self, seconds: float) -> None:
        # As in mednext.planning.microbenchmark: CPU time does not depend on who else is at work.
        now = time.process_time if self.torch_device.type == "cpu" else time.monotonic
        begun = now()
        pairs = self._order()
        kept = {pair for pair in pairs if self._is_kept(pair, training=True)}
        # One of each task is measured however long it takes.
        first = {load_datasets()[pair[0]].task: pair for pair in reversed(pairs)}
        kept |= set(first.values())
        others = (self.at_once - 1) * self.profile.threads if kept != set(pairs) else 0
        with neighbours(min(others, (os.cpu_count() or 1) - self.profile.threads)):
            for pair in kept:
                self._measure(*pair, True)
            for training in (False, True):
                for pair in pairs:
                    left = now() - begun < seconds
                    if pair not in kept and (left or self._is_kept(pair, training)):
                        self._measure(*pair, training)

    def _order(self) -> list[Pair]:
        pairs = [(d, m) for d, run in self.profile.datasets.items() for m in run.methods]
        return sorted(pairs, key=lambda p: (p[1] not in FIRST, p[1].startswith(FAMILIES)))

    def _cost(self, dataset: str, method: str) -> tuple[float, int]:
        run = self.profile.datasets[dataset]
        classes = load_datasets()[dataset].num_classes
        key = f"cost-{method}-{run.img_size}-{classes}"

        def count() -> list[float]:
            cost = measure(method, num_classes=classes, img_size=run.img_size)
            return [cost.gmacs, cost.params]

        gmacs, params = self._kept(key, count)
        return float(gmacs), int(params)

    def _key(self, dataset: str, method: str, training: bool) -> str:
        run = self._run(dataset, method)
        # Another data set of the same task and size takes the same time; its channels only matter
        # to the augmentation, which is no more than a few per cent of a step.
        setting = run.model_dump(
            mode="json",
            include={"task", "method", "method_kwargs", "img_size", "batch_size", "micro_batch"}
            | {"threads", "device", "precision", "compile", "deterministic", "recipe"},
        )
        how = [
            setting,
            code_hash(run),
            len(run.classes),
            self.at_once,
            folder_hash("planning/microbenchmark.py"),
        ]
        return f"{'training' if training else 'forward'}-{hash_json(how)[:24]}"

    def _is_kept(self, pair: Pair, training: bool) -> bool:
        return self._file(self._key(*pair, training)).is_file()

    def _measure(self, dataset: str, method: str, training: bool) -> None:
        gmacs, _ = self._cost(dataset, method)

        def work() -> dict[str, Any]:
            return asdict(measure_speed(self._run(dataset, method), gmacs, training))

        found = self._kept(self._key(dataset, method, training), work)
        step = found["step"]
        self._speeds[dataset, method] = Speed(
            Pass(**found["forward"]), Pass(**step) if step else None, found["optimizer"]
        )

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

    def _known(self, task: str) -> list[tuple[Pair, Speed, float, int]]:
        """What was measured of one task, with GMACs and parameters."""
        return [
            (pair, speed, *self._cost(*pair))
            for pair, speed in self._speeds.items()
            if load_datasets()[pair[0]].task == task
        ]

    def _file(self, key: str) -> Path:
        return data_root() / ".timing" / env_hash() / f"{key}.json"

    def _kept(self, key: str, work: Callable[[], Any]) -> Any:
        file = self._file(key)
        if not file.is_file():
            write_json(file, work())
        self._used.append(file)
        return json.loads(file.read_text(encoding="utf-8"))


def _scaled(known: list[tuple[Pass, float]], gmacs: float) -> Pass:
    """The forward pass of a network of which only the GMACs are known."""
    return Pass(
        statistics.median(p.call for p, _ in known),
        gmacs * statistics.median(p.image / g for p, g in known),
    )
