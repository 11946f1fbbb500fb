"""The gate on results made up here: what passes, what fails, what cannot be compared."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t

from mednext.cli import main
from mednext.gate import exit_code, gate, load_rules
from mednext.results import CostRow, MetricRow, ProbeRow, write_rows

from .report.made_up import bad_row, cost_rows, metric_row

OLD, NEW = Path("old"), Path("new")
SEEDS = (0.90, 0.92, 0.94)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def accuracies(values: tuple[float, ...] = SEEDS, **changes: Any) -> list[MetricRow]:
    return [
        metric_row(seed=seed, metric="accuracy", target="disease", value=v, **changes)
        for seed, v in enumerate(values)
    ]


def write(folder: Path, rows: list[MetricRow], **changes: Any) -> None:
    write_rows(folder / "metrics.csv", MetricRow, rows)
    costs = cost_rows()
    if "params" in changes:
        costs = [costs[0].model_copy(update={"params": changes["params"]}), *costs[1:]]
    write_rows(folder / "cost.csv", CostRow, costs)
    value = changes.get("probe", -0.5)
    probes = [ProbeRow(method="mednext", position=p, value=v) for p, v in enumerate((0.25, value))]
    write_rows(folder / "probes.csv", ProbeRow, probes)


def outcome(new: list[MetricRow], old: list[MetricRow] | None = None, **changes: Any) -> int:
    write(OLD, old or accuracies())
    write(NEW, new, **changes)
    return main(["gate", str(OLD), str(NEW)])


def test_the_tolerance_comes_from_the_seeds() -> None:
    write(OLD, accuracies())
    write(NEW, accuracies((0.91,)))
    found = next(f for f in gate(OLD, NEW, load_rules()) if "accuracy" in f.name)
    # three seeds with a standard deviation of 0.02 against one new run, at alpha = 0.01
    expected = t.ppf(0.99, 2) * 0.02 * math.sqrt(1 / 1 + 1 / 3)
    assert found.tolerance == pytest.approx(expected)
    assert found.note == "seed spread 0.0200 (n = 3)" and found.outcome == "ok"


def test_without_seeds_the_written_tolerance_holds() -> None:
    old = accuracies((0.92,))
    assert outcome(accuracies((0.901,)), old) == 0  # 0.02 below is allowed
    assert outcome(accuracies((0.899,)), old) == 1


@pytest.mark.parametrize(("value", "code"), [(0.92, 0), (0.99, 0), (0.77, 0), (0.75, 1)])
def test_worse_fails_and_better_passes(value: float, code: int) -> None:
    # the tolerance around 0.92 is 0.161
    assert outcome(accuracies((value,))) == code


def test_lower_is_better_for_distances() -> None:
    rules = load_rules()
    distances = rules.metrics["hd95_pooled_vox"].model_copy(update={"gated": True, "absolute": 1})
    rules = rules.model_copy(update={"metrics": rules.metrics | {"hd95_pooled_vox": distances}})

    def code(value: float) -> int:
        for folder, v in ((OLD, 5.0), (NEW, value)):
            write(folder, [metric_row(metric="hd95_pooled_vox", target="lv", value=v)])
        return exit_code(gate(OLD, NEW, rules))

    assert [code(v) for v in (3.0, 5.9, 6.1)] == [0, 0, 1]


def test_kernels_that_do_not_repeat_get_more_room() -> None:
    write(OLD, accuracies((0.92,)))
    write(NEW, accuracies((0.895,)))
    assert main(["gate", str(OLD), str(NEW)]) == 1
    assert main(["gate", str(OLD), str(NEW), "--nondeterministic"]) == 0


@pytest.mark.parametrize("field", ["source_id", "setting_hash", "data_hash", "split_hash"])
def test_another_experiment_is_not_compared(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(accuracies(**{field: "other"})) == 2
    assert f"{field} differs" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["config_hash", "code_hash", "env_hash"])
def test_another_seed_code_or_machine_is_compared(field: str) -> None:
    assert outcome(accuracies(**{field: "other"})) == 0


def test_what_is_missing_failed_or_undefined_does_not_pass() -> None:
    assert outcome([metric_row(metric="auc", target="disease")]) == 2
    assert outcome([*accuracies(), bad_row("resnet18", "failed", "diverged")]) == 2
    assert outcome([*accuracies()[:2], metric_row(metric="accuracy", **nothing())]) == 2


def nothing() -> dict[str, Any]:
    return {"target": "disease", "value": None, "ci_low": None, "ci_high": None, "seed": 2}


def test_nothing_at_all_is_not_a_pass() -> None:
    assert exit_code([]) == 2


def test_informational_metrics_never_fail() -> None:
    old = [*accuracies(), metric_row(metric="ece", target="disease", value=0.05)]
    new = [*accuracies(), metric_row(metric="ece", target="disease", value=0.50)]
    assert outcome(new, old) == 0


def test_a_changed_count_or_function_is_worse() -> None:
    assert outcome(accuracies(), params=10_724_599) == 1
    assert outcome(accuracies(), probe=-0.4999) == 0  # rounding of sums on another machine
    assert outcome(accuracies(), probe=0.5) == 1


def test_reports(capsys: pytest.CaptureFixture[str]) -> None:
    write(OLD, accuracies((0.92,)))
    write(NEW, accuracies((0.80,)))
    words = ["gate", str(OLD), str(NEW), "--markdown", "gate.md", "--junit", "gate.xml"]
    assert main(words) == 1
    text = capsys.readouterr().out
    assert text.splitlines()[1].startswith("WORSE")
    assert "gate: 1 worse, 0 not comparable, 0 better, 8 ok" in text
    assert Path("gate.md").read_text().startswith("**gate: 1 worse")
    suite = ET.parse("gate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("9", "1")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "worse" and "new=0.8000" in str(failure.text)


def test_a_new_reference_needs_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    write(OLD, accuracies((0.92,)))
    write(NEW, accuracies((0.80,)))
    before = (OLD / "metrics.csv").read_bytes()
    for words in ([], ["--reason", "  "]):
        assert main(["gate", str(OLD), str(NEW), "--update-reference", *words]) == 2
    assert (OLD / "metrics.csv").read_bytes() == before
    words = ["--update-reference", "--reason", "half the epochs"]
    assert main(["gate", str(OLD), str(NEW), *words]) == 0
    assert (OLD / "metrics.csv").read_bytes() == (NEW / "metrics.csv").read_bytes()
    history = (OLD / "CHANGES.md").read_text()
    assert "half the epochs" in history and "| 0.9200 | 0.8000 |" in history
    assert "0.9200 | 0.8000" in capsys.readouterr().out
    assert main(["gate", str(OLD), str(NEW)]) == 0
