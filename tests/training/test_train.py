"""Whole trainings on a tiny phantom: repeatable, resumable after a kill, honest about failure."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.ndimage import zoom

from mednext.analysis.metrics import collect
from mednext.cli import main
from mednext.cli.stop import MESSAGE
from mednext.config import RunConfig, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.load import SegmentationData, load
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.files import exclusive
from mednext.layout import results_root
from mednext.results import MetricRow, read_rows, read_run
from mednext.runs.resolve import resolve_runs, run_paths
from mednext.training import train as engine
from mednext.training.evaluate import evaluate, load_model, predict

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RunConfig]:
    """One run per task on prepared phantoms, in a working folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    common = {"source": "phantom", "img_size": 32, "epochs": 3, "batch_size": 8}
    config = {
        "profile": "tiny",
        "seeds": [0],
        "threads": 1,
        "datasets": {
            "sars_cov2_ct": common
            | {"methods": ["resnet18"], "phantom": {"train": 24, "val": 8, "test": 12}},
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


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_run_twice_gives_the_same_bits(threads: int, runs: dict[str, RunConfig]) -> None:
    run = runs["sars_cov2_ct"].model_copy(update={"threads": threads, "epochs": 2})
    first = engine.train(run)
    assert torch.get_num_threads() == first.threads == threads
    shutil.rmtree(results_root("tiny"))
    torch.manual_seed(99)  # what went before must not matter
    again = engine.train(run)
    assert first.status == "ok" and first.weights == again.weights


def test_a_finished_run_is_not_repeated(
    runs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs["sars_cov2_ct"]
    first = engine.train(run)
    monkeypatch.setattr(engine, "train_epoch", lambda *a: pytest.fail("trained again"))
    written = run_paths(run).run_json.stat().st_mtime_ns
    assert engine.train(run) == first
    assert run_paths(run).run_json.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("dataset", "number", "code"),
    [("sars_cov2_ct", signal.SIGTERM, 143), ("acdc", signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_killed_run_continues_to_the_same_bits(
    dataset: str, number: int, code: int, runs: dict[str, RunConfig], tmp_path: Path
) -> None:
    run = runs[dataset]
    undisturbed = engine.train(run)
    shutil.rmtree(results_root("tiny"))
    command = [sys.executable, "-m", "mednext", "train", "--configfile", "tiny.yaml"]
    command += ["--dataset", dataset]
    log = tmp_path / "train.log"
    with log.open("w") as stream:
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=env)
        while "epoch 1/3" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait() == code
    if number == signal.SIGTERM:
        assert log.read_text().endswith(MESSAGE.decode())
        assert not list(results_root("tiny").rglob("*.part*"))
    assert not run_paths(run).run_json.exists()
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert "epoch 1/3" not in done.stdout and "epoch 3/3" in done.stdout
    resumed = read_run(run_paths(run).run_json)
    assert resumed.weights == undisturbed.weights
    history = pd.read_csv(run_paths(run).history)
    assert history.epoch.tolist() == [1, 2, 3]


def test_without_room_nothing_is_half_written(runs: dict[str, RunConfig]) -> None:
    """The limit on file sizes fails a write as a full disk does, in the middle."""
    run = runs["sars_cov2_ct"]
    undisturbed = engine.train(run)
    shutil.rmtree(results_root("tiny"))
    limit = 1_000_000  # less than the weights

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "mednext", "train", "--configfile", "tiny.yaml"]
    command += ["--dataset", "sars_cov2_ct"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    full = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, env=env)
    assert full.returncode == 3
    assert "best_val-1.pt" in full.stderr and "make room" in full.stderr
    assert "Traceback" not in full.stderr
    assert not run_paths(run).run_json.exists()
    assert not list(results_root("tiny").rglob("*.part*"))
    subprocess.run(command, env=env, check=True, capture_output=True)
    limit = 100  # less than the predictions
    command[3] = "predict"
    full = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, env=env)
    assert full.returncode == 3 and "predictions." in full.stderr
    assert not list(results_root("tiny").rglob("*predictions*"))
    assert read_run(run_paths(run).run_json).weights == undisturbed.weights


def test_a_diverged_run_is_a_failed_row(
    runs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs["sars_cov2_ct"]
    monkeypatch.setattr(engine, "train_epoch", lambda *a: float("nan"))
    # A failure that would repeat itself is a row, no error: the sweep goes on.
    assert main(["train", "--configfile", "tiny.yaml", "--dataset", run.dataset]) == 0
    record = read_run(run_paths(run).run_json)
    assert record.status == "failed" and "diverged" in str(record.reason)
    predict(run)
    evaluate(run)
    collect([run], results_root("tiny") / "metrics.csv")
    rows = read_rows(results_root("tiny") / "metrics.csv", MetricRow)
    assert {r.status for r in rows} == {"failed"} and all("diverged" in str(r.reason) for r in rows)


def test_two_processes_cannot_work_on_one_run(runs: dict[str, RunConfig]) -> None:
    run = runs["sars_cov2_ct"]
    work = run_paths(run).work
    with exclusive(work, "this run"), pytest.raises(UserError, match="another process"):
        engine.train(run)


def test_changed_weights_are_refused(runs: dict[str, RunConfig]) -> None:
    run = runs["sars_cov2_ct"]
    engine.train(run)
    file = run_paths(run).weights("last")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"weights(.|\n)*train the run again"):
        predict(run)


def test_metrics_can_be_recomputed_from_the_counts(runs: dict[str, RunConfig]) -> None:
    for run in runs.values():
        engine.train(run)
        predict(run)
        evaluate(run)
    collect(list(runs.values()), results_root("tiny") / "metrics.csv")
    rows = read_rows(results_root("tiny") / "metrics.csv", MetricRow)

    def value(metric: str, target: str, policy: str | None) -> float | None:
        key = (metric, target, policy, "last")
        (found,) = [r.value for r in rows if (r.metric, r.target, r.policy, r.selection) == key]
        return found

    cases = pd.read_csv(run_paths(runs["sars_cov2_ct"]).cases("last"))
    assert len(cases) == 12 and set(cases.side) == {"test"}
    hits = (cases.label == cases.prediction).mean()
    assert value("accuracy", "disease", None) == pytest.approx(hits)
    assert value("accuracy", "non_disease", None) == pytest.approx(hits)
    sick = cases[cases.label == 1]
    assert value("recall", "disease", None) == pytest.approx((sick.prediction == 1).mean())
    organs = pd.read_csv(run_paths(runs["acdc"]).cases("last"))
    assert len(organs) == 2 * 2 * 3  # patients, frames, organs
    as_upstream(runs["acdc"])
    ratio = 2 * organs.tp / (2 * organs.tp + organs.fp + organs.fn)
    by_organ = ratio.where(organs.tp + organs.fp > 0, 0.0).groupby(organs.organ).mean()
    assert value("dice", "mean", "transunet") == pytest.approx(np.mean(by_organ))
    assert value("dice", "lv", "transunet") == pytest.approx(by_organ["lv"])


def as_upstream(run: RunConfig) -> None:
    """The stored volumes are those of TransUNet's ``test_single_volume``: slice by slice, zoomed to
    the training size by cubic splines, argmax, zoomed back by nearest neighbours, stacked."""
    data = load(run)
    assert isinstance(data, SegmentationData)
    model = load_model(run, "last")
    stored = np.load(run_paths(run).predictions("last"))
    for index in data.subsets["test"]:
        case = data.cases[index]
        image, _ = data.volume(case)
        size, shape = run.img_size, case.shape[1:]
        volume = np.zeros(case.shape, np.uint8)
        for number, plane in enumerate(image):
            small = zoom(plane, (size / shape[0], size / shape[1]), order=3)
            with torch.no_grad():
                logits = model(torch.from_numpy(small)[None, None].expand(1, 3, -1, -1))
            labels = logits.argmax(1)[0].numpy()
            volume[number] = zoom(labels, (shape[0] / size, shape[1] / size), order=0)
        # A batch of another size may round a tie to the other side.
        assert (stored[case.case] == volume).mean() > 0.999
