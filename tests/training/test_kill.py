"""Killed at random moments, the same command ends with the same bytes."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mednext.config import RunConfig, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.files import sha256_file
from mednext.layout import results_root
from mednext.runs import resolve_runs, run_paths

ROOT = Path(__file__).resolve().parents[2]
KILLS_PER_MODEL = 10
# What the workflow's rules do for one run, in one process; it says when the imports are over.
WORK = """
import sys
from mednext.config import load_profile
from mednext.runs import resolve_runs, select_runs
from mednext.training.evaluate import evaluate, predict
from mednext.training.train import train
(run,) = select_runs(resolve_runs(load_profile("tiny.yaml")), dataset=sys.argv[1])
print("ready", flush=True)
for step in (train, predict, evaluate):
    step(run)
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RunConfig]:
    """One classifier and one segmenter of the paper on small phantoms."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    common = {"source": "phantom", "img_size": 32, "epochs": 4, "batch_size": 4}
    config = {
        "profile": "tiny",
        "seeds": [0],
        "threads": 1,
        "datasets": {
            "sars_cov2_ct": common
            | {"methods": ["mednext"], "phantom": {"train": 24, "val": 8, "test": 12}},
            "acdc": common
            | {"methods": ["medunext"], "phantom": {"train": 1, "val": 1, "test": 2}},
        },
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    profile = load_profile("tiny.yaml")
    for dataset, run in profile.datasets.items():
        for step in (fetch, verify, prepare):
            step(dataset, run)
        split(dataset, run, "paper")
    return {run.dataset: run for run in resolve_runs(profile)}


def start(dataset: str) -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORK, dataset]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def finish(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Read on until the process ends (true) or the time is over (false)."""
    assert process.stdout is not None
    while (left := deadline - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0] and not process.stdout.read1(4096):
            assert process.wait() == 0
            return True
    return False


def digests(run: RunConfig) -> dict[str, str]:
    """Of every file of the run but ``run.json``, which holds the wall time."""
    root = run_paths(run).root
    return {f.name: sha256_file(f) for f in sorted(root.iterdir()) if f.name != "run.json"}


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("dataset", ["sars_cov2_ct", "acdc"])
def test_killed_at_random_moments(
    dataset: str, signal_number: signal.Signals, runs: dict[str, RunConfig]
) -> None:
    run = runs[dataset]
    begun = time.monotonic()
    assert finish(start(dataset), begun + 600)
    whole = time.monotonic() - begun
    expected = digests(run)
    assert {"weights.last.safetensors", "predictions.last.npz", "cases.last.csv"} <= set(expected)
    chance = random.Random(7)
    kills = 0
    while kills < KILLS_PER_MODEL:
        shutil.rmtree(results_root("tiny"))
        ended = False
        while not ended:
            process = start(dataset)
            # Short enough that most are hit, long enough that an epoch now and then is done.
            ended = finish(process, time.monotonic() + chance.uniform(0, whole / 3))
            if not ended:
                process.send_signal(signal_number)
                code = process.wait()
                assert code in (0, -signal_number)
                ended = code == 0  # it was over before the signal came
                kills += not ended
        assert digests(run) == expected
