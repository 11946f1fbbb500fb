"""The committed reference: complete, measured, and of the settings that the demo has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from mednext.config import load_profile
from mednext.gate.compare import exit_code, gate
from mednext.gate.first_losses import (
    FIRST_LOSSES,
    ROUNDING,
    FirstLossRow,
    RoundingRow,
    tolerances,
)
from mednext.gate.reference import FILES, HISTORY
from mednext.gate.rounding import VARIANTS
from mednext.gate.rules import load_rules
from mednext.gate.seed_spread import SPREAD, read_spread
from mednext.gate.values import key_of, read_metrics
from mednext.results import MetricRow, read_rows
from mednext.runs.resolve import resolve_runs

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference" / "demo"


@pytest.fixture(scope="module")
def rows() -> list[MetricRow]:
    if not (REFERENCE / "metrics.csv").is_file():
        pytest.skip("no reference has been committed: make reference REASON=...")
    return read_rows(REFERENCE / "metrics.csv", MetricRow)


def test_it_passes_against_itself(rows: list[MetricRow]) -> None:
    assert exit_code(gate(REFERENCE, REFERENCE, load_rules())) == 0


def test_it_holds_every_run_of_the_demo(rows: list[MetricRow]) -> None:
    runs = resolve_runs(load_profile(ROOT / "config" / "demo.yaml"))
    wanted = {(r.dataset, r.protocol, r.method, r.seed, r.setting_hash, r.source_id) for r in runs}
    found = {(r.dataset, r.protocol, r.method, r.seed, r.setting_hash, r.source_id) for r in rows}
    assert found == wanted
    assert {row.source for row in rows} == {"phantom"}


def test_every_gated_metric_states_a_measured_spread(rows: list[MetricRow]) -> None:
    if not (REFERENCE / SPREAD).is_file():
        pytest.skip("no spread has been measured, the gate says so in every note: make spread")
    rules, spread = load_rules(), read_spread(REFERENCE)
    gated = [v for v in read_metrics(REFERENCE) if v.status == "ok" and rules.gates(v)]
    assert {value.metric for value in gated} == {"accuracy", "auc", "brier", "dice"}
    assert {row.method for row in gated} == {row.method for row in rows}
    for row in gated:
        measured = spread[key_of(row)]
        assert measured.seeds >= 10
        assert measured.setting_hash == row.setting_hash
    for finding in gate(REFERENCE, REFERENCE, rules):
        if finding.outcome == "ok" and "accuracy" in finding.name:
            assert finding.note.startswith("seed spread 0.") and "spread.csv)" in finding.note


def test_every_run_has_its_first_losses_and_their_rounding(rows: list[MetricRow]) -> None:
    losses = read_rows(REFERENCE / FIRST_LOSSES, FirstLossRow)
    runs = {(r.dataset, r.method, r.seed, r.setting_hash, r.data_hash, r.split_hash) for r in rows}
    found = Counter(
        (r.dataset, r.method, r.seed, r.setting_hash, r.data_hash, r.split_hash) for r in losses
    )
    assert found == dict.fromkeys(runs, 20)
    rounding = read_rows(REFERENCE / ROUNDING, RoundingRow)
    assert {(r.method, r.variant) for r in rounding} == {
        (method, name) for _, method, *_ in runs for name in VARIANTS
    }
    allowed = tolerances(rounding, load_rules().first_losses)
    # Rounding alone: nothing to speak of at the first step, less than half a loss at the last.
    assert set(allowed) == {dataset for dataset, *_ in runs}
    for dataset, steps in allowed.items():
        last = fmean(row.loss for row in losses if row.dataset == dataset and row.step == 20)
        assert len(steps) == 20 and steps[0] <= 1e-3 and steps[-1] < last / 2


def test_its_history_gives_a_reason(rows: list[MetricRow]) -> None:
    assert set(FILES) <= {file.name for file in REFERENCE.iterdir()}
    first = (REFERENCE / HISTORY).read_text().splitlines()[0]
    date, _, reason = first.removeprefix("## ").partition(": ")
    assert len(date) == len("2026-01-01") and reason.strip()
