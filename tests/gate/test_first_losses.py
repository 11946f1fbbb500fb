"""The gate on the losses of first steps made up here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mednext.cli import main
from mednext.config import RunConfig
from mednext.gate.first_losses import (
    CONFIGURED,
    FIRST_LOSSES,
    ROUNDING,
    FirstLossRow,
    RoundingRow,
    compare_first_losses,
    rows_of,
    tolerances,
)
from mednext.gate.rules import FirstLosses
from mednext.results import read_rows, write_rows
from tests.finished_runs import run_of, trained
from tests.gate.test_compare import OLD, accuracies, write

RULE = FirstLosses(factor=10, absolute=1e-5)
LOSSES = (0.7, 0.6, 0.5)
WAYS = {
    CONFIGURED: LOSSES,
    "2 threads": (0.7, 0.6002, 0.50005),
    "AVX2": (0.700001, 0.6, 0.5),
}
RESULTS = Path("results/tiny")


@pytest.fixture(autouse=True)
def _reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference of one training, with what rounding does to it."""
    monkeypatch.chdir(tmp_path)
    write_rows(OLD / FIRST_LOSSES, FirstLossRow, rows(LOSSES))
    write_rows(OLD / ROUNDING, RoundingRow, rounding())


def rows(losses: tuple[float, ...]) -> list[FirstLossRow]:
    return rows_of(run_of("classification"), losses, "0" * 16, "0" * 16)


def rounding() -> list[RoundingRow]:
    return [
        RoundingRow(**row.model_dump(), variant=name)
        for name, losses in WAYS.items()
        for row in rows(losses)
    ]


def train(losses: tuple[float, ...] = LOSSES, **changes: Any) -> RunConfig:
    hashes = {k: changes.pop(k) for k in ("data_hash", "split_hash") if k in changes}
    return trained(run_of("classification", **changes), first_losses=losses, **hashes)


def outcome() -> tuple[str, str]:
    (finding,) = compare_first_losses(OLD, RESULTS, RULE)
    assert finding.name == "first losses of sars_cov2_ct/paper/mednext/seed0"
    return finding.outcome, finding.note


def test_the_tolerance_is_ten_times_what_rounding_did_up_to_a_step() -> None:
    # Another data set lends nothing: its own changes, by hand, are 0, 0 and 0.1.
    other = [
        row.model_copy(update={"dataset": "acdc"} | ({"loss": 0.6} if row.loss != 0.5 else {}))
        for row in rounding()
        if row.step == 3
    ]
    allowed = tolerances([*rounding(), *other], RULE)
    assert allowed["acdc"] == pytest.approx([1.0])
    # Changes by hand: 1e-6, 2e-4, 5e-5. The first is below a millionth times ten: the least holds.
    assert allowed["sars_cov2_ct"] == pytest.approx([1e-5, 2e-3, 2e-3])


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (LOSSES, "ok"),
        ((0.700009, 0.6019, 0.4981), "ok"),
        ((0.70002, 0.6, 0.5), "worse"),
        ((0.7, 0.6, 0.4979), "worse"),
        ((0.7, 0.6, math.nan), "not comparable"),
        ((0.7, 0.6), "not comparable"),
        ((), "not comparable"),
    ],
)
def test_losses_may_move_by_rounding_alone(losses: tuple[float, ...], expected: str) -> None:
    train(losses)
    assert outcome()[0] == expected


def test_the_note_names_the_step_that_is_farthest_off() -> None:
    train((0.7, 0.61, 0.5))
    (finding,) = compare_first_losses(OLD, RESULTS, RULE)
    assert (finding.reference, finding.new) == (0.6, 0.61)
    assert finding.tolerance == pytest.approx(2e-3)
    assert finding.note == "step 2 of 3; 10 x what rounding does there"
    (finding,) = compare_first_losses(OLD, RESULTS, RULE, factor=6)
    assert finding.outcome == "ok" and finding.tolerance == pytest.approx(12e-3)


def test_a_training_is_judged_by_the_rounding_of_its_own_data_set() -> None:
    steadier = [row.model_copy(update={"dataset": "acdc", "loss": 0.5}) for row in rounding()]
    write_rows(OLD / ROUNDING, RoundingRow, [*steadier, *rounding()])
    train((0.7, 0.6019, 0.5))
    assert outcome()[0] == "ok"
    write_rows(OLD / ROUNDING, RoundingRow, steadier)
    assert outcome()[0] == "not comparable"


@pytest.mark.parametrize("changes", [{"data_hash": "1" * 16}, {"img_size": 64}], ids=str)
def test_another_experiment_is_not_compared(changes: dict[str, Any]) -> None:
    train(**changes)
    found, note = outcome()
    assert found == "not comparable" and "hash differs" in note


def test_another_seed_has_other_losses() -> None:
    train((0.9, 0.8, 0.7), seed=1)
    assert outcome() == ("informational", "the new results have other seeds")


def test_without_a_measurement_or_a_record_there_is_no_pass() -> None:
    assert outcome()[0] == "not comparable"
    train()
    write_rows(OLD / ROUNDING, RoundingRow, [])
    found, note = outcome()
    assert found == "not comparable" and "make rounding" in note


def test_a_reference_agrees_with_itself() -> None:
    assert [f.outcome for f in compare_first_losses(OLD, OLD, RULE)] == ["ok"]


def test_cells_that_were_not_asked_for_may_be_missing() -> None:
    assert compare_first_losses(OLD, RESULTS, RULE, only=["acdc"]) == []


def test_a_new_reference_takes_them_along() -> None:
    train(LOSSES)
    for folder in (OLD, RESULTS):
        write(folder, accuracies())
    assert main(["gate", str(OLD), str(RESULTS)]) == 0
    train((0.8, 0.7, 0.6))
    words = ["gate", str(OLD), str(RESULTS)]
    assert main(words) == 1
    assert main([*words, "--update-reference", "--reason", "another augmentation"]) == 0
    assert [r.loss for r in read_rows(OLD / FIRST_LOSSES, FirstLossRow)] == [0.8, 0.7, 0.6]
    assert main(words) == 0
