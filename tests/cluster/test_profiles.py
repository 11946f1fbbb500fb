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
    evaluations = [job for job in jobs if re.match(r"\s*rule evaluate", job)]
    assert len(evaluations) == 435 and all("gpu=1" in job for job in evaluations)
    # Sixteen evaluations share a submission.
    assert done.stdout.count("roup job evaluations") == -(-435 // 16)
