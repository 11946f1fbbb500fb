"""What memory and arithmetic of this machine allow, whatever the program.

Operations and their traffic are counted on torch's meta device (:mod:`mednext.cost.work`); the two
rates are measured in the same process as the networks. A roofline per operation: Williams, Waterman
and Patterson 2009, 10.1145/1498765.1498785. It is no bound for a program that fuses operations or
whose maps stay in the caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from measured.calls import folded
from measured.rows import Setting
from mednext.cost.work import Work, prediction_work, training_work

SIDE = 1024
"""Of the matrices whose product is timed."""
STEM = 64
"""Channels of the first map, which has half the side of the image."""


def work_of(name: str, network: nn.Module, setting: Setting) -> Work:
    """Operations of what :mod:`measured.calls` runs."""
    shape = (setting.batch, 3, setting.img_size, setting.img_size)
    if setting.work == "training step":
        return training_work(network.to("meta"), shape, "classification")
    return prediction_work(folded(name, network).to("meta"), shape)


def rates(setting: Setting) -> tuple[float, float]:
    """Multiplications and additions, and bytes, per second, of the best of some tries."""
    a, b = torch.randn(2, SIDE, SIDE)
    source = torch.randn(setting.batch, STEM, setting.img_size // 2, setting.img_size // 2)
    to = torch.empty_like(source)
    flops = 2 * SIDE**3 / _best(lambda: torch.mm(a, b))
    return flops, 2 * source.nbytes / _best(lambda: to.copy_(source))


def _best(call: Callable[[], object], tries: int = 10) -> float:
    seconds = []
    for _ in range(tries):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def limits(
    both: dict[str, Work], flops_per_s: float, bytes_per_s: float
) -> dict[str, float | None]:
    """The columns of a row: ratios of what is counted, and milliseconds at the two rates.

    >>> from mednext.cost.work import Operation
    >>> one = Work((Operation(2e9, 0.0, 1e6, 1), Operation(0.0, 0.0, 3e6, 2)), 0)
    >>> found = limits({"mednext": one, "resnet18": one}, 1e12, 1e9)
    >>> found["mednext_memory_ms"], found["mednext_limit_ms"], found["bytes_ratio"]
    (7.0, 8.0, 1.0)
    """
    flops, moved, found = {}, {}, {}
    for name, work in both.items():
        every = [(o.tensor_flops + o.vector_flops, o.bytes, o.times) for o in work.operations]
        flops[name] = sum(f * n for f, _, n in every)
        moved[name] = sum(b * n for _, b, n in every)
        seconds = sum(max(f / flops_per_s, b / bytes_per_s) * n for f, b, n in every)
        found[f"{name}_memory_ms"] = round(moved[name] / bytes_per_s * 1e3, 3)
        found[f"{name}_limit_ms"] = round(seconds * 1e3, 3)
    return {
        **found,
        "flops_ratio": round(flops["mednext"] / flops["resnet18"], 3),
        "bytes_ratio": round(moved["mednext"] / moved["resnet18"], 3),
        "gflops_per_s": round(flops_per_s / 1e9, 1),
        "gbytes_per_s": round(bytes_per_s / 1e9, 1),
    }
