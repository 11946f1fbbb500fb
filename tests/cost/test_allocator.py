"""Freed memory stays with a process: counted in page faults by the kernel."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict

import pytest

PAGES = 5 * 8 * 16 * 192 * 192 * 4 // 4096
"""Of the maps that one step of the probe makes anew: three in the forward pass, two gradients."""
PROBE = """
import ctypes, json, resource, sys
# PR_SET_THP_DISABLE: with huge pages, one fault brings 512 pages and the count says nothing.
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
import torch
from torch import nn
from mednext.cost.allocator import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else None
torch.set_num_threads(1)
layers = nn.Sequential(nn.Conv2d(3, 16, 1), nn.GELU(), nn.Conv2d(16, 16, 1))
images = torch.randn(8, 3, 192, 192)
faults = []
for _ in range(16):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    layers(images).square().mean().backward()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(json.dumps([kept, faults]))
"""


def probe(how: str) -> tuple[bool | None, list[int]]:
    """What ``keep_freed_memory`` returned, and the page faults of each of 16 training steps."""
    # glibc moves its thresholds as it goes; fixed, every large block comes from the kernel.
    fixed = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, how],
        env=os.environ | fixed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    kept, faults = json.loads(done.stdout)
    return kept, faults


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_maps_are_used_again_without_page_faults() -> None:
    kept, faults = probe("keep")
    assert kept is True
    assert faults[0] > PAGES  # the kernel clears every page once
    _, default = probe("default")
    assert sum(default[6:]) > 5 * PAGES  # in ten steps
    assert sum(faults[6:]) < PAGES


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import mednext.cost.allocator as allocator

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", None)  # would fail if it were called
    assert allocator.keep_freed_memory() is False


def test_every_command_keeps_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import mednext.cli as cli

    asked = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: asked.append(True))
    assert cli.main(["models", "list"]) == 0
    assert asked == [True]


def test_a_process_that_times_a_network_keeps_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import mednext.cost.timing as timing

    asked = []
    monkeypatch.setattr(timing, "keep_freed_memory", lambda: asked.append("memory"))
    monkeypatch.setattr(timing, "time_method", lambda *_: asked.append("time") or timing.Timing(1))
    setting = timing.Setting("cpu", "eager", "fp32", 1, 1, 32, 1)
    assert timing.main(["mednext", json.dumps(asdict(setting))]) == 0
    assert asked == ["memory", "time"]
