"""Latency and throughput of the methods: one process per method and round, medians over rounds.

All methods are timed in every round, one after the other, so that a machine that slows down slows
all of them. A process other than ours that takes CPU time meanwhile marks the rows as ``busy``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mednext.config import load_methods, method_slug
from mednext.cost.timing import Setting, Timing
from mednext.errors import UserError
from mednext.provenance import env_hash
from mednext.results import LatencyRow, write_rows

Worker = Callable[[str, Setting], Timing]
MODES = ("eager", "compiled", "folded")
FOLDABLE = ("mednext", "medunext")
"""What the names of the networks begin with that :mod:`mednext.models.inference` folds."""
SLOW_TO_COMPILE = "compiling for a CPU takes minutes per network; ask for it with --modes compiled"


@dataclass(frozen=True)
class Plan:
    """What is timed."""

    methods: tuple[str, ...]
    devices: tuple[str, ...]
    modes: tuple[str, ...] | None
    """``eager``, ``compiled``, ``folded``; None is all on a GPU, eager on a CPU."""
    dtypes: tuple[str, ...]
    batches: tuple[int, ...]
    threads: int
    img_size: int
    rounds: int
    repeats: int
    """Timed runs per round."""

    def settings(self) -> list[Setting]:
        """All combinations; on a CPU other modes than eager only if they were asked for, and TF32,
        which it does not have, never.
        """
        modes = self.modes or MODES
        every = product(self.devices, modes, self.dtypes, self.batches)
        return [
            Setting(device, mode, dtype, batch, self.threads, self.img_size, self.repeats)
            for device, mode, dtype, batch in every
            if (self.modes is not None or device != "cpu" or mode == "eager")
            and (device, dtype) != ("cpu", "tf32")
        ]


def default_devices() -> tuple[str, ...]:
    """The CPU, and the GPU where there is one."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def make_plan(
    methods: Sequence[str] | None,
    devices: Sequence[str] | None,
    modes: Sequence[str] | None,
    dtypes: Sequence[str],
    batches: Sequence[int],
    threads: int,
    img_size: int,
    rounds: int,
    repeats: int,
) -> Plan:
    """Check what was asked for.

    Raises:
        UserError: an unknown method, a GPU that is not there, or a number below 1.
    """
    names = tuple(methods) if methods else tuple(load_methods())
    for name in names:
        method_slug(name)
    wanted = tuple(devices) if devices else default_devices()
    if "cuda" in wanted and not torch.cuda.is_available():
        raise UserError("there is no GPU to time on", found="cuda", expected="cpu")
    numbers = {"threads": threads, "rounds": rounds, "repeats": repeats, "batch": min(batches)}
    for what, number in numbers.items():
        if number < 1:
            raise UserError(f"{what} must be positive", found=str(number), expected="1 or more")
    return Plan(
        names, wanted, tuple(modes) if modes else None, tuple(dtypes), tuple(batches),
        threads, img_size, rounds, repeats,
    )  # fmt: skip


def run_worker(method: str, setting: Setting) -> Timing:
    """Time one setting in a process of its own; one that the kernel kills was out of memory."""
    batch = setting.batch
    while True:
        asked = Setting(**{**asdict(setting), "batch": batch})
        words = [sys.executable, "-m", "mednext.cost.timing", method, json.dumps(asdict(asked))]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            timing = Timing(**json.loads(done.stdout.splitlines()[-1]))
            return timing if batch == setting.batch else timing.after_memory(setting.batch)
        if done.returncode == -9 and batch > 1:
            batch //= 2
            continue
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Timing(batch=batch, reason=lines[-1][:200])


def rows_of(plan: Plan, worker: Worker = run_worker) -> list[LatencyRow]:
    """Time everything, round by round, and join the rounds.

    A setting that fails in one round is not tried again in the next.
    """
    settings = plan.settings()
    found: dict[tuple[str, Setting], list[Timing]] = {}
    for _ in range(plan.rounds):
        for method, setting in product(plan.methods, settings):
            if setting.mode == "folded" and not method.startswith(FOLDABLE):
                continue  # nothing is folded: it would be the eager network again
            earlier = found.setdefault((method, setting), [])
            if not earlier or earlier[-1].times_ms:
                earlier.append(worker(method, setting))
    gpu = torch.cuda.get_device_name() if "cuda" in plan.devices else None
    hashes = {"cpu": env_hash(), "cuda": env_hash(gpu)}
    rows = [_row(*key, timings, hashes[key[1].device]) for key, timings in found.items()]
    return rows + _skipped(plan, hashes["cpu"])


