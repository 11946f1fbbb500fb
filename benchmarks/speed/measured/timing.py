"""Both networks in one process: taking turns, timed, and (eager torch) profiled."""

from __future__ import annotations

import importlib.metadata
from copy import deepcopy

import numpy as np
import torch
from side_by_side import interleave, ratios
from torch import nn

from measured.calls import ENGINES, Call, both_networks, training_step
from measured.limits import limits, rates, work_of
from measured.rows import PACKAGES, EngineRow, ProfileRow, Setting, row_of
from mednext.cost.timing import OthersWatch
from mednext.provenance import machine

REPEATS = {1: 5}
"""Batch -> calls per round."""
PROFILED = 3
"""Calls under the profiler."""


def measure(setting: Setting) -> tuple[EngineRow, list[ProfileRow]]:
    """Time both networks in rounds; of eager torch, also its operations and their limits.

    Raises:
        AssertionError: the engine computes other logits than the networks as they are defined.
    """
    torch.set_num_threads(setting.threads)
    torch.set_flush_denormal(True)
    side = setting.img_size
    both = both_networks(side)
    images = torch.randn(setting.batch, 3, side, side).to(memory_format=torch.channels_last)
    calls = {name: _call(name, network, images, setting) for name, network in both.items()}
    watch = OthersWatch()
    seconds = interleave(calls, setting.rounds, REPEATS.get(setting.batch, 1), untimed=1)
    busy = round(watch.cores(), 2)
    in_eager = setting.engine == "torch"
    allowed, profile = {}, []
    if in_eager:
        work = {name: work_of(name, network, setting) for name, network in both.items()}
        allowed, profile = limits(work, *rates(setting)), profiled(setting, calls)
    row = row_of(
        setting,
        "ok",
        version=importlib.metadata.version(PACKAGES[setting.engine]),
        n=setting.rounds,
        busy_cores=busy,
        cpu=machine()["cpu"],
        **figures(seconds),
        **allowed,
    )
    return row, profile


def _call(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    if setting.work == "training step":
        return training_step(name, deepcopy(network), images, setting)
    with torch.no_grad():
        expected = network(images).numpy()
    call = ENGINES[setting.engine](name, network, images, setting)
    difference = np.abs(call() - expected).max() / np.abs(expected).max()
    assert difference < 1e-3, f"{setting.engine}, {name}: logits differ by {difference:.2g}"
    return call


def profiled(setting: Setting, calls: dict[str, Call]) -> list[ProfileRow]:
    """Milliseconds of each of torch's operations, without those that it calls itself."""
    rows = []
    for name, call in calls.items():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(PROFILED):
                call()
        rows += [
            ProfileRow(
                work=setting.work,
                network=name,
                threads=setting.threads,
                batch=setting.batch,
                operation=event.key,
                ms=round(event.self_cpu_time_total / 1e3 / PROFILED, 3),
            )
            for event in profile.key_averages()
        ]
    return sorted(rows, key=lambda row: (row.network, -row.ms))


def figures(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Median, first and third quartile: milliseconds of each network, and their ratio."""
    parts = {
        "mednext": ("mednext_ms", "mednext_q1", "mednext_q3", 1e3),
        "resnet18": ("resnet18_ms", "resnet18_q1", "resnet18_q3", 1e3),
        "ratio": ("ratio", "ratio_q1", "ratio_q3", 1),
    }
    values = {**seconds, "ratio": ratios(seconds, "mednext", "resnet18")}
    found = {}
    for name, (middle, low, high, factor) in parts.items():
        quartiles = np.quantile(values[name], (0.5, 0.25, 0.75)) * factor
        for column, value in zip((middle, low, high), quartiles, strict=True):
            found[column] = round(float(value), 3)
    return found
