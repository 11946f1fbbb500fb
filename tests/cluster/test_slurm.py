"""A profile through a real Slurm on loopback; one job is cancelled half-way, and it recovers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mednext.files import sha256_file
from tests.cluster.conftest import Slurm, wait_for

from ..checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
RUNS = "results/tiny/runs/sars_cov2_ct/paper/{method}/seed0"
EPOCHS = 8


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The workflow with two small networks on a phantom."""
    copy_checkout(tmp_path)
    entry = {"source": "phantom", "phantom": {"train": 96, "val": 16, "test": 16}}
    entry |= {"methods": ["mednext", "resnet18"], "img_size": 64, "epochs": EPOCHS}
    entry |= {"batch_size": 8}
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "device": "cpu"}
    text = yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": entry}})
    (tmp_path / "tiny.yaml").write_text(text)
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """snakemake with the cluster's profile, its settings for waiting made short."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MEDNEXT_DATA": str(folder / "data"),
    }
    command = [sys.executable, "-m", "snakemake", *words, "--configfile", "tiny.yaml"]
    command += ["--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"]
    command += ["--slurm-no-account", "--slurm-init-seconds-before-status-checks", "2"]
    command += ["--seconds-between-status-checks", "2", "--latency-wait", "10"]
    command += ["--default-resources", "mem_mb=1000", "runtime=10", "slurm_partition=loopback"]
    # The node is small; what the rules ask for is tested in test_resources.py.
    command += ["--set-resources"]
    for rule in ("train_classification", "predict", "evaluate", "metrics"):
        command += [f"{rule}:mem_mb=2000", f"{rule}:runtime=20"]
    for step in ("verify", "prepare", "split"):
        command += [f"{step}_sars_cov2_ct:mem_mb=1000"]
    log = (folder / "snakemake.log").open("ab")
    return subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)


@pytest.mark.slow
def test_a_profile_through_slurm(slurm: Slurm, checkout: Path) -> None:
    work = checkout / "results/tiny/work/sars_cov2_ct/paper/mednext/seed0"
    process = start(checkout, "results/tiny/metrics.csv")
    log = checkout / "snakemake.log"
    try:
        wait_for(
            lambda: process.poll() is not None or any(work.glob("*/checkpoint.pt")),
            600,
            "a finished epoch of mednext",
        )
        assert process.poll() is None, log.read_text()[-3000:]
        format_ = "--format=%i|%T|%k"
        jobs = [row.split("|") for row in slurm("squeue", "--noheader", format_).splitlines()]
        (job,) = [number for number, state, name in jobs if "mednext" in name]
        slurm("scancel", job)
        assert process.wait(1200) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
    text = log.read_text()
    print(text[-2500:])
    print(slurm.log()[-1500:])
    assert "Trying to restart job" in text
    # Fetching needs the way out that snakemake's own machine has.
    assert "localrule fetch_sars_cov2_ct:" in text
    for method in ("mednext", "resnet18"):
        record = json.loads((checkout / RUNS.format(method=method) / "run.json").read_text())
        assert (record["status"], record["epochs_done"]) == ("ok", EPOCHS)
        weights = checkout / RUNS.format(method=method) / "weights.last.safetensors"
        assert sha256_file(weights) == record["weights"]["last"]
    # Snakemake begins a new log with the retry: it went on after the last finished epoch.
    logs = checkout / "results/tiny/logs/runs/sars_cov2_ct/paper/mednext/seed0"
    epochs = [int(n) for n in re.findall(r"epoch (\d+)/", (logs / "train.log").read_text())]
    assert epochs[0] > 1 and epochs == list(range(epochs[0], EPOCHS + 1))
    history = pd.read_csv(checkout / RUNS.format(method="mednext") / "history.csv")
    assert history.epoch.tolist() == list(range(1, EPOCHS + 1))
    states = slurm("squeue", "--noheader", "--states=all", "--format=%i|%T")
    assert f"{job}|CANCELLED" in states and states.count("COMPLETED") >= 4
