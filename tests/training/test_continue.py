"""Continued and refused trainings of small networks on made-up data."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mednext.analysis.metrics import collect
from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.results import MetricRow, RunRecord, read_rows, read_run
from mednext.runs import finished
from mednext.training import train as engine
from mednext.training.batches import batch_count, train_batches
from mednext.training.evaluate import evaluate, paths_of, predict
from mednext.training.step import Stepper

Tiny = Callable[..., RunConfig]


class Stopped(Exception):
    pass


def stop_in_epoch(monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    """The epoch is trained but not finished: its work must be thrown away."""
    whole = engine.train_epoch

    def stopped(*arguments: Any) -> float:
        loss = whole(*arguments)
        if arguments[3] == stop:
            raise Stopped
        return loss

    monkeypatch.setattr(engine, "train_epoch", stopped)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_continued_is_bit_for_bit_undisturbed(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, task: str, stop: int
) -> None:
    run = tiny(task)
    undisturbed = engine.train(run)
    shutil.rmtree("results")
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, stop)
        with pytest.raises(Stopped):
            engine.train(run)
    epochs: list[int] = []
    whole = engine.train_epoch

    def counted(*arguments: Any) -> float:
        epochs.append(arguments[3])
        return whole(*arguments)

    monkeypatch.setattr(engine, "train_epoch", counted)
    continued = engine.train(run)
    assert epochs == list(range(stop, 3))
    assert continued.weights == undisturbed.weights
    assert set(continued.weights) == {"last", "best_val"}
    assert continued.best_epochs == undisturbed.best_epochs
    assert pd.read_csv(paths_of(run).history).epoch.tolist() == [1, 2, 3]
    assert [entry.name for entry in paths_of(run).work.iterdir()] == ["finished.json"]


def test_the_best_epoch_is_the_first_of_equals(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.75, 0.75])
    monkeypatch.setattr(engine, "validate", lambda *a: (1.0, next(scores)))
    record = engine.train(tiny("classification"))
    assert record.best_epochs == {"best_val": 2}
    assert record.weights["best_val"] != record.weights["last"]


def test_the_best_on_the_test_side_is_kept_on_request(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"val": iter([0.5, 0.9, 0.7]), "test": iter([0.8, 0.6, 0.7])}
    monkeypatch.setattr(engine, "validate", lambda r, d, s, subset: (1.0, next(scores[subset])))
    record = engine.train(tiny("classification", selections=("last", "best_val", "best_test")))
    assert record.best_epochs == {"best_val": 2, "best_test": 1}
    assert len(set(record.weights.values())) == 3


def test_the_test_set_is_not_looked_at_without_request(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[str] = []
    monkeypatch.setattr(
        engine, "validate", lambda r, d, s, subset: watched.append(subset) or (1.0, 0.5)
    )
    engine.train(tiny("classification"))
    assert watched == ["val"] * 3


def test_a_failed_run_keeps_its_last_good_checkpoint(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = engine.train_epoch
    monkeypatch.setattr(engine, "train_epoch", lambda *a: whole(*a) if a[3] < 2 else math.nan)
    run = tiny("classification")
    record = engine.train(run)
    assert record.status == "failed" and record.epochs_done == 2
    (file,) = paths_of(run).work.rglob("checkpoint.pt")
    kept = torch.load(file, weights_only=True)
    assert kept["state"]["epoch"] == 2
    assert all(v.isfinite().all() for v in kept["model"].values())


def test_a_rate_out_of_all_measure_diverges_at_once(tiny: Tiny) -> None:
    run = tiny("classification")
    run = run.model_copy(update={"recipe": {**run.recipe, "lr": 1e30}})
    record = engine.train(run)
    assert record.status == "failed" and record.epochs_done == 0
    assert str(record.reason).startswith("diverged: the training loss was ")
    # The losses before it are kept, and are numbers that JSON can hold.
    assert record.first_losses and all(map(math.isfinite, record.first_losses))


def test_without_a_validation_side_there_is_no_best(tiny: Tiny) -> None:
    run = tiny("classification", val=False)
    record = engine.train(run)
    assert record.status == "ok" and record.n_val == 0
    assert set(record.weights) == {"last"} and record.best_epochs == {}
    predict(run)
    evaluate(run)
    assert len(pd.read_csv(paths_of(run).cases("last"))) == 4
    assert pd.read_csv(paths_of(run).cases("best_val")).empty
    collect([run], Path("metrics.csv"))
    rows = read_rows(Path("metrics.csv"), MetricRow)
    assert {(r.selection, r.status) for r in rows} == {("last", "ok"), ("best_val", "skipped")}


def test_a_last_batch_of_one_image_is_left_out(tiny: Tiny) -> None:
    run = tiny("classification")  # 13 training images, batches of 4
    data = engine.load(run)
    sizes = [len(labels) for _, labels in train_batches(data, run, 0)]
    assert sizes == [4, 4, 4] and batch_count(13, run) == 3
    assert (batch_count(14, run), batch_count(12, run), batch_count(1, run)) == (4, 3, 1)


def test_batches_depend_on_the_epoch_and_on_nothing_else(tiny: Tiny) -> None:
    run = tiny("classification")
    data = engine.load(run)

    def first(epoch: int, **changes: Any) -> list[float]:
        images, _ = next(iter(train_batches(data, run.model_copy(update=changes), epoch)))
        assert images.shape == (4, 3, 32, 32)
        return images.flatten().tolist()

    assert first(1) == first(1) == first(1, method="convnext_t")
    assert first(1) != first(2)
    assert first(1) != first(1, seed=1)


def test_weights_that_are_not_finite_are_a_failure(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(run: RunConfig, data: object, stepper: Stepper, *rest: object) -> float:
        next(stepper.model.parameters()).data.fill_(math.inf)
        return 0.5

    run = tiny("classification", epochs=1)
    monkeypatch.setattr(engine, "train_epoch", spoil)
    record = engine.train(run)
    assert record.status == "failed" and "not finite" in str(record.reason)
    assert record.weights == {} and not paths_of(run).weights("last").exists()


def count_trainings(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The runs that are really trained from now on."""
    trained: list[RunConfig] = []
    whole = engine._train
    monkeypatch.setattr(engine, "_train", lambda run, *a: trained.append(run) or whole(run, *a))
    return trained


