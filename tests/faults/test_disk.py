"""The disk is full, read-only, or shared with somebody who deletes."""

from __future__ import annotations

import shutil

import pytest

from mednext.layout import DataPaths
from mednext.runs.resolve import run_paths
from tests.faults.conftest import Outcome, World, tmpfs


def test_full_disk_while_training(world: World, outcome: Outcome) -> None:
    world.forget_run()
    with tmpfs(world.folder / "results", "size=30m") as remount:
        code, said = world.do("train")
        assert code == 3 and "No space left on device" in said and "make room" in said
        assert not run_paths(world.run).run_json.exists()
        remount("size=400m")
        world.finish()
    error = said[said.index("error:") :]
    outcome("disk full while a checkpoint is written", error, "same bits after making room")


def test_full_disk_while_preparing(
    world: World, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(world.folder / "small", "size=300k") as remount:
        monkeypatch.setenv("MEDNEXT_DATA", str(world.folder / "small"))
        words = ("--dataset", "sars_cov2_ct")
        code, said = world.do("datasets fetch", *words)
        assert code == 3 and "No space left on device" in said
        assert not DataPaths(world.run.source_id, "sars_cov2_ct").manifest.exists()
        remount("size=100m")
        for verb in ("fetch", "verify", "prepare", "split --protocol paper"):
            assert world.do(f"datasets {verb}", *words)[0] == 0
        world.forget_run()
        world.finish()
    outcome("disk full while data are made", said, "same bits after making room")


def test_read_only_results_folder(world: World, outcome: Outcome) -> None:
    world.forget_run()
    with tmpfs(world.folder / "results", "ro") as remount:
        code, said = world.do("train")
        assert code == 3 and "Read-only file system" in said and "make the folder writable" in said
        remount("rw,size=400m")
        world.finish()
    outcome("results folder is read-only", said, "same bits once it is writable")


def test_deleted_weights(world: World, outcome: Outcome) -> None:
    run_paths(world.run).weights("last").unlink()
    code, said = world.do("predict")
    assert code == 2 and "weights are not those" in said and "train the run again" in said
    world.finish()
    outcome("weights of a finished run deleted", said, "trained again: same bits")


def test_deleted_predictions(world: World, outcome: Outcome) -> None:
    run_paths(world.run).predictions("last").unlink()
    code, said = world.do("evaluate")
    assert code == 2 and "no predictions" in said and "mednext predict" in said
    world.finish()
    outcome("predictions deleted", said, "predicted again: same bits")


def test_deleted_arrays(world: World, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(world.local_data(monkeypatch) / "prepared")
    code, said = world.do("train")
    assert code == 2 and "the data set is not ready" in said and "datasets prepare" in said
    assert world.do("datasets prepare", "--dataset", "sars_cov2_ct")[0] == 0
    world.finish()
    outcome("prepared arrays deleted", said, "prepared again: same bits, not trained again")
