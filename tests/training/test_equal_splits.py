"""Two protocols with the same split are one training that fills both rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mednext.config import RunConfig
from mednext.datasets.subsets import split_hash
from mednext.files import exclusive, sha256_file
from mednext.layout import DataPaths
from mednext.results import read_run
from mednext.runs.finished import equal_protocols
from mednext.training import train as engine
from mednext.training.evaluate import evaluate, paths_of, predict

from .conftest import tiny_run

Tiny = Callable[..., RunConfig]


@pytest.fixture
def twins(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> tuple[RunConfig, RunConfig]:
    monkeypatch.setattr(engine, "equal_protocols", lambda run, split: ["paper", "grouped"])
    run = tiny("segmentation")
    return run, run.model_copy(update={"protocol": "grouped"})


def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Protocols of the runs that are really trained from now on."""
    protocols: list[str] = []
    whole = engine._train
    monkeypatch.setattr(
        engine, "_train", lambda run, *a: protocols.append(run.protocol) or whole(run, *a)
    )
    return protocols


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_they_are_trained_once(
    order: tuple[int, int], twins: tuple[RunConfig, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    protocols = trained(monkeypatch)
    first, second = (twins[i] for i in order)
    one, other = engine.train(first), engine.train(second)
    assert protocols == [first.protocol]
    assert (one.trained_as, other.trained_as) == (None, first.protocol)
    assert other.weights == one.weights and other.config_hash == second.config_hash
    assert other.config["protocol"] == second.protocol
    assert read_run(paths_of(second).run_json) == other
    for run in twins:
        predict(run)
        evaluate(run)
    same = ("weights.last.safetensors", "weights.best_val.safetensors", "history.csv")
    for name in (*same, "predictions.last.npz", "cases.last.csv"):
        assert sha256_file(paths_of(first).root / name) == sha256_file(paths_of(second).root / name)
    # Either is whole by itself: the other's files may go.
    paths_of(first).weights("last").unlink()
    assert engine.train(second) == other and protocols == [first.protocol]


def test_a_stopped_one_is_continued_under_the_other_name(
    twins: tuple[RunConfig, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = engine.train(tiny_run("segmentation", profile="undisturbed"))
    epochs: list[int] = []
    whole = engine.train_epoch

    def stopped(*arguments: object) -> float:
        epochs.append(arguments[3])  # type: ignore[arg-type]
        if epochs == [0, 1]:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "train_epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        engine.train(twins[0])
    record = engine.train(twins[1])
    assert epochs == [0, 1, 1, 2] and record.weights == undisturbed.weights


def test_one_waits_while_the_other_trains(
    twins: tuple[RunConfig, RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    place = paths_of(twins[0]).work
    with exclusive(place.with_name(f"{place.name}.training"), "the same training"):
        waiting = threading.Thread(target=engine.train, args=(twins[1],))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and not paths_of(twins[1]).run_json.exists()
    waiting.join(60)
    assert read_run(paths_of(twins[1]).run_json).status == "ok"
    assert "waiting: another process is working on the same training" in capsys.readouterr().out


def test_a_failure_is_not_taken_over(
    twins: tuple[RunConfig, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "train_epoch", lambda *a: float("nan"))
        assert engine.train(twins[0]).status == "failed"
    assert engine.train(twins[1]).status == "ok"


def test_other_weights_than_were_written_are_not_taken_over(
    twins: tuple[RunConfig, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.train(twins[0])
    file = paths_of(twins[0]).weights("last")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    protocols = trained(monkeypatch)
    assert engine.train(twins[1]).trained_as is None and protocols == ["grouped"]


def test_which_protocols_have_the_same_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = tiny_run("classification", dataset="monkeypox_msld", protocol="grouped")
    paths = DataPaths(run.source_id, run.dataset)
    paths.split("paper").parent.mkdir(parents=True)
    for protocol, text in (("paper", "a"), ("grouped", "a"), ("fold1", "b")):
        paths.split(protocol).write_text(text)
    digest = split_hash(paths.split("grouped"))
    assert equal_protocols(run, digest) == ["paper", "grouped"]
    paths.split("paper").write_text("c")
    assert equal_protocols(run, digest) == ["grouped"]
