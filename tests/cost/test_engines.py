"""The comparison of engines: right ratios, right logits, a row for whatever cannot be measured."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mednext.results import read_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of benchmarks/speed."""
    threads, before = torch.get_num_threads(), set(sys.modules)
    monkeypatch.syspath_prepend(ROOT / "benchmarks/speed")
    yield importlib.import_module
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("engines", "measured", "networks", "predicting", "side_by_side"):
            sys.modules.pop(name)


@pytest.fixture
def engines(script: Callable[[str], Any]) -> Any:
    return script("engines")


@pytest.fixture
def timing(script: Callable[[str], Any]) -> Any:
    return script("measured.timing")


@pytest.fixture
def page(script: Callable[[str], Any]) -> Any:
    return script("measured.page")


@pytest.fixture
def tiny(engines: Any, tmp_path: Path) -> Any:
    return engines.Setting("torch", 1, 2, rounds=3, folder=str(tmp_path), img_size=64)


def test_medians_and_quartiles_by_hand(timing: Any) -> None:
    seconds = {"mednext": [0.002, 0.006, 0.004], "resnet18": [0.001, 0.002, 0.004]}
    assert timing.figures(seconds) == {
        "mednext_ms": 4.0, "mednext_q1": 3.0, "mednext_q3": 5.0,
        "resnet18_ms": 2.0, "resnet18_q1": 1.5, "resnet18_q3": 3.0,
        "ratio": 2.0, "ratio_q1": 1.5, "ratio_q3": 2.5,  # of 2, 3 and 1
    }  # fmt: skip


def test_torch_is_measured(timing: Any, tiny: Any) -> None:
    row, profile = timing.measure(tiny)
    assert (row.status, row.n, row.threads, row.batch) == ("ok", 3, 1, 2)
    assert row.version == importlib.metadata.version("torch")
    assert 0 < row.mednext_q1 <= row.mednext_ms
    # 224,856,064 and 296,093,696 by torch's FlopCounterMode, which counts no single elements.
    assert row.flops_ratio == pytest.approx(0.7594, abs=0.01) and row.bytes_ratio > 1
    assert 0 < row.mednext_memory_ms <= row.mednext_limit_ms
    assert row.gflops_per_s > 1 and row.gbytes_per_s > 0.1
    for network in ("mednext", "resnet18"):
        times = {one.operation: one.ms for one in profile if one.network == network}
        assert any("convolution" in name for name in times) and sum(times.values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "torch.compile", "ONNX Runtime", "OpenVINO"])
def test_every_installed_engine_runs_in_a_process_of_its_own(
    engines: Any, tiny: Any, engine: str
) -> None:
    if not engines.installed(engine):
        pytest.skip(f"{engines.PACKAGES[engine]} is not installed")
    row, profile = engines.run(replace(tiny, engine=engine))
    assert row.status == "ok", row.reason
    assert bool(profile) == (engine == "torch")
    assert row.engine == engine and row.n == 3 and row.ratio > 0 and row.resnet18_ms > 0


