"""The share of a profile outside training and evaluation, from made-up records of Snakemake."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "speed")
    import shares

    yield shares
    for name in ("shares", "side_by_side"):
        sys.modules.pop(name, None)


def record(
    checkout: Path, rule: str, output: str, begun: float, ended: float, cut: int = 0
) -> None:
    name = base64.b64encode(output.encode()).decode()
    folder = checkout / ".snakemake" / "metadata"
    file = folder / f"@{name[:cut]}" / name[cut:] if cut else folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    words = {"rule": rule, "shellcmd": f"{rule} {begun:.0f}", "starttime": begun, "endtime": ended}
    file.write_text(json.dumps(words))
    (checkout / output).parent.mkdir(parents=True, exist_ok=True)
    (checkout / output).write_text('{"config": {"source_id": "phantom-1"}}')


def test_by_hand(shares: object, tmp_path: Path) -> None:
    run = "results/demo/runs/acdc/paper/unet/seed0"
    record(tmp_path, "train_segmentation", f"{run}/run.json", 10, 60, cut=8)
    record(tmp_path, "evaluate", f"{run}/cases.last.csv", 60, 70)
    # One job of two outputs, one of the profile's data, one of another profile, one of other data.
    record(tmp_path, "tables", "results/demo/tables/table1.csv", 70, 85)
    record(tmp_path, "tables", "results/demo/tables/table2.csv", 70.001, 85.001)
    record(tmp_path, "fetch_acdc", "data/phantom-1/acdc/raw/manifest.csv", 0, 5)
    record(tmp_path, "tables", "results/smoke/tables/table1.csv", 100, 900)
    record(tmp_path, "fetch_acdc", "data/phantom-2/acdc/raw/manifest.csv", 0, 500)
    jobs = shares.jobs_of(tmp_path, "demo")  # type: ignore[attr-defined]
    assert [job.rule for job in jobs] == ["fetch_acdc", "train_segmentation", "evaluate", "tables"]
    # 5 + 15 of 5 + 50 + 10 + 15 seconds
    assert shares.elsewhere(jobs) == pytest.approx(20 / 80, abs=1e-4)  # type: ignore[attr-defined]


def test_nothing_was_trained(shares: object, tmp_path: Path) -> None:
    record(tmp_path, "tables", "results/demo/tables/table1.csv", 70, 85)
    with pytest.raises(FileNotFoundError, match="no training"):
        shares.jobs_of(tmp_path, "demo")  # type: ignore[attr-defined]
