"""The gate on real trainings: what must be caught, and what must not raise an alarm.

Every experiment is a process of its own on a copy of the code. What is planted is planted in the
copy's code; the configuration is the same.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mednext.cli import main
from mednext.gate.compare import Finding, gate
from mednext.gate.rules import load_rules
from mednext.results import MetricRow, read_rows, write_rows

from .gate_runs import (
    LABELS_SWAPPED,
    METHOD,
    RATE_TIMES_100,
    SEM_NEGATED,
    Experiment,
    Scale,
    experiment,
)

TINY = Scale(train=16, val=4, test=8, img_size=32, epochs=1)
SMALL = Scale(train=320, val=80, test=160, img_size=64, epochs=10)
"""The demo's scale, at which MedNeXt learns the phantom: with less the seeds differ too much."""


def failures(reference: Path, new: Path) -> list[Finding]:
    return [
        f for f in gate(reference, new, load_rules()) if f.outcome in ("worse", "not comparable")
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return experiment(tmp_path_factory.mktemp("tiny"), TINY)


@pytest.fixture(scope="module")
def tiny_reference(tiny: Experiment) -> Path:
    return tiny("reference")


def test_a_negated_residual_is_caught_by_the_untrained_output(
    tiny: Experiment, tiny_reference: Path
) -> None:
    planted = tiny("planted", SEM_NEGATED)
    assert main(["gate", str(tiny_reference), str(planted)]) == 1
    assert f"output of untrained {METHOD}" in {f.name for f in failures(tiny_reference, planted)}


def test_another_learning_rate_cannot_be_compared(tiny: Experiment, tiny_reference: Path) -> None:
    planted = tiny("rate", RATE_TIMES_100)
    assert main(["gate", str(tiny_reference), str(planted)]) == 2
    notes = [f.note for f in failures(tiny_reference, planted)]
    assert all("setting_hash differs" in note or "diverged" in note for note in notes)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return experiment(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def reference(small: Experiment) -> Path:
    """One seed with the spread of five beside it: that of three is so wide that it is refused."""
    five = small("five", seeds=(0, 1, 2, 3, 4))
    folder = five.parent / "reference"
    shutil.copytree(five, folder, ignore=shutil.ignore_patterns("runs", "work"))
    rows = [row for row in read_rows(five / "metrics.csv", MetricRow) if row.seed == 0]
    write_rows(folder / "metrics.csv", MetricRow, rows)
    assert main(["results", "spread", str(five), "--out", str(folder / "spread.csv")]) == 0
    return folder


@pytest.mark.slow
def test_swapped_labels_are_caught(small: Experiment, reference: Path) -> None:
    planted = small("swapped", LABELS_SWAPPED)
    assert main(["gate", str(reference), str(planted)]) == 1
    # Nothing but what the network learned gives it away: data, split and settings are the same.
    found = failures(reference, planted)
    assert {f.outcome for f in found} == {"worse"}
    assert not any("untrained" in f.name or "cost" in f.name for f in found)


@pytest.mark.slow
def test_another_seed_passes(small: Experiment, reference: Path) -> None:
    assert main(["gate", str(reference), str(small("seed", seeds=(5,)))]) == 0


@pytest.mark.slow
def test_another_number_of_threads_passes(small: Experiment, reference: Path) -> None:
    assert main(["gate", str(reference), str(small("threads", threads=2))]) == 0
