"""The gate on some cells of a reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from mednext.cli import main
from mednext.results import MetricRow
from tests.gate.test_compare import NEW, OLD, accuracies, write
from tests.report.made_up import metric_row

BOTH = [("sars_cov2_ct", "mednext"), ("sars_cov2_ct", "resnet18"), ("monkeypox_msld", "mednext")]


@pytest.fixture(autouse=True)
def _reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cells in the reference; of the new results the first alone, run again."""
    monkeypatch.chdir(tmp_path)
    assert metric_row().dataset == BOTH[0][0] and metric_row().method == BOTH[0][1]
    write(OLD, [r for d, m in BOTH for r in accuracies(dataset=d, method=m)])
    write(NEW, accuracies())


def run(*parts: str) -> int:
    return main(["gate", str(OLD), str(NEW), *(w for part in parts for w in ("--only", part))])


def test_what_was_not_asked_for_may_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "missing in the new results" in capsys.readouterr().out
    assert run("sars_cov2_ct/paper/mednext") == 0
    said = capsys.readouterr().out
    assert "output of untrained mednext" in said and "cost mednext" in said
    assert "resnet18" not in said


@pytest.mark.parametrize("part", ["monkeypox_msld", "sars_cov2_ct/paper/resnet18", "sars_cov2_ct"])
def test_what_was_asked_for_may_not(part: str) -> None:
    assert run("sars_cov2_ct/paper/mednext", part) == 2


def test_a_worse_cell_fails_in_a_part_as_in_the_whole() -> None:
    worse: list[MetricRow] = accuracies((0.5, 0.52, 0.54))
    write(NEW, worse)
    assert run("sars_cov2_ct/paper/mednext") == 1


@pytest.mark.parametrize("part", ["acdc", "sars_cov2_ct/grouped", "sars_cov2_ct/paper/mednex"])
def test_a_part_that_is_in_no_reference_is_not_comparable(
    part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sars_cov2_ct/paper/mednext", part) == 2
    assert "the reference has no such cell" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["", "sars_cov2_ct/", "sars_cov2_ct/paper/mednext/seed0"])
def test_a_part_named_wrongly_is_an_error(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(part) not in (0, None)
    assert "DATASET/PROTOCOL/METHOD" in capsys.readouterr().err


def test_a_reference_is_taken_over_whole(capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--update-reference", "--reason", "better data", "--only", "sars_cov2_ct")
    before = (OLD / "metrics.csv").read_bytes()
    assert main(["gate", str(OLD), str(NEW), *more]) not in (0, None)
    assert "replaced as a whole" in capsys.readouterr().err
    assert (OLD / "metrics.csv").read_bytes() == before
