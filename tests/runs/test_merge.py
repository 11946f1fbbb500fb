"""Runs of several machines in one folder; nothing unequal is joined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.cli import main
from mednext.config import load_profile
from mednext.errors import UserError
from mednext.files import sha256_file
from mednext.results import RunRecord, read_run, write_run
from mednext.runs.merge import import_runs, merge
from mednext.runs.resolve import resolve_runs

ONE = "sars_cov2_ct/paper/resnet18/seed0"
Make = Callable[..., Path]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    entry = {"source": "phantom", "phantom": {"train": 8, "val": 4, "test": 4}}
    entry |= {"methods": ["mednext", "resnet18"], "img_size": 32, "epochs": 1, "batch_size": 4}
    config = {"profile": "tiny", "seeds": [0, 1], "threads": 1, "device": "cpu"}
    Path("tiny.yaml").write_text(yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": entry}}))
    return load_profile("tiny.yaml")


@pytest.fixture
def machine(profile: Any, tmp_path: Path) -> Make:
    """A results folder with some of the profile's runs, their weights a few bytes."""

    def make(name: str, seeds: tuple[int, ...], weights: bytes = b"w", **changes: Any) -> Path:
        root = tmp_path / name
        for run in resolve_runs(profile):
            if run.seed not in seeds:
                continue
            folder = root / "runs" / run.dataset / run.protocol / run.method / f"seed{run.seed}"
            folder.mkdir(parents=True)
            file = folder / "weights.last.safetensors"
            file.write_bytes(weights)
            values: dict[str, Any] = {
                "status": "ok",
                "config": run.model_dump(mode="json"),
                "config_hash": run.config_hash,
                **dict.fromkeys(("data_hash", "split_hash", "code_hash", "env_hash"), "0" * 16),
                **dict.fromkeys(("git_commit", "git_dirty"), None),
                **{"device": "cpu", "machine": {}, "versions": {}, "threads": 1, "epochs_done": 1},
                **{"best_epochs": {}, "micro_batch": 4, "memory_halvings": 0},
                **dict.fromkeys(("n_train", "n_val", "n_test"), 1),
                **{"wall_seconds": 1.0, "epoch_seconds": [1.0]},
                "weights": {"last": sha256_file(file)},
            }
            write_run(folder / "run.json", RunRecord(**{**values, **changes}))
        return root

    return make


def test_merge_of_two_machines(machine: Make, tmp_path: Path) -> None:
    a, b = machine("a", (0,)), machine("b", (1,), env_hash="1" * 16)
    assert main(["results", "merge", str(a), str(b), "--out", str(tmp_path / "all")]) == 0
    runs = sorted((tmp_path / "all/runs").rglob("run.json"))
    assert [r.parent.name for r in runs] == ["seed0", "seed1"] * 2
    assert {read_run(r).env_hash for r in runs} == {"0" * 16, "1" * 16}
    assert not list((tmp_path / "all").rglob(".*"))
    # Again, and with a machine that holds what is there already.
    assert len(merge([a, b, a], tmp_path / "all")) == 4


@pytest.mark.parametrize("key", ["code_hash", "data_hash", "split_hash"])
def test_unequal_hashes_are_refused(machine: Make, tmp_path: Path, key: str) -> None:
    a, b = machine("a", (0,)), machine("b", (1,), **{key: "f" * 16})
    with pytest.raises(UserError) as caught:
        merge([a, b], tmp_path / "all")
    assert f"must have one {key}" in str(caught.value) and "ffff" in str(caught.value)
    assert str(a) in str(caught.value) and str(b) in str(caught.value)
    assert not (tmp_path / "all").exists()


def test_another_configuration_of_the_same_run_is_refused(machine: Make, tmp_path: Path) -> None:
    a, b = machine("a", (0,)), machine("b", (0,), config_hash="f" * 16)
    with pytest.raises(UserError, match="must have one config_hash"):
        merge([a, b], tmp_path / "all")


def test_other_settings_of_two_seeds_are_refused(machine: Make, tmp_path: Path) -> None:
    a, b = machine("a", (0,)), machine("b", (1,))
    for file in b.rglob("run.json"):
        record = read_run(file)
        config = record.config | {"epochs": 7}
        write_run(file, record.model_copy(update={"config": config}))
    with pytest.raises(UserError, match="must have one setting_hash"):
        merge([a, b], tmp_path / "all")


def test_one_run_with_two_endings_is_refused(machine: Make, tmp_path: Path) -> None:
    a, b = machine("a", (0,)), machine("b", (0,), weights=b"other")
    with pytest.raises(UserError, match="different weights on two machines"):
        merge([a, b], tmp_path / "all")


def test_a_finished_run_wins_over_a_failed_one(machine: Make, tmp_path: Path) -> None:
    a = machine("a", (0,), status="failed", reason="diverged", weights=b"w")
    for file in a.rglob("run.json"):
        write_run(file, read_run(file).model_copy(update={"weights": {}}))
    merge([a, machine("b", (0,))], tmp_path / "all")
    assert read_run(tmp_path / "all/runs" / ONE / "run.json").status == "ok"


def test_changed_weights_are_refused(machine: Make, tmp_path: Path) -> None:
    a = machine("a", (0,))
    (a / "runs" / ONE / "weights.last.safetensors").write_bytes(b"changed")
    with pytest.raises(UserError, match="weights are not those"):
        merge([a], tmp_path / "all")


def test_import_of_a_whole_folder(machine: Make, profile: Any, tmp_path: Path) -> None:
    assert main(["results", "import", str(machine("a", (0, 1))), "--configfile", "tiny.yaml"]) == 0
    assert len(list(Path("results/tiny/runs").rglob("run.json"))) == 4


def test_import_refuses_what_is_not_the_profile_s(
    machine: Make, profile: Any, tmp_path: Path
) -> None:
    a = machine("a", (0,), config_hash="f" * 16)
    with pytest.raises(UserError, match="made with another configuration"):
        import_runs(a, profile)
    fewer = profile.model_copy(update={"seeds": (1,)})
    with pytest.raises(UserError, match="is not part of profile"):
        import_runs(machine("b", (0,)), fewer)
    assert not Path("results").exists()


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        merge([tmp_path], tmp_path / "all")
