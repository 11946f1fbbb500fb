"""Seconds of every method of a profile on this device: measured as far as the time goes.

The forward pass of every network comes first, since it tells most: a training step takes a multiple
of it that differs little between the networks of a task, but for what they compute in the one and
in the other. Measurements are kept below ``data/.timing``
under the code, the machine and the setting, so that asking again is quick and measures what is
left. A GPU that is not here is not measured but priced by :mod:`mednext.planning.roofline`, from
operations that are counted and kept here, too.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from mednext.config import Profile, RunConfig, SplitCounts, load_datasets
from mednext.cost.complexity import measure, on_meta
from mednext.cost.work import Operation, Work, prediction_work, training_work
from mednext.files import hash_json, write_json
from mednext.layout import data_root
from mednext.planning.microbenchmark import (
    Pass,
    Speed,
    disk_bytes_per_second,
    measure_speed,
    startup_seconds,
)
from mednext.planning.plan import Timing
from mednext.planning.roofline import Passes
from mednext.provenance import code_hash, env_hash, folder_hash
from mednext.runs.resolve import resolve_run
from mednext.training.train import VALIDATED_EVERY

FIRST = ("mednext", "medunext", "resnet18", "unet")
"""Measured before the others: what a plan is most often asked about."""
FAMILIES = ("mednext_", "medunext_")
"""Ablations are measured after the others: networks of the same family predict them best."""
Pair = tuple[str, str]
"""Data set and method."""


class Kept:
    """Answers that take a while, each found once per code, machine and setting."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.used: list[Path] = []

    @cached_property
    def disk_bytes_per_second(self) -> float:
        """How fast checkpoints are written."""
        return float(self.kept("disk", lambda: disk_bytes_per_second(data_root())))

    def cost(self, dataset: str, method: str) -> tuple[float, int]:
        """GMACs of one image, and parameters."""
        run = self.profile.datasets[dataset]
        classes = load_datasets()[dataset].num_classes
        shape = {"img_size": run.img_size, "in_chans": run.in_chans}

        def count() -> list[float]:
            cost = measure(method, num_classes=classes, **shape)
            return [cost.gmacs, cost.params]

        code = code_hash(self.run(dataset, method))
        key = f"cost-{method}-{run.img_size}-{run.in_chans}-{classes}-{code}"
        gmacs, params = self.kept(key, count)
        return float(gmacs), int(params)

    def work(self, dataset: str, method: str) -> Passes:
        """The operations of a training step and of a forward pass over one batch."""
        run, spec = self.profile.datasets[dataset], load_datasets()[dataset]
        shape = (run.batch_size, run.in_chans, run.img_size, run.img_size)

        def count() -> list[Any]:
            model = on_meta(method, spec.num_classes, run.img_size, run.in_chans)
            both = training_work(model, shape, spec.task), prediction_work(model, shape)
            slow = getattr(model, "slow_evaluation", False)
            every = VALIDATED_EVERY if slow else 1
            return [*([work.operations, work.peak_bytes] for work in both), every]

        code = code_hash(self.run(dataset, method))
        key = [
            method,
            spec.num_classes,
            shape,
            code,
            folder_hash("cost/work.py", "planning/estimate.py"),
        ]
        found = self.kept(f"work-{method}-{hash_json(key)[:16]}", count)
        training, prediction = (
            Work(tuple(Operation(*values) for values in operations), peak)
            for operations, peak in found[:2]
        )
        return Passes(training, prediction, validated_every=found[2])

    def run(self, dataset: str, method: str) -> RunConfig:
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

    def file(self, key: str) -> Path:
        """Where an answer is kept."""
        return data_root() / ".timing" / env_hash() / f"{key}.json"

    def kept(self, key: str, work: Callable[[], Any]) -> Any:
        """The answer ``key``, by ``work`` if it is not there."""
        file = self.file(key)
        if not file.is_file():
            write_json(file, work())
        self.used.append(file)
        return json.loads(file.read_text(encoding="utf-8"))


