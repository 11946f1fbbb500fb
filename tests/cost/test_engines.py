"""The comparison of engines: right ratios, right logits, a row for whatever cannot be measured."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mednext.results import read_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    threads = torch.get_num_threads()
    monkeypatch.syspath_prepend(ROOT / "benchmarks/speed")
    yield importlib.import_module("engines")
    torch.set_num_threads(threads)
    for name in ("engines", "side_by_side"):
        sys.modules.pop(name, None)


@pytest.fixture
def tiny(engines: Any, tmp_path: Path) -> Any:
    return engines.Setting("torch", 1, 2, rounds=3, folder=str(tmp_path), img_size=64)


def test_medians_and_quartiles_by_hand(engines: Any) -> None:
    seconds = {"mednext": [0.002, 0.006, 0.004], "resnet18": [0.001, 0.002, 0.004]}
    assert engines.figures(seconds) == {
        "mednext_ms": 4.0, "mednext_q1": 3.0, "mednext_q3": 5.0,
        "resnet18_ms": 2.0, "resnet18_q1": 1.5, "resnet18_q3": 3.0,
        "ratio": 2.0, "ratio_q1": 1.5, "ratio_q3": 2.5,  # of 2, 3 and 1
    }  # fmt: skip


def test_torch_is_measured(engines: Any, tiny: Any) -> None:
    row, profile = engines.measure(tiny)
    assert (row.status, row.n, row.threads, row.batch) == ("ok", 3, 1, 2)
    assert row.version == importlib.metadata.version("torch")
    assert 0 < row.mednext_q1 <= row.mednext_ms
    # 224,856,064 and 296,093,696 by torch's FlopCounterMode, which counts no single elements.
    assert row.flops_ratio == pytest.approx(0.7594, abs=0.01) and row.bytes_ratio > 1
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
    engines: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(name: str, network: Any, images: torch.Tensor, setting: Any) -> Any:
        return lambda: engines.in_torch(name, network, images, setting)() + 1

    monkeypatch.setitem(engines.ENGINES, "torch", wrong)
    with pytest.raises(AssertionError, match="torch, mednext: logits differ"):
        engines.measure(tiny)


def test_a_missing_or_failing_engine_is_a_row(
    engines: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.PACKAGES, "OpenVINO", "no-such-package")
    row, _ = engines.run(replace(tiny, engine="OpenVINO"))
    assert (row.status, row.reason) == ("skipped", "no-such-package is not installed")
    row, _ = engines.run(replace(tiny, img_size=50))
    assert row.status == "failed" and row.n == 0 and row.ratio is None and row.reason


def test_the_page_says_what_the_file_holds(engines: Any) -> None:
    rows = read_rows(engines.COMMITTED, engines.EngineRow)
    profile = read_rows(engines.COMMITTED.with_name(engines.PROFILE), engines.ProfileRow)
    assert engines.DOCUMENT.read_text() == engines.document(rows, profile)
    wanted = [(s.engine, s.threads, s.batch) for s in engines.settings(1, "")]
    assert [(row.engine, row.threads, row.batch) for row in rows] == wanted


def test_a_page_of_measured_busy_and_missing_engines(engines: Any, tiny: Any) -> None:
    values = {"n": 15, "cpu": "Some CPU", "version": "1.2", "busy_cores": 0.0}
    values |= {"mednext_ms": 26.04, "resnet18_ms": 20.0, "ratio": 1.302}
    values |= {"ratio_q1": 1.29, "ratio_q3": 1.31}
    fair = replace(tiny, threads=2, batch=1)
    where = {"threads": 2, "batch": 16}
    times = [("mednext", "mm", 30.0), ("mednext", "gelu", 0.1), ("resnet18", "conv", 20.0)]
    profile = [
        engines.ProfileRow(network=network, operation=operation, ms=ms, **where)
        for network, operation, ms in times
    ]
    page = engines.document(
        [
            engines.row_of(fair, "ok", **values, flops_ratio=1.1, bytes_ratio=2.04),
            engines.row_of(tiny, "ok", **values | {"busy_cores": 0.9}),
            engines.row_of(replace(tiny, engine="OpenVINO"), "skipped", reason="not installed"),
            engines.row_of(replace(tiny, engine="torch.compile"), "pending", reason="unmeasured"),
        ],
        profile,
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    table = {tuple(cells[:3]): cells[3:] for cells in rows if len(cells) == 8}
    ratio = "**1.30** [1.29, 1.31]"
    assert table["torch", "2", "1"] == ["26.0", "20.0", ratio, "15", "1.30"]
    assert table["torch", "1", "2"] == ["26.0", "20.0", ratio, "15, busy", ""]
    assert table["OpenVINO", "1", "2"][0] == "skipped: not installed"
    assert table["torch.compile", "1", "2"][0] == "unmeasured"
    assert "Measured on Some CPU with torch 1.2." in page and "1 of 2 rows" in page
    assert "1.10 times the arithmetic of ResNet-18, 2.04 times" in page
    assert ["mm", "30.0", "0.0"] in rows and ["conv", "0.0", "20.0"] in rows
    assert not [cells for cells in rows if cells[:1] == ["gelu"]]  # a third of a per cent
