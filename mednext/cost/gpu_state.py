"""Driver, clocks, throttling and other processes of a GPU, as nvidia-smi tells them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

THROTTLED = 0x04 | 0x08 | 0x20 | 0x40 | 0x80
"""Bits of clocks_event_reasons.active: power cap, hardware slowdown, thermal (software, hardware),
power brake (NVML API reference, nvmlClocksEventReasons)."""
FIELDS = (
    "uuid",
    "name",
    "driver_version",
    "compute_cap",
    "mig.mode.current",
    "clocks.sm",
    "clocks.max.sm",
    "clocks_throttle_reasons.active",
)
SECONDS = 30


@dataclass(frozen=True)
class GpuState:
    """One GPU at one moment; None is what it does not tell."""

    uuid: str
    name: str
    driver: str
    capability: str | None
    mig: bool
    """Is it divided into instances?"""
    clock_mhz: int | None
    max_clock_mhz: int | None
    throttled: bool | None
    """By power or heat."""
    other_processes: int | None
    """Processes but this one that use it."""


def gpu_states() -> list[GpuState]:
    """Of all GPUs of this machine; empty where nvidia-smi is missing or fails."""
    rows = _ask("--query-gpu=" + ",".join(FIELDS))
    users = _ask("--query-compute-apps=gpu_uuid,pid")
    return [_state(row, users) for row in rows if len(row) == len(FIELDS)]


def gpu_state() -> dict[str, Any] | None:
    """Of the GPU that this process uses, by torch's first device; None if it is not known."""
    import torch

    states = gpu_states()
    uuid = str(getattr(torch.cuda.get_device_properties(0), "uuid", ""))
    found = [state for state in states if uuid and uuid in state.uuid]
    return asdict(found[0]) if found else None


def _state(row: list[str], users: list[list[str]]) -> GpuState:
    uuid, name, driver, capability, mig, clock, most, reasons = row
    pids = [user[1] for user in users if user[0] == uuid]
    bits = int(reasons, 16) if reasons.startswith("0x") else None
    return GpuState(
        uuid=uuid,
        name=name,
        driver=driver,
        capability=capability if capability[:1].isdigit() else None,
        mig=mig == "Enabled",
        clock_mhz=_number(clock),
        max_clock_mhz=_number(most),
        throttled=None if bits is None else bool(bits & THROTTLED),
        other_processes=sum(pid != str(os.getpid()) for pid in pids),
    )


def _number(word: str) -> int | None:
    return int(word) if word.isdigit() else None


def _ask(query: str) -> list[list[str]]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    words = [tool, query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            words, capture_output=True, text=True, check=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [[word.strip() for word in line.split(",")] for line in done.stdout.splitlines() if line]
