"""The tolerance by simulation: how often it is wrong, and whether it sees what it says it sees."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest

from mednext.cli import main
from mednext.gate.rules import GateRule
from mednext.gate.seed_spread import SpreadRow
from mednext.gate.tolerance import Bounds, Tolerance
from mednext.gate.values import key_of
from mednext.results import Metric, MetricRow, write_rows
from tests.report.made_up import metric_row

DICE = {"metric": "dice", "target": "mean", "policy": "transunet"}
HIGHER = GateRule(direction="higher")


def tolerance(values: list[float], rule: GateRule = HIGHER, metric: str = "dice") -> Tolerance:
    """Of a reference of one seed with a spread of all of them beside it."""
    row = metric_row(**DICE | {"metric": metric, "value": values[0]})
    assert row.metric is not None and row.target is not None
    spread = SpreadRow(
        dataset=row.dataset, protocol=row.protocol, method=row.method, selection=row.selection,
        metric=row.metric, target=row.target, policy=row.policy, seeds=len(values),
        mean=mean(values), deviation=stdev(values), lowest=min(values), highest=max(values),
        setting_hash=row.setting_hash, env_hash=row.env_hash,
    )  # fmt: skip
    return Bounds(0.01, 1.0, {key_of(row): spread}).tolerance(rule, [row], 1)


@pytest.mark.parametrize(("centre", "deviation"), [(0.8, 0.03), (0.97, 0.01)])
@pytest.mark.parametrize("seeds", [3, 10])
def test_false_alarms_are_at_their_level(centre: float, deviation: float, seeds: int) -> None:
    random = np.random.default_rng(seeds)
    alarms, repeats = 0, 4000
    for _ in range(repeats):
        *values, new = np.clip(random.normal(centre, deviation, seeds + 1), 0.01, 0.999).tolist()
        allowed = tolerance(values)
        alarms += new < allowed.centre - allowed.value
    assert alarms / repeats <= 0.015


def test_the_stated_regression_is_seen_nine_times_in_ten() -> None:
    """Deviation 0.03 of ten seeds; the effect is that of the true deviation."""
    random = np.random.default_rng(1)
    of_many = [tolerance(random.normal(0.8, 0.03, 10).tolist()).detectable for _ in range(300)]
    effect = float(np.mean([seen for seen in of_many if seen is not None]))
    caught, repeats = 0, 4000
    for _ in range(repeats):
        *values, new = random.normal(0.8, 0.03, 11).tolist()
        allowed = tolerance(values)
        caught += new - effect < allowed.centre - allowed.value
    assert caught / repeats == pytest.approx(0.9, abs=0.05)


def test_ten_seeds_see_what_three_do_not() -> None:
    three, ten = [0.76, 0.80, 0.84], [0.76, 0.80, 0.84] * 3 + [0.80]
    few, many = tolerance(three), tolerance(ten)
    assert few.detectable is not None and many.detectable is not None
    assert many.value < few.value / 2 and many.detectable < few.detectable / 2
    assert "power 0.9" in many.words


def test_a_tolerance_above_the_value_is_called_vacuous() -> None:
    losses = [0.45, 0.55, 0.64]
    loss = tolerance(losses, GateRule(direction="lower"), "train_loss")
    # exp(6.965 * 0.0951 / 0.5467 * sqrt(4 / 3)) - 1 times the mean
    assert loss.value == pytest.approx(
        mean(losses) * math.expm1(6.9646 * stdev(losses) / mean(losses) * math.sqrt(4 / 3)),
        rel=1e-3,
    )
    assert loss.vacuous and "refused as vacuous" in loss.words
    assert not tolerance([0.76, 0.80, 0.84]).vacuous


def test_a_spread_that_makes_a_rule_vacuous_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [metric_row(seed=s, value=v, **DICE) for s, v in enumerate((0.05, 0.35, 0.65))]
    write_rows(Path("seeds") / "metrics.csv", MetricRow, rows)
    assert main(["results", "spread", "seeds", "--out", "spread.csv"]) == 2
    message = capsys.readouterr().err
    assert "dice mean" in message and "more seeds" in message and not Path("spread.csv").exists()
    assert Metric.DICE in {row.metric for row in rows}
