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
from collections.abc import Callable
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
from mednext.runs.resolve import resolve_runs, run_paths

ROOT = Path(__file__).resolve().parents[2]
KILLS_PER_MODEL = 10
# What the workflow's rules do for one run, in one process; it says when the imports are over.
WORK = """
import sys
from mednext.cli.stop import orderly_stop
from mednext.config import load_profile
from mednext.runs.resolve import resolve_runs, select_runs
from mednext.training.evaluate import evaluate, predict
from mednext.training.train import train
(run,) = select_runs(resolve_runs(load_profile("tiny.yaml")), dataset=sys.argv[1])
with orderly_stop():
    print("ready", flush=True)
    for step in (train, predict, evaluate):
        step(run)
"""


def prepared(folder: Path, datasets: dict[str, object]) -> dict[str, RunConfig]:
    """The runs of a profile with these data sets, ready to train; its file is in ``folder``."""
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "datasets": datasets}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    profile = load_profile(folder / "tiny.yaml")
    for dataset, run in profile.datasets.items():
        for step in (fetch, verify, prepare):
            step(dataset, run)
        split(dataset, run, "paper")
    return {run.dataset: run for run in resolve_runs(profile)}


# Before that: die in the middle of the nth write, when the temporary file is there and not renamed.
DEADLY = """
import os, signal, sys
from pathlib import Path
rename, left = Path.replace, [int(sys.argv[2])]
def deadly(self, target):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.replace = deadly
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is worked in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    return tmp_path


def start(dataset: str, deadly_write: int | None = None) -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORK, dataset]
    if deadly_write is not None:
        command[2:] = [DEADLY + WORK, dataset, str(deadly_write)]
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


def killed_again_and_again(
    run: RunConfig, expected: dict[str, str], number: signal.Signals, most: float, wanted: int
) -> int:
    """Run to the end as often as it takes to be hit ``wanted`` times; the files must be the same
    each time. A process lives for up to ``most`` seconds after its imports."""
    chance = random.Random(7)
    kills = 0
    # Python's default comes back once the work is over and the interpreter winds down.
    stopped = {-number, 128 + number if number == signal.SIGTERM else -number}
    while kills < wanted:
        shutil.rmtree(results_root("tiny"))
        ended = False
        while not ended:
            process = start(run.dataset)
            # Short enough that most are hit, long enough that an epoch now and then is done.
            ended = finish(process, time.monotonic() + chance.uniform(0, most))
            if not ended:
                process.send_signal(number)
                rest, _ = process.communicate()
                code = process.returncode
                assert code in {0, *stopped}, rest.decode()
                ended = code == 0  # it was over before the signal came
                kills += not ended
        assert digests(run) == expected
    return kills


def undisturbed(run: RunConfig) -> tuple[dict[str, str], float]:
    """Digests of the files of a run that nothing disturbs, and how long it took."""
    begun = time.monotonic()
    assert finish(start(run.dataset), begun + 900)
    found = digests(run)
    assert {"weights.last.safetensors", "predictions.last.npz", "cases.last.csv"} <= set(found)
    return found, time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    ("dataset", "method", "phantom"),
    [
        ("sars_cov2_ct", "mednext", {"train": 24, "val": 8, "test": 12}),
        ("acdc", "medunext", {"train": 1, "val": 1, "test": 2}),
    ],
)
def test_killed_at_random_moments(
    dataset: str, method: str, phantom: dict[str, int], number: signal.Signals, place: Path
) -> None:
    entry = {"source": "phantom", "img_size": 32, "epochs": 4, "batch_size": 4}
    run = prepared(place, {dataset: entry | {"methods": [method], "phantom": phantom}})[dataset]
    expected, whole = undisturbed(run)
    assert killed_again_and_again(run, expected, number, whole / 3, KILLS_PER_MODEL) >= 10


@pytest.mark.slow
def test_killed_in_the_middle_of_every_write(place: Path) -> None:
    """Best weights, checkpoints, weights, history, both records, predictions, cases."""
    entry = {"source": "phantom", "img_size": 32, "epochs": 3, "batch_size": 8}
    entry |= {"methods": ["resnet18"], "phantom": {"train": 16, "val": 8, "test": 8}}
    run = prepared(place, {"sars_cov2_ct": entry})["sars_cov2_ct"]
    expected, _ = undisturbed(run)
    shutil.rmtree(results_root("tiny"))
    results_root("tiny").mkdir()
    half_written = []
    # What was finished before the kill is not written again, but for weights and predictions.
    for write in (1, 2, 3, 2, 2, 2, 3, 4, 5, 2, 2, 3, 4):
        before = set(results_root("tiny").rglob(".*.part*"))
        process = start("sars_cov2_ct", deadly_write=write)
        process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL
        (new,) = set(results_root("tiny").rglob(".*.part*")) - before
        half_written.append(new.name.split(".")[1])
    assert half_written == [
        *("best_val-1", "checkpoint", "checkpoint", "checkpoint"),
        *("weights", "weights", "history", "finished", "run"),
        *("predictions", "predictions", "cases", "cases"),
    ]
    assert finish(start("sars_cov2_ct"), time.monotonic() + 300)
    assert digests(run) == expected
    assert not list(results_root("tiny").rglob(".*.part*"))


@pytest.mark.slow
def test_real_scans_killed_20_times(place: Path, local_data: Callable[[str], Path]) -> None:
    local_data("sars-cov-2-ct-scan-256")
    entry = {
        "source": "local",
        "folder": "sars-cov-2-ct-scan-256",
        "methods": ["mednext"],
        "img_size": 64,
        "epochs": 5,
        "batch_size": 8,
        "limit": {"train": 48, "val": 16, "test": 24},
    }
    run = prepared(place, {"sars_cov2_ct": entry})["sars_cov2_ct"]
    expected, whole = undisturbed(run)
    kills = killed_again_and_again(run, expected, signal.SIGKILL, whole / 4, 20)
    name = "weights.last.safetensors"
    print(f"{kills} kills; undisturbed {expected[name]}, killed {digests(run)[name]}")
    assert kills >= 20
