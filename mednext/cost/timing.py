"""Times one network in one setting; run as ``python -m mednext.cost.timing METHOD SETTING``.

The process is started for this alone, so that nothing another network left behind (memory, caches,
compiled code) takes part.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from mednext.cost.allocator import keep_freed_memory
from mednext.cost.gpu_state import gpu_state

WARM_UP = 3
"""Runs that are not timed."""
WARM_UP_SECONDS = {"cpu": 0.0, "cuda": 1.0}
"""At least: a GPU raises its clocks only under load, and kernels are chosen in the first runs."""
BACK_TO_BACK = 30
"""Runs without a wait, at least."""
BUSY_CORES = 0.2
"""CPU time per second that others may take before a timing counts as disturbed."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Setting:
    """One way to run a network."""

    device: str
    mode: str
    """``eager``, ``compiled``, or ``folded`` (:mod:`mednext.models.inference`)."""
    dtype: str
    """``fp32``, ``tf32`` (for products and convolutions alike), or ``bf16`` by autocast."""
    batch: int
    threads: int
    img_size: int
    repeats: int
    """About as many timed runs as this; exactly on a GPU."""


@dataclass(frozen=True)
class Timing:
    """What one process found; no times: it failed."""

    batch: int
    times_ms: tuple[float, ...] = ()
    peak_memory_mib: float | None = None
    busy: bool = False
    reason: str | None = None
    back_to_back_ms: float | None = None
    """Of one run among many that the host does not wait for; None on a CPU, which always waits."""
    gpu: dict[str, Any] | None = None
    """State of the GPU right behind the runs (:class:`mednext.cost.gpu_state.GpuState`)."""

    def after_memory(self, asked: int) -> Timing:
        """The same, with the batch that did not fit as the reason."""
        return replace(self, reason=f"out of memory at batch {asked}")


def time_method(method: str, setting: Setting) -> Timing:
    """Time it, with half the batch as often as the memory does not suffice.

    Raises:
        Exception: whatever the network raises, out of memory at batch 1 included.
    """
    from mednext.config import load_methods
    from mednext.cost.complexity import IN_CHANS, TASK_CLASSES
    from mednext.models.inference import optimize_for_inference
    from mednext.models.registry import create_model

    torch.set_num_threads(setting.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    classes = TASK_CLASSES[load_methods()[method].task]
    model: Any = create_model(
        method, num_classes=classes, in_chans=IN_CHANS, img_size=setting.img_size
    )
    model = model.to(setting.device, memory_format=torch.channels_last).eval()
    kind = "tf32" if setting.dtype == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = kind
    torch.backends.cudnn.conv.fp32_precision = kind  # type: ignore[attr-defined]
    if setting.mode == "compiled":
        model = torch.compile(model)
    elif setting.mode == "folded":
        model = optimize_for_inference(model)
    batch = setting.batch
    while True:
        try:
            images = torch.randn(batch, IN_CHANS, setting.img_size, setting.img_size)
            timing = _time(model, images, setting)
            return timing if batch == setting.batch else timing.after_memory(setting.batch)
        except RuntimeError as error:
            if batch == 1 or not any(words in str(error).lower() for words in OUT_OF_MEMORY):
                raise
        batch //= 2
        if setting.device == "cuda":
            torch.cuda.empty_cache()


def _time(model: Any, images: torch.Tensor, setting: Setting) -> Timing:
    images = images.to(setting.device, memory_format=torch.channels_last)
    lower = torch.autocast(setting.device, dtype=torch.bfloat16)
    with torch.inference_mode(), lower if setting.dtype == "bf16" else nullcontext():
        seconds = warm_up(lambda: model(images), setting.device)
        _reset_peak(setting.device)
        watch = OthersWatch()
        if setting.device == "cuda":
            times = _cuda_times(model, images, setting)
        else:
            times = _cpu_times(model, images, setting, seconds * setting.repeats)
        busy = watch.cores() > BUSY_CORES
        together = gpu = None
        if setting.device == "cuda":
            together = _back_to_back(model, images, max(len(times), BACK_TO_BACK))
            gpu = gpu_state()
    peak = _peak_mib(setting.device)
    return Timing(len(images), tuple(times), peak, busy, back_to_back_ms=together, gpu=gpu)


def warm_up(run: Callable[[], object], device: str) -> float:
    """Run it :data:`WARM_UP` times and for :data:`WARM_UP_SECONDS`; returns the last one's seconds
    (on a GPU those of the call alone, which does not wait).
    """
    begun, runs = time.perf_counter(), 0
    while runs < WARM_UP or time.perf_counter() - begun < WARM_UP_SECONDS[device]:
        last = time.perf_counter()
        run()
        seconds = time.perf_counter() - last
        runs += 1
        if device == "cuda":  # or thousands of runs would wait in the queue
            torch.cuda.synchronize()
    return seconds


def _cpu_times(model: Any, images: torch.Tensor, setting: Setting, seconds: float) -> list[float]:
    """Milliseconds of single runs (of a network of microseconds: means of several)."""
    timer = Timer(
        "model(images)",
        globals={"model": model, "images": images},
        num_threads=setting.threads,
    )
    return [t * 1e3 for t in timer.blocked_autorange(min_run_time=seconds).times]


def _cuda_times(model: Any, images: torch.Tensor, setting: Setting) -> list[float]:
    """Milliseconds between two events of the stream, read when both have passed."""
    times = []
    for _ in range(setting.repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        model(images)
        end.record()
        torch.cuda.synchronize()
        times.append(float(start.elapsed_time(end)))
    return times


def _back_to_back(model: Any, images: torch.Tensor, runs: int) -> float:
    """Milliseconds per run of ``runs`` that follow one another without a wait of the host."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(runs):
        model(images)
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / runs


class OthersWatch:
    """CPU time that other processes take from now on; 0 where the kernel does not tell."""

    def __init__(self) -> None:
        self._begun, self._others = time.monotonic(), _cpu_of_others()

    def cores(self) -> float:
        """Seconds of CPU time per second since the start."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        return max(_cpu_of_others() - self._others, 0.0) / seconds


def _cpu_of_others() -> float:
    """Seconds that all processors have worked, without this process."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0
    user, nice, system, _idle, _wait, irq, soft, *_ = map(
        int, stat.read_text().splitlines()[0].split()[1:]
    )
    ours = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + soft) / ticks - ours.user - ours.system


def _reset_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    except OSError:
        return


def _peak_mib(device: str) -> float | None:
    """Peak of the device's memory, or of this process' resident memory on Linux."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else None


def main(argv: list[str]) -> int:
    """Print the :class:`Timing` of one setting as JSON."""
    method, setting = argv
    keep_freed_memory()  # as the verbs that run networks do
    timing = time_method(method, Setting(**json.loads(setting)))
    print(json.dumps(asdict(timing)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
