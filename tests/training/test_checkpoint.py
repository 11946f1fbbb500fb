from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mednext.config import RunConfig
from mednext.models.registry import create_model
from mednext.training import checkpoint
from mednext.training import train as engine
from mednext.training.evaluate import paths_of

Tiny = Callable[..., RunConfig]

IDENTITY = {"config": "a", "code": "b", "data": "c", "split": "d"}


def test_a_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    state = {"identity": IDENTITY, "state": {"epoch": 2, "best": None}, "x": torch.arange(3)}
    checkpoint.save(tmp_path / "c.pt", state)
    found = checkpoint.restore(tmp_path / "c.pt", IDENTITY)
    assert found is not None and found["state"] == state["state"]
    assert torch.equal(found["x"], torch.arange(3))
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_without_a_checkpoint_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoint.restore(tmp_path / "c.pt", IDENTITY) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kept", [0, 10, 300])
def test_a_damaged_one_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: int
) -> None:
    file = tmp_path / "c.pt"
    checkpoint.save(file, {"identity": IDENTITY, "x": torch.arange(999)})
    file.write_bytes(file.read_bytes()[:kept])
    assert checkpoint.restore(file, IDENTITY) is None
    assert "starting anew" in capsys.readouterr().err


@pytest.mark.parametrize("value", [{"weights": 1}, [1, 2], {"identity": 3}])
def test_a_file_of_something_else_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    checkpoint.save(tmp_path / "c.pt", value)  # type: ignore[arg-type]
    assert checkpoint.restore(tmp_path / "c.pt", IDENTITY) is None
    assert "not a checkpoint of a run" in capsys.readouterr().err


@pytest.mark.parametrize("changed", sorted(IDENTITY))
def test_one_of_another_run_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: str
) -> None:
    checkpoint.save(tmp_path / "c.pt", {"identity": {**IDENTITY, changed: "other"}})
    assert checkpoint.restore(tmp_path / "c.pt", IDENTITY) is None
    assert f"of another {changed}" in capsys.readouterr().err


def in_minutes(
    monkeypatch: pytest.MonkeyPatch, seconds: float, stop: int | None = None
) -> list[str]:
    """As on a GPU: a checkpoint at most every two minutes, and epochs that take ``seconds``; the
    training is killed in the epoch ``stop``. Returns the files that will be written."""
    now, written = 0.0, []
    whole, save = engine.train_epoch, checkpoint.save

    def epoch(*arguments: Any) -> float:
        nonlocal now
        if arguments[3] == stop:
            raise KeyboardInterrupt
        now += seconds
        return whole(*arguments)

    def saved(path: Path, state: dict[str, Any]) -> None:
        written.append(path.name)
        save(path, state)

    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", {"cpu": engine.CHECKPOINT_SECONDS["cuda"]})
    monkeypatch.setattr(engine, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(engine, "train_epoch", epoch)
    monkeypatch.setattr(checkpoint, "save", saved)
    return written


def test_checkpoints_of_a_gpu_are_two_minutes_apart_and_change_no_bit(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny("classification", epochs=7)
    undisturbed = engine.train(run)
    shutil.rmtree("results")
    with monkeypatch.context() as patch:
        written = in_minutes(patch, 50, stop=5)
        with pytest.raises(KeyboardInterrupt):
            engine.train(run)
    assert written.count("checkpoint.pt") == 1  # after 150 seconds, not yet after 250
    again = engine.train(run)
    assert again.weights == undisturbed.weights
    assert again.best_epochs == undisturbed.best_epochs and again.epochs_done == 7


def scored(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """The validation scores of the first epochs."""
    answers = iter(scores)
    monkeypatch.setattr(engine, "validate", lambda *_: (1.0, next(answers)))


def test_best_weights_are_written_once_and_beside_the_checkpoint(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny("classification", epochs=5)
    scored(monkeypatch, 0.5, 0.9, 0.7, 0.6)
    with monkeypatch.context() as patch:
        written = in_minutes(patch, 120, stop=4)
        with pytest.raises(KeyboardInterrupt):
            engine.train(run)
    last = "checkpoint.pt"
    assert written == ["best_val-1.pt", last, "best_val-2.pt", last, last, last]
    (file,) = paths_of(run).work.rglob(last)
    assert sorted(f.name for f in file.parent.iterdir()) == ["best_val-2.pt", last]
    content = torch.load(file, weights_only=True)
    assert content["state"]["best"] == {"best_val": {"score": 0.9, "epoch": 2}}
    kept = torch.load(file.with_name("best_val-2.pt"), weights_only=True)["weights"]
    assert not torch.equal(kept["head.1.weight"], content["model"]["head.1.weight"])
    scored(monkeypatch, 0.8)
    record = engine.train(run)
    assert record.best_epochs == {"best_val": 2}
    assert record.weights["best_val"] != record.weights["last"]


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_checkpoint_without_its_best_weights_is_not_used(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    run = tiny("classification")
    undisturbed = engine.train(run)
    shutil.rmtree("results")
    with monkeypatch.context() as patch:
        in_minutes(patch, 120, stop=2)
        with pytest.raises(KeyboardInterrupt):
            engine.train(run)
    (best,) = paths_of(run).work.rglob("best_val-*.pt")
    if damage == "lost":
        best.unlink()
    else:
        best.write_bytes(best.read_bytes()[:-1])
    assert engine.train(run).weights == undisturbed.weights
    assert f"needs {best.name} beside it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("device", "looked_at"), [("cuda", [10, 20, 25]), ("cpu", list(range(1, 26)))]
)
def test_patch_cnn_is_validated_every_tenth_epoch_on_a_gpu(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, device: str, looked_at: list[int]
) -> None:
    """And in the last one. Its evaluation counts votes of many patches, its training does not."""
    monkeypatch.setattr(engine, "validate", lambda *_: (1.0, 0.5))
    run = tiny("classification", epochs=25)
    model = create_model("patch_cnn", num_classes=2, in_chans=3, img_size=64)
    stepper: Any = SimpleNamespace(device=torch.device(device), model=model)
    no_data: Any = None

    def score(epoch: int) -> float:
        return engine._scores(run, no_data, stepper, epoch)["val"][1]

    assert [e for e in range(1, 26) if not math.isnan(score(e))] == looked_at
    stepper.model = create_model("resnet18", num_classes=2, in_chans=3, img_size=64)
    assert score(1) == 0.5
