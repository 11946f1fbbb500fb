"""What the demo's gate sees: by simulation, and by the planted changes on record."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mednext.cli import main
from mednext.gate.first_losses import CONFIGURED, RoundingRow
from mednext.gate.rounding import VARIANTS
from mednext.results import read_rows

from .gate_runs import ROOT, Scale
from .planted import CHANGES, CONFIG, METHODS, REFERENCE, SEEDS, UNCHANGED, measure


def test_false_alarms_of_all_metrics_together_are_below_one_in_twenty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    try:
        import gate_sees

        found, alarms = gate_sees.simulated(REFERENCE, 150)
    finally:
        sys.modules.pop("gate_sees", None)
    # Two methods with accuracy, AUC and Brier score; three with Dice.
    assert len(found) == 2 * 3 + 3
    # 5 %, and what 150 draws may add to it by chance in one of 100 repetitions.
    assert alarms <= 0.05 + 2.33 * (0.05 * 0.95 / 150) ** 0.5
    for seen in found:
        if seen.power is not None:  # what is said to be seen with 0.9 is what the simulation sees
            lost = gate_sees.LOST[seen.row.metric]
            assert (seen.power > 0.5) == (lost > seen.tolerance)


def test_every_planted_change_is_on_record_and_seen() -> None:
    rows = pd.read_csv(REFERENCE / "planted.csv")
    assert list(rows.change.unique()) == [*UNCHANGED, *CHANGES]
    trainings = list(zip(rows.method, rows.seed, strict=True))
    assert trainings == [*product(METHODS, SEEDS)] * len(rows.change.unique())
    assert (rows.outcome[~rows.planted] == "ok").all()
    assert (rows.outcome[rows.planted] == "worse").mean() >= 0.9


@pytest.mark.slow
def test_rounding_is_measured_in_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    config, out = tmp_path / "gate.yaml", tmp_path / "rounding.csv"
    scale = Scale(train=16, val=4, test=8, img_size=32, epochs=2)
    config.write_text(yaml.safe_dump(scale.profile((0,), 1)))
    words = ["results", "rounding", "--configfile", str(config), "--out", str(out)]
    assert main(words) == 2 and not out.exists()  # no data
    for step in ("fetch", "verify", "prepare", "split --protocol paper"):
        steps = f"datasets {step} --dataset sars_cov2_ct --configfile {config}"
        assert main(steps.split()) == 0
    assert main(words) == 0
    rows = read_rows(out, RoundingRow)
    assert [r.variant for r in rows] == [name for name in VARIANTS for _ in range(2)]
    first = {r.variant: r.loss for r in rows if r.step == 1}
    assert first[CONFIGURED] == pytest.approx(first["AVX2"], abs=1e-4)


@pytest.mark.slow
def test_planted_changes_are_seen_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    for step in ("fetch", "verify", "prepare", "split --protocol paper"):
        words = f"datasets {step} --dataset sars_cov2_ct --configfile {CONFIG}"
        assert main(words.split()) == 0
    rows = measure(tmp_path, ("mednext",), SEEDS[:1])
    assert {row.change for row in rows if row.outcome == "worse"} == set(CHANGES)
    assert {row.change for row in rows if row.outcome == "ok"} == set(UNCHANGED)