def failed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    run = tiny("classification", epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "train_epoch", lambda *a: math.nan)
        assert engine.train(run).status == "failed"
    return run


def test_a_failed_run_is_not_tried_again_by_itself(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = failed(tiny, monkeypatch)
    trained = count_trainings(monkeypatch)
    assert engine.train(run).status == "failed" and trained == []
    assert engine.train(run, retry_failed=True).status == "ok" and trained == [run]


def test_a_failed_run_is_tried_again_with_other_code(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = failed(tiny, monkeypatch)
    monkeypatch.setattr(finished, "code_hash", lambda run: "0" * 16)
    assert engine.train(run).status == "ok"


def test_a_failed_run_is_tried_again_if_its_record_is_removed(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Snakemake does when it is told to run a job again."""
    run = failed(tiny, monkeypatch)
    paths_of(run).run_json.unlink()
    assert engine.train(run).status == "ok"


def test_a_finished_run_without_its_record_is_not_trained_again(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, Snakemake leaves the training running, and removes ``run.json`` when it restarts."""
    run = tiny("classification", epochs=1)
    first = engine.train(run)
    paths_of(run).run_json.unlink()
    trained = count_trainings(monkeypatch)
    assert engine.train(run) == first == read_run(paths_of(run).run_json)
    assert trained == []


def test_what_a_killed_writer_left_is_removed(tiny: Tiny) -> None:
    run = tiny("classification", epochs=1)
    root = paths_of(run).root
    root.mkdir(parents=True)
    for name in (".weights.last.abc.part.safetensors", ".run.abc.part.json"):
        (root / name).write_bytes(b"half")
    engine.train(run)
    (root / ".predictions.last.abc.part.npz").write_bytes(b"half")
    predict(run)
    (root / ".cases.last.abc.part.csv").write_bytes(b"half")
    evaluate(run)
    assert not [f.name for f in root.iterdir() if f.name.startswith(".")]


@pytest.mark.parametrize("changed", ["config", "weights"])
def test_a_changed_run_is_trained_again(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    run = tiny("classification", epochs=1)
    engine.train(run)
    if changed == "config":
        run = tiny("classification", epochs=2)
    else:
        paths_of(run).weights("last").write_bytes(b"")
    calls: list[RunRecord] = []
    again = engine._train
    monkeypatch.setattr(engine, "_train", lambda *a: calls.append(again(*a)) or calls[-1])
    assert engine.train(run) is calls[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimizer", "adamv"),
        ("schedule", "cosin"),
        ("loss", "ce_dice"),
        ("augment", "transunet"),
    ],
)
def test_an_unknown_recipe_is_refused_before_training(tiny: Tiny, name: str, value: str) -> None:
    run = tiny("classification")
    run = run.model_copy(update={"recipe": {**run.recipe, name: value}})
    with pytest.raises(UserError, match=rf"unknown {name}(.|\n)*recipes.yaml(.|\n)*{value}"):
        engine.train(run)
    assert not paths_of(run).work.exists()


def test_each_epoch_is_one_plain_line(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    engine.train(tiny("classification"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for words in ("epoch 3/3", "loss ", "val ", "images/s", "0:00:00 left"):
        assert words in lines[2]
