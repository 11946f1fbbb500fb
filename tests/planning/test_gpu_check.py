"""The check of a GPU: its logic on the CPU, each of its assertions on a GPU where there is one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mednext.planning.gpu_check import __main__ as check
from mednext.planning.gpu_check import numbers, repeat
from mednext.planning.gpu_check.__main__ import CHECKS, main, rows_of
from mednext.planning.gpu_check.numbers import Found
from mednext.planning.gpu_check.scale import TINY, Scale, full

HERE = torch.cuda.is_available()


@pytest.mark.gpu
@pytest.mark.skipif(not HERE, reason="no CUDA device found")
@pytest.mark.parametrize("name", CHECKS)
def test_on_the_gpu(name: str) -> None:
    failed = [row for row in rows_of(name, "cuda", full()) if row["status"] != "ok"]
    assert failed == []


@pytest.mark.parametrize("name", ["peaks", "steps", "parity", "deterministic", "speed"])
def test_the_same_checks_on_the_cpu(name: str) -> None:
    rows = rows_of(name, "cpu", TINY)
    assert [row["reason"] for row in rows if row["status"] != "ok"] == []
    subjects = {
        "peaks": ["peaks"],
        "steps": ["mednext fp32", "mednext tf32", "mednext bf16"],
        "parity": ["mednext fp32", "mednext tf32", "mednext bf16"],
        "deterministic": ["resnet18"],
        "speed": ["resnet18"],
    }
    assert [row["subject"] for row in rows] == subjects[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resume", "packing"])
def test_checks_in_processes_of_their_own(name: str) -> None:
    rows = rows_of(name, "cpu", TINY)
    assert [row["reason"] for row in rows if row["status"] != "ok"] == []
    if name == "resume":
        assert len(set(rows[0]["values"]["digests"])) == 1
    else:
        assert [row["subject"] for row in rows] == ["1 x resnet18", "2 x resnet18"]


@pytest.mark.skipif(HERE, reason="a GPU is here")
def test_without_a_gpu_nothing_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "out")]) == 5
    assert "no CUDA device found" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_wrong_logit_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "TOLERANCE", dict.fromkeys(numbers.TOLERANCE, 1e-12))
    rows = rows_of("parity", "cpu", TINY)
    assert {row["status"] for row in rows} == {"failed"}
    assert "of the largest logit, at most 1e-12" in rows[0]["reason"]


def test_a_head_that_begins_at_zero_is_compared_all_the_same() -> None:
    scale = dataclasses.replace(TINY, methods=("mlp_mixer",))
    rows = rows_of("parity", "cpu", scale)
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert rows[2]["values"]["error"] > rows[0]["values"]["error"] > 0


def test_steps_that_do_not_repeat_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter("ab")
    monkeypatch.setattr(repeat, "_weights_after", lambda *_: next(answers))
    (row,) = rows_of("deterministic", "cpu", TINY)
    assert (row["status"], row["reason"]) == ("failed", "the weights differ")


@pytest.mark.parametrize(
    ("codes", "killed", "reason"),
    [
        ([0, 0, -9], True, None),
        ([0, 0, 0], True, "instead of -9: gone"),
        ([0, 1, -9], True, "ended with 1 instead of 0: gone"),
        ([0, 0, 0], False, None),
    ],
)
def test_ends_of_trainings(codes: list[int], killed: bool, reason: str | None) -> None:
    found = repeat._unexpected([(code, "", "text\ngone\n") for code in codes], killed)
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_what_was_found_is_written_and_decides_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(device: str, scale: Scale) -> Iterator[Found]:
        yield "first", {"value": 1.5}, None
        yield "second", {}, "it is wrong"
        raise RuntimeError("no kernel image is available\nand more")

    monkeypatch.setattr(check, "CHECKS", {"steps": half, "parity": lambda *_: iter([])})
    words = ["--device", "cpu", "--out", str(tmp_path / "out"), "--only"]
    assert main([*words, "steps"]) == 1
    found = json.loads((tmp_path / "out/check.json").read_text())
    assert [row["status"] for row in found["checks"]] == ["ok", "failed", "failed"]
    assert found["checks"][2]["reason"] == "RuntimeError: no kernel image is available"
    shown = (tmp_path / "out/check.md").read_text()
    assert shown.startswith("# GPU check: 2 failures") and "- FAILED steps, second: it is" in shown
    assert "| first | ok |" in shown and "value 1.5" in shown
    assert main([*words, "parity"]) == 0
    assert "passed" in (tmp_path / "out/check.md").read_text()
