"""Both cluster profiles with the whole matrix of the paper: every job knows what it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_dry_run_of_the_paper_profile(name: str, tmp_path: Path) -> None:
    # --directory keeps the checkout's own data and results out of the test.
    env = os.environ | {"PYTHONPATH": str(ROOT), "MEDNEXT_DATA": "data"}
    for link in ("benchmarks", "results"):
        (tmp_path / link).symlink_to(ROOT / link)
    words = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path), "--dry-run"]
    words += ["--configfile", str(ROOT / "config/paper.yaml")]
    words += ["--workflow-profile", str(ROOT / "profiles" / name)]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    jobs = re.split(r"\n(?=\s*(?:local)?rule )", done.stdout)
    trainings = [job for job in jobs if re.match(r"\s*rule train_", job)]
    assert len(trainings) == 435
    for job in trainings:
        assert "gpu=1" in job
        assert "mem_mb=12000" in job and "runtime=720" in job
    # What runs a network gets a GPU, what only counts does not hold one.
    for rule, count, gpus in (
        ("predict", 435, 1),
        ("evaluate", 435, 0),
        ("browse", 10, 1),
        ("explain_", 5, 1),
        ("signal", 1, 1),
        ("metrics", 1, 0),
    ):
        found = [job for job in jobs if re.match(rf"\s*rule {rule}", job)]
        assert len(found) == count, rule
        assert sum("gpu=1" in job for job in found) == count * gpus, rule
    # Sixteen runs share a submission.
    for group in ("predictions", "evaluations"):
        assert done.stdout.count(f"roup job {group}") == -(-435 // 16)
