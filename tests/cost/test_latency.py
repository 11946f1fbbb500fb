"""Latencies: rounds that interleave, numbers by hand, and what does not fit into memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mednext.cli import main
from mednext.cost import timing
from mednext.cost.latency import Plan, make_plan, rows_of
from mednext.cost.timing import OthersWatch, Setting, Timing, time_method
from mednext.errors import UserError
from mednext.results import LatencyRow, read_rows

PLAN = Plan(("unet", "resnet18"), ("cpu",), ("eager",), ("fp32",), (2,), 1, 64, 2, 4)


def test_rounds_interleave_and_are_joined() -> None:
    asked = []

    def worker(method: str, setting: Setting) -> Timing:
        asked.append(method)
        late = len(asked) > 2  # the second round
        times = (5.0, 6.0, 7.0, 8.0) if late else (1.0, 2.0, 3.0, 4.0)
        return Timing(2, times, peak_memory_mib=100.0 + late, busy=late)

    first, _ = rows_of(PLAN, worker)
    assert asked == ["unet", "resnet18", "unet", "resnet18"]
    # Of 1..8: the median is 4.5, the quartiles (numpy's default) 2.75 and 6.25, 95 % at 7.65.
    assert (first.median_ms, first.iqr_ms, first.p95_ms) == (4.5, 3.5, 7.65)
    assert first.images_per_s == pytest.approx(2 / 4.5e-3, abs=1e-3)
    assert (first.repeats, first.busy, first.peak_memory_mib) == (8, True, 101.0)
    assert (first.method, first.batch, first.input_shape) == ("unet", 2, "2x3x64x64")


def test_a_gpu_is_timed_in_all_modes_and_its_state_recorded() -> None:
    plan = Plan(("mednext", "resnet18"), ("cuda",), None, ("tf32",), (4,), 1, 64, 2, 2)
    rounds: dict[tuple[str, str], int] = {}

    def worker(method: str, setting: Setting) -> Timing:
        late = rounds[method, setting.mode] = rounds.get((method, setting.mode), 0) + 1
        state = {"clock_mhz": 1980 - 500 * (late - 1), "throttled": late == 2, "other_processes": 0}
        return Timing(4, (2.0, 2.0), back_to_back_ms=0.5 * late, gpu=state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
        rows = rows_of(plan, worker)
    # A network that has nothing to fold is not timed a second time.
    assert [(r.method, r.mode) for r in rows] == [
        *(("mednext", mode) for mode in ("eager", "compiled", "folded")),
        *(("resnet18", mode) for mode in ("eager", "compiled")),
    ]
    first = rows[0]
    assert first.median_ms == 2.0
    assert first.images_per_s == pytest.approx(4 / 0.75e-3, abs=1e-3)  # of 0.5 and 1 ms
    assert (first.gpu_clock_mhz, first.gpu_throttled, first.gpu_other_processes) == (1480, True, 0)
    assert first.busy is False


def test_a_cpu_is_not_timed_in_tf32_nor_folded_unless_asked() -> None:
    plan = Plan(("mednext",), ("cpu",), None, ("fp32", "tf32"), (1,), 1, 64, 1, 1)
    assert [(s.mode, s.dtype) for s in plan.settings()] == [("eager", "fp32")]
    asked = Plan(("mednext",), ("cpu",), ("folded",), ("fp32",), (1,), 1, 64, 1, 1)
    assert [s.mode for s in asked.settings()] == ["folded"]
    found = time_method("mednext", Setting("cpu", "folded", "fp32", 1, 1, 64, 2))
    assert found.times_ms and found.back_to_back_ms is None and found.gpu is None


def test_a_warm_up_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(timing.WARM_UP_SECONDS, "cpu", 0.2)
    runs: list[float] = []
    begun = time.perf_counter()
    timing.warm_up(lambda: runs.append(time.sleep(0.01) or 0.0), "cpu")
    assert time.perf_counter() - begun >= 0.2 and len(runs) >= timing.WARM_UP
    assert timing.WARM_UP_SECONDS["cuda"] >= 1


def test_a_failure_is_a_row_and_is_not_repeated() -> None:
    asked = []

    def worker(method: str, setting: Setting) -> Timing:
        asked.append(method)
        return Timing(2, (1.0,)) if method == "unet" else Timing(2, reason="ValueError: no")

    good, bad = rows_of(PLAN, worker)
    assert asked == ["unet", "resnet18", "unet"]
    assert good.status == "ok" and good.reason is None
    assert (bad.status, bad.reason, bad.median_ms) == ("failed", "ValueError: no", None)


def test_a_round_with_less_memory_decides_the_batch() -> None:
    answers = [Timing(2, (2.0, 2.0)), Timing(1, (1.5, 1.7), reason="out of memory at batch 2")]
    plan = Plan(("unet",), ("cpu",), ("eager",), ("fp32",), (2,), 1, 64, 2, 2)
    (row,) = rows_of(plan, lambda *_: answers.pop(0))
    assert (row.batch, row.input_shape, row.repeats) == (1, "1x3x64x64", 2)
    assert row.median_ms == 1.6 and row.reason == "out of memory at batch 2"


class Small(nn.Conv2d):
    """A network whose device holds two images."""

    seen: list[int]

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return super().forward(x)


def test_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Small(3, 2, 1)
    model.seen = []
    monkeypatch.setattr("mednext.models.registry.create_model", lambda *_, **__: model)
    found = time_method("unet", Setting("cpu", "eager", "fp32", 8, 1, 8, 5))
    assert model.seen[:2] == [8, 4] and set(model.seen[2:]) == {2}
    assert len(model.seen[2:]) >= timing.WARM_UP + 1
    assert found.batch == 2 and found.times_ms
    assert found.reason == "out of memory at batch 8"


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Conv2d(4, 2, 1)  # is given three channels
    monkeypatch.setattr("mednext.models.registry.create_model", lambda *_, **__: model)
    with pytest.raises(RuntimeError, match="channels"):
        time_method("unet", Setting("cpu", "eager", "fp32", 8, 1, 8, 5))


def test_a_busy_machine_is_noticed() -> None:
    watch = OthersWatch()
    spin = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert watch.cores() > timing.BUSY_CORES


def test_our_own_work_is_not_others() -> None:
    before = timing._cpu_of_others() + time.process_time()
    ours = time.process_time()
    while time.process_time() < ours + 0.4:
        pass
    # Without the subtraction at least 0.4 s would be added to what really others do.
    total = timing._cpu_of_others() + time.process_time() - before
    assert total >= 0.4 - 0.05


def test_what_cannot_be_timed_is_refused() -> None:
    with pytest.raises(UserError, match="unknown method"):
        make_plan(["u_net"], None, None, ["fp32"], [1], 1, 64, 1, 1)
    with pytest.raises(UserError, match="batch must be positive"):
        make_plan(["unet"], ["cpu"], None, ["fp32"], [0], 1, 64, 1, 1)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no GPU"):
            make_plan(["unet"], ["cuda"], None, ["fp32"], [1], 1, 64, 1, 1)


def test_the_verb(tmp_path: Path) -> None:
    out = tmp_path / "latency.csv"
    words = ["latency", "--out", str(out), "--methods", "resnet18", "--img-size", "32"]
    words += ["--dtypes", "fp32", "--batches", "2", "--threads", "1", "--rounds", "1"]
    assert main([*words, "--repeats", "3", "--devices", "cpu"]) == 0
    eager, compiled = read_rows(out, LatencyRow)
    assert (eager.status, eager.mode) == ("ok", "eager")
    assert eager.repeats >= 1
    assert eager.median_ms is not None and 0 < eager.median_ms < 5000
    assert eager.p95_ms is not None and eager.p95_ms >= eager.median_ms
    assert eager.peak_memory_mib is None or 50 < eager.peak_memory_mib < 8000
    assert compiled.status == "skipped" and compiled.reason is not None
