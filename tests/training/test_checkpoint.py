from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mednext.training import checkpoint

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
