"""The target `cost` makes the full counts; a profile that only needs a cost.csv does not wait."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def planned(folder: Path, target: str) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = ["-m", "snakemake", "--dry-run", "--cores", "1", "--printshellcmds", target]
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("workflow", "benchmarks", "config", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Snakefile", tmp_path)
    return tmp_path


def test_full_counts_are_made_on_request_and_then_used(checkout: Path) -> None:
    assert "mednext cost --full --out results/cost/cost.csv" in planned(checkout, "cost")
    quick = planned(checkout, "results/demo/cost.csv")
    assert "mednext cost --out results/demo/cost.csv" in quick and "--full" not in quick
    full = checkout / "results" / "cost" / "cost.csv"
    full.parent.mkdir(parents=True)
    full.touch()
    assert "cp results/cost/cost.csv results/demo/cost.csv" in planned(
        checkout, "results/demo/cost.csv"
    )
