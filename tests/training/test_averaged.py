"""Selection ``averaged``: the mean of the last epochs' weights, and its batch norm statistics."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor

from mednext.analysis.metrics import collect
from mednext.config import Profile, RunConfig
from mednext.results import MetricRow, read_rows
from mednext.training import train as engine
from mednext.training.batches import train_batches
from mednext.training.evaluate import evaluate, paths_of, predict
from mednext.training.first_steps import first_losses

from .conftest import TinyClassifier, tiny_data

Tiny = Callable[..., RunConfig]
OPTIONS: dict[str, Any] = {"selections": ("last", "averaged"), "averaged_epochs": 2}


def test_the_mean_of_two_epochs_by_hand(tiny: Tiny) -> None:
    run = tiny("classification", **OPTIONS)
    engine.train(run)
    found = load_file(paths_of(run).weights("averaged"))
    kept: list[dict[str, Tensor]] = []
    shutil.rmtree("results")
    whole = engine.train_epoch

    def watched(run: RunConfig, data: Any, stepper: Any, *rest: Any) -> float:
        loss = whole(run, data, stepper, *rest)
        kept.append({k: v.detach().clone() for k, v in stepper.model.state_dict().items()})
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "train_epoch", watched)
        engine.train(run)
    assert len(kept) == 3
    for name in ("stem.0.weight", "stem.1.bias", "head.1.weight"):
        torch.testing.assert_close(found[name], (kept[1][name] + kept[2][name]) / 2)
    # Batch norm: means of each training batch's mean and variance, after the mean's first layer.
    model = TinyClassifier(2)
    model.load_state_dict(found)
    means, variances = [], []
    for images, _ in train_batches(engine.load(run), run, 3):
        y = model.stem[0](images).detach()
        means.append(y.mean((0, 2, 3)))
        variances.append(y.var((0, 2, 3)))
    assert len(means) == 3 == int(found["stem.1.num_batches_tracked"])
    torch.testing.assert_close(found["stem.1.running_mean"], torch.stack(means).mean(0))
    torch.testing.assert_close(found["stem.1.running_var"], torch.stack(variances).mean(0))


def test_it_is_predicted_counted_and_measured(tiny: Tiny) -> None:
    run = tiny("segmentation", **OPTIONS)
    record = engine.train(run)
    assert set(record.weights) == {"last", "averaged"}
    predict(run)
    evaluate(run)
    collect([run], Path("metrics.csv"))
    rows = read_rows(Path("metrics.csv"), MetricRow)
    assert {(r.selection, r.status) for r in rows} == {("last", "ok"), ("averaged", "ok")}


@pytest.mark.parametrize("stop", [1, 2])
def test_a_continued_training_has_the_same_mean(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    run = tiny("classification", **OPTIONS)
    undisturbed = engine.train(run)
    assert len(undisturbed.first_losses) == 9  # three epochs of three steps
    shutil.rmtree("results")
    whole = engine.train_epoch

    def stopped(*arguments: Any) -> float:
        if arguments[3] == stop:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "train_epoch", stopped)
        with pytest.raises(KeyboardInterrupt):
            engine.train(run)
    continued = engine.train(run)
    assert continued.weights == undisturbed.weights
    assert continued.first_losses == undisturbed.first_losses


def test_the_first_losses_are_those_of_the_steps(tiny: Tiny) -> None:
    run = tiny("classification", epochs=9)
    record = engine.train(run)
    assert len(record.first_losses) == 20
    # Their means over an epoch are the history's, which has all digits of them.
    history = [float(line.split(",")[2]) for line in paths_of(run).history.open().readlines()[1:]]
    for epoch in range(6):
        of_epoch = record.first_losses[3 * epoch : 3 * epoch + 3]
        assert history[epoch] == pytest.approx(sum(of_epoch) / 3, rel=1e-15)
    # And so they are without the rest of the training.
    assert tuple(first_losses(run, tiny_data(run))) == record.first_losses


def test_a_run_without_it_keeps_its_hash(tiny: Tiny) -> None:
    plain, mean = tiny("classification"), tiny("classification", averaged_epochs=2)
    assert "averaged_epochs" not in plain.model_dump(mode="json")
    assert plain.config_hash != mean.config_hash and plain.training_hash != mean.training_hash
    assert RunConfig.model_validate(mean.model_dump(mode="json")) == mean


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"selections": ["last", "averaged"]}, "goes with the selection 'averaged'"),
        ({"averaged_epochs": 2}, "goes with the selection 'averaged'"),
        ({"selections": ["last", "averaged"], "averaged_epochs": 4}, "more than datasets.acdc"),
    ],
)
def test_it_says_of_how_many_epochs(keys: dict[str, Any], words: str) -> None:
    entry = {"source": "local", "methods": ["unet"], "img_size": 64, "epochs": 3, "batch_size": 2}
    text = yaml.safe_dump({"profile": "x", "seeds": [0], "threads": 1, "datasets": {"acdc": entry}})
    with pytest.raises(ValidationError, match=words):
        Profile.model_validate(yaml.safe_load(text) | keys)