def test_other_logits_are_not_timed(
    timing: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_torch = timing.ENGINES["torch"]

    def wrong(name: str, network: Any, images: torch.Tensor, setting: Any) -> Any:
        return lambda: in_torch(name, network, images, setting)() + 1

    monkeypatch.setitem(timing.ENGINES, "torch", wrong)
    with pytest.raises(AssertionError, match="torch, mednext: logits differ"):
        timing.measure(tiny)


def test_a_training_step_is_measured(timing: Any, tiny: Any) -> None:
    step = replace(tiny, work="training step", rounds=1, img_size=32)
    row, profile = timing.measure(step)
    assert (row.work, row.status, row.n) == ("training step", "ok", 1)
    backward = [one.network for one in profile if "convolution_backward" in one.operation]
    assert set(backward) == {"mednext", "resnet18"}


def test_a_missing_or_failing_engine_is_a_row(
    engines: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.PACKAGES, "OpenVINO", "no-such-package")
    row, _ = engines.run(replace(tiny, engine="OpenVINO"))
    assert (row.status, row.reason) == ("skipped", "no-such-package is not installed")
    row, _ = engines.run(replace(tiny, img_size=50))
    assert row.status == "failed" and row.n == 0 and row.ratio is None and row.reason


def test_the_page_says_what_the_files_hold(engines: Any, page: Any, tmp_path: Path) -> None:
    page.write_page(tmp_path / "speed.md")
    assert (ROOT / "docs/speed.md").read_text() == (tmp_path / "speed.md").read_text()
    rows = read_rows(engines.FOLDER / engines.ENGINES_FILE, engines.EngineRow)
    assert [(r.work, r.engine, r.threads, r.batch) for r in rows] == [
        (s.work, s.engine, s.threads, s.batch) for s in engines.settings(1, "")
    ]


def cells(text: str) -> list[list[str]]:
    """Of every table."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


@pytest.fixture
def measured(engines: Any, page: Any, tiny: Any) -> str:
    """A page of measured, busy and missing engines, of which one misses its target."""
    values = {"n": 15, "cpu": "Some CPU", "version": "1.2", "busy_cores": 0.0}
    values |= {"mednext_ms": 26.04, "resnet18_ms": 20.0, "ratio": 1.302}
    values |= {"ratio_q1": 1.29, "ratio_q3": 1.31}
    counted = {"flops_ratio": 1.1, "bytes_ratio": 2.04, "gflops_per_s": 80, "gbytes_per_s": 9.5}
    counted |= {"mednext_memory_ms": 12.0, "resnet18_memory_ms": 8.0}
    counted |= {"mednext_limit_ms": 25.0, "resnet18_limit_ms": 20.0}
    fair = replace(tiny, threads=2, batch=1)
    step = replace(fair, batch=16, work="training step")
    profile = [
        engines.ProfileRow(
            work=work, network=network, threads=2, batch=batch, operation=operation, ms=ms
        )
        for work, batch, network, operation, ms in (
            ("prediction", 1, "mednext", "mm", 30.0),
            ("prediction", 1, "mednext", "gelu", 0.1),
            ("prediction", 1, "resnet18", "conv", 20.0),
            ("training step", 16, "mednext", "backward", 40.0),
        )
    ]
    stream = {"images": 10_000, "img_size": 224, "status": "ok", "cores": 2}
    stream |= {"seconds": 200.0, "cpu_seconds": 390.0, "peak_mib": 612.4}
    return page.page(
        [
            engines.row_of(fair, "ok", **values, **counted),
            engines.row_of(tiny, "ok", **values | {"busy_cores": 0.9}),
            engines.row_of(replace(tiny, engine="OpenVINO"), "skipped", reason="not installed"),
            engines.row_of(replace(tiny, engine="torch.compile"), "pending", reason="unmeasured"),
            engines.row_of(step, "ok", **values | {"ratio": 1.5}),
        ],
        profile,
        [page.StreamRow(**stream)],
    )


def test_the_table_of_engines(measured: str) -> None:
    table = {tuple(row[:4]): row[4:] for row in cells(measured) if len(row) == 9}
    ratio = "**1.30** [1.29, 1.31]"
    assert table["prediction", "torch", "2", "1"] == ["26.0", "20.0", ratio, "15", "1.30"]
    assert table["prediction", "torch", "1", "2"] == ["26.0", "20.0", ratio, "15, busy", ""]
    assert table["prediction", "OpenVINO", "1", "2"][0] == "skipped: not installed"
    assert table["prediction", "torch.compile", "1", "2"][0] == "unmeasured"
    assert "Measured on Some CPU with torch 1.2." in measured and "1 of 3 rows" in measured
    assert "Images of 64 pixels" in measured


def test_targets_head_the_page_and_what_misses_one_is_profiled(measured: str) -> None:
    missed = "prediction, batch 1, torch, 2 threads: **1.30** (target 1.30: missed)"
    met = "training step, batch 16, torch, 2 threads: **1.50** (target 1.55: met)"
    assert measured.index(missed) < measured.index(met) < measured.index("| engine")
    rows = cells(measured)
    assert ["mm", "30.0", "0.0"] in rows and ["conv", "0.0", "20.0"] in rows
    assert ["all", "30.1", "20.0"] in rows
    assert not [row for row in rows if row[:1] in (["gelu"], ["backward"])]  # small; target met


def test_what_memory_and_arithmetic_allow(measured: str) -> None:
    row = ["prediction", "2", "1", "1.10", "2.04", "80", "9.5"]
    assert [*row, "12.0 / 8.0 = 1.50", "25.0 / 20.0 = 1.25", "1.30"] in cells(measured)


def test_a_folder_of_many_images_on_the_page(measured: str) -> None:
    assert ["10000", "224", "200", "50", "612", "1.95", "2"] in cells(measured)


def test_the_peak_of_another_process(script: Callable[[str], Any]) -> None:
    """Not that of this one, which holds more."""
    held = bytearray(os.urandom(1)) * (1 << 28)
    code = "b = bytearray(b'x') * (100 << 20); del b; print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    peak = script("predicting").peak_mib(child.pid)
    child.communicate(b"\n")
    assert 100 < peak < 130 < len(held) / (1 << 20)
