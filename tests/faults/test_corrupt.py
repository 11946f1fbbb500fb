"""Files are damaged, cut short, forged, or belong to something else."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mednext.runs.resolve import run_paths
from tests.faults.conftest import Outcome, World
from tests.faults.test_machine import failing_in_epoch


class Bomb:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.mkdir, ("exploded", 0o700)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 64):
        content[place] ^= 0xFF
    file.write_bytes(content)


def forge(file: Path) -> None:
    torch.save({"identity": Bomb()}, file)
    content = file.read_bytes()
    file.write_bytes(content + hashlib.sha256(content).digest())


@pytest.mark.parametrize(
    ("damage", "name"),
    [(cut, "cut short"), (flip, "of flipped bits"), (forge, "with a forged pickle inside")],
    ids=["cut", "flipped", "pickle"],
)
def test_damaged_checkpoint(
    world: World,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    name: str,
) -> None:
    world.forget_run()
    with monkeypatch.context() as patch:
        failing_in_epoch(patch, 3, torch.AcceleratorError("CUDA error: gone"))
        assert world.do("train")[0] == 5
    (file,) = run_paths(world.run).work.glob("*/checkpoint.pt")
    damage(file)
    code, said = world.do("train")
    assert code == 0 and "starting anew" in said and str(file) in said
    assert not Path("exploded").exists()
    world.finish()
    outcome(f"checkpoint {name}", said, "trained from the start: same bits, nothing executed")


@pytest.mark.parametrize("damage", [cut, flip], ids=["cut", "flipped"])
def test_damaged_weights(world: World, outcome: Outcome, damage: Callable[[Path], None]) -> None:
    damage(run_paths(world.run).weights("last"))
    code, said = world.do("predict")
    assert code == 2 and "the weights are not those that the training wrote" in said
    world.finish()
    outcome(f"weights damaged ({damage.__name__})", said, "refused; trained again: same bits")


@pytest.mark.parametrize("damage", [cut, flip], ids=["cut", "flipped"])
def test_damaged_arrays(
    world: World,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
) -> None:
    world.forget_run()
    (file,) = world.local_data(monkeypatch).glob("prepared/*/images.npy")
    damage(file)
    code, said = world.do("train")
    assert code == 2 and str(file) in said and "datasets prepare" in said
    assert world.do("datasets prepare", "--dataset", "sars_cov2_ct")[0] == 0
    world.finish()
    outcome(f"prepared .npy damaged ({damage.__name__})", said, "refused; made again: same bits")


def test_predictions_with_a_pickle_inside(world: World, outcome: Outcome) -> None:
    file = run_paths(world.run).predictions("last")
    np.savez(file, row=np.asarray([Bomb()], dtype=object), score=np.zeros((1, 2)))
    code, said = world.do("evaluate")
    assert code == 2 and str(file) in said
    assert not Path("exploded").exists()
    assert pickle.dumps(Bomb())  # it would have gone off
    world.finish()
    outcome("predictions with a pickle inside", said, "refused, nothing executed")


def test_cut_predictions(world: World, outcome: Outcome) -> None:
    cut(run_paths(world.run).predictions("last"))
    code, said = world.do("evaluate")
    assert code == 2 and "predictions.last.npz" in said
    world.finish()
    outcome("predictions cut short", said, "refused; predicted again: same bits")


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda text: text[: len(text) * 2 // 3].rstrip("\n") + ",x", "cut short"),
        (lambda text: text.replace("0.", "zero.", 3), "with letters in numbers"),
        (lambda text: text.replace("score_1", "score_9"), "with a renamed column"),
        (lambda text: "\0\1\2" * 40, "of random bytes"),
    ],
    ids=["cut", "letters", "column", "bytes"],
)
def test_damaged_counts(
    world: World, outcome: Outcome, damage: Callable[[str], str], name: str
) -> None:
    file = run_paths(world.run).cases("last")
    file.write_text(damage(file.read_text()))
    code, said = world.do("results collect")
    assert code == 2 and "cases.last.csv" in said and "mednext evaluate" in said
    assert not Path("results/tiny/metrics.csv").exists()
    world.finish()
    outcome(f"cases.csv {name}", said, "refused; counted again: same bits")


def test_damaged_metrics_never_reach_a_table(world: World, outcome: Outcome) -> None:
    assert world.do("results collect")[0] == 0
    file = Path("results/tiny/metrics.csv")
    lines = file.read_text().splitlines()
    lines[3] = re.sub(r",(accuracy|precision|recall|f1|auc),", ",acuracy,", lines[3])
    file.write_text("\n".join(lines))
    from mednext.errors import UserError
    from mednext.results import MetricRow, read_rows

    with pytest.raises(UserError) as caught:
        read_rows(file, MetricRow)
    said = str(caught.value)
    assert "line 4, column 'metric'" in said
    outcome("metrics.csv edited by hand", said, "refused, no table is drawn")


@pytest.mark.parametrize("key", ["config_hash", "code_hash", "data_hash", "split_hash"])
def test_wrong_hash(world: World, outcome: Outcome, key: str) -> None:
    file = run_paths(world.run).run_json
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {key: "f" * 16}))
    assert world.finish() == ""  # the weights are there: no epoch is trained again
    assert json.loads(file.read_text()) == record
    became = "not taken for this run; same bits, hash as was"
    outcome(f"run.json of another {key}", "", became, in_words="the results as usual")


def test_run_json_cut_short(world: World, outcome: Outcome) -> None:
    cut(run_paths(world.run).run_json)
    code, said = world.do("predict")
    assert code == 2 and "not valid JSON" in said
    world.finish()
    outcome("run.json cut short", said, "refused; trained again: same bits")


def test_configuration_with_code_inside(world: World, outcome: Outcome) -> None:
    text = Path("tiny.yaml").read_text()
    Path("tiny.yaml").write_text(text + "evil: !!python/object/apply:os.mkdir [exploded]\n")
    code, said = world.do("train")
    assert code == 2 and "not valid YAML" in said and not Path("exploded").exists()
    Path("tiny.yaml").write_text(text)
    world.finish()
    outcome("YAML with a Python object inside", said, "refused, nothing executed")