def _row(method: str, setting: Setting, timings: list[Timing], environment: str) -> LatencyRow:
    batch = min(t.batch for t in timings)
    failed = next((t for t in timings if not t.times_ms), None)
    reasons = [t.reason for t in timings if t.reason]
    fields = _fields(method, setting, batch, environment)
    if failed is not None:
        return LatencyRow(**{**fields, "status": "failed", "reason": failed.reason})
    # Rounds in which memory forced a smaller batch cannot be joined with the others.
    alike = [t for t in timings if t.batch == batch]
    times = np.concatenate([t.times_ms for t in alike])
    low, median, high, tail = np.quantile(times, (0.25, 0.5, 0.75, 0.95))
    peaks = [t.peak_memory_mib for t in alike if t.peak_memory_mib is not None]
    states = [t.gpu for t in alike if t.gpu]
    together = [t.back_to_back_ms for t in alike if t.back_to_back_ms is not None]
    per_batch = float(np.median(together)) if together else float(median)
    measured: dict[str, Any] = {
        **_gpu_fields(states),
        "median_ms": round(float(median), 4),
        "iqr_ms": round(float(high - low), 4),
        "p95_ms": round(float(tail), 4),
        "images_per_s": round(1000 * batch / per_batch, 3),
        "peak_memory_mib": round(max(peaks), 1) if peaks else None,
        "repeats": len(times),
        "busy": any(t.busy for t in alike) or any(s["other_processes"] for s in states),
        "reason": reasons[0] if reasons else None,
    }
    return LatencyRow(**{**fields, **measured})


def _gpu_fields(states: list[dict[str, Any]]) -> dict[str, Any]:
    """The lowest clock, and the worst of the rest, over the rounds; empty where none is known."""
    if not states:
        return {}
    clocks = [s["clock_mhz"] for s in states if s["clock_mhz"] is not None]
    throttled = [s["throttled"] for s in states if s["throttled"] is not None]
    users = [s["other_processes"] for s in states if s["other_processes"] is not None]
    return {
        "gpu_clock_mhz": min(clocks) if clocks else None,
        "gpu_throttled": any(throttled) if throttled else None,
        "gpu_other_processes": max(users) if users else None,
    }


def _fields(method: str, setting: Setting, batch: int, environment: str) -> dict[str, Any]:
    side = setting.img_size
    unknown = ("median_ms", "iqr_ms", "p95_ms", "images_per_s", "peak_memory_mib", "reason")
    return {
        **LatencyRow.fields_of(setting),
        **dict.fromkeys(unknown),
        "method": method,
        "memory_format": "channels_last",
        "batch": batch,
        "input_shape": f"{batch}x3x{side}x{side}",
        "repeats": 0,
        "busy": False,
        "status": "ok",
        "env_hash": environment,
    }


def _skipped(plan: Plan, environment: str) -> list[LatencyRow]:
    if plan.modes is not None or "cpu" not in plan.devices:
        return []
    rows = []
    dtypes = [dtype for dtype in plan.dtypes if dtype != "tf32"]  # which a CPU does not have
    for method, dtype, batch in product(plan.methods, dtypes, plan.batches):
        setting = Setting(
            "cpu", "compiled", dtype, batch, plan.threads, plan.img_size, plan.repeats
        )
        fields = _fields(method, setting, batch, environment)
        rows.append(LatencyRow(**{**fields, "status": "skipped", "reason": SLOW_TO_COMPILE}))
    return rows


def write_latency(path: Path, plan: Plan) -> None:
    """Time everything and write ``latency.csv``."""
    write_rows(path, LatencyRow, rows_of(plan))