class Clock(Kept):
    """Answers what an image of a data set costs with a method on this device."""

    def __init__(self, profile: Profile, seconds: float) -> None:
        import torch

        super().__init__(profile)
        gpu = profile.device != "cpu" and torch.cuda.is_available()
        self.torch_device = torch.device("cuda" if gpu else "cpu")
        self._speeds: dict[Pair, Speed] = {}
        self._measure_all(seconds)

    @property
    def device_name(self) -> str:
        """What the hours are hours of."""
        return "this GPU" if self.torch_device.type == "cuda" else "this CPU"

    @property
    def age(self) -> float:
        """Seconds since the oldest measurement that was used."""
        return max(time.time() - min(file.stat().st_mtime for file in self.used), 0.0)

    @cached_property
    def startup_seconds(self) -> float:
        """Of one process of the pipeline."""
        return float(self.kept("startup", startup_seconds))

    def timing(self, dataset: str, method: str) -> Timing:
        """Measured, or derived from what was measured of the other methods of the task."""
        gmacs, params = self.cost(dataset, method)
        forward, step, basis = self._passes(dataset, method)
        batch = self.profile.datasets[dataset].batch_size
        return Timing(
            gmacs=gmacs,
            params=params,
            train_seconds=step.image,
            step_seconds=step.call,
            forward_seconds=forward.of(batch) / batch,
            basis=basis,
        )

    def _passes(self, dataset: str, method: str) -> tuple[Pass, Pass, str]:
        """Forward pass, training step, and how they were found."""
        gmacs, _ = self.cost(dataset, method)
        batch = self.profile.datasets[dataset].batch_size
        known = self._known(load_datasets()[dataset].task)
        speed, basis = self._speeds.get((dataset, method)), "its forward pass"
        if speed is None:
            speed, basis = Speed(_scaled([(s.forward, g) for _, s, g in known], gmacs)), "GMACs"
        if speed.step is not None:
            return speed.forward, speed.step, "its training steps"
        multiple = self._flops_ratio(dataset, method) * statistics.median(
            s.step.of(batch) / s.forward.of(batch) / self._flops_ratio(*pair)
            for pair, s, _ in known
            if s.step is not None
        )
        step = Pass(multiple * speed.forward.call, multiple * speed.forward.image)
        return speed.forward, step, basis

    def _flops_ratio(self, dataset: str, method: str) -> float:
        """What a training step computes over what a forward pass in evaluation does: about 3, and
        0.03 where many votes are counted in evaluation alone.
        """
        passes = self.work(dataset, method)
        return passes.training.flops / passes.prediction.flops

    def _measure_all(self, seconds: float) -> None:
        # As in mednext.planning.microbenchmark: CPU time does not depend on who else is at work.
        now = time.process_time if self.torch_device.type == "cpu" else time.monotonic
        begun = now()
        pairs = self._order()
        kept = {pair for pair in pairs if self._is_kept(pair, training=True)}
        # One of each task is measured however long it takes.
        first = {load_datasets()[pair[0]].task: pair for pair in reversed(pairs)}
        kept |= set(first.values())
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

    def _key(self, dataset: str, method: str, training: bool) -> str:
        run = self.run(dataset, method)
        # Another data set of the same task and size takes the same time; its channels only matter
        # to the augmentation, which is no more than a few per cent of a step.
        setting = run.model_dump(
            mode="json",
            include={"task", "method", "method_kwargs", "img_size", "batch_size", "micro_batch"}
            | {"in_chans", "threads", "device", "precision", "compile", "deterministic", "recipe"},
        )
        how = [setting, len(run.classes), code_hash(run), folder_hash("planning/microbenchmark.py")]
        return f"{'training' if training else 'forward'}-{hash_json(how)[:24]}"

    def _is_kept(self, pair: Pair, training: bool) -> bool:
        return self.file(self._key(*pair, training)).is_file()

    def _measure(self, dataset: str, method: str, training: bool) -> None:
        gmacs, _ = self.cost(dataset, method)

        def work() -> dict[str, Any]:
            return asdict(measure_speed(self.run(dataset, method), gmacs, training))

        found = self.kept(self._key(dataset, method, training), work)
        step = found["step"]
        self._speeds[dataset, method] = Speed(
            Pass(**found["forward"]), Pass(**step) if step else None
        )

    def _known(self, task: str) -> list[tuple[Pair, Speed, float]]:
        """What was measured of one task, with GMACs."""
        return [
            (pair, speed, self.cost(*pair)[0])
            for pair, speed in self._speeds.items()
            if load_datasets()[pair[0]].task == task
        ]


def _scaled(known: list[tuple[Pass, float]], gmacs: float) -> Pass:
    """The forward pass of a network of which only the GMACs are known."""
    return Pass(
        statistics.median(p.call for p, _ in known),
        gmacs * statistics.median(p.image / g for p, g in known),
    )
