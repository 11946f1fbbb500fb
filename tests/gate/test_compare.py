"""The gate on results made up here: what passes, what fails, what cannot be compared."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t

from mednext.cli import main
from mednext.gate.compare import exit_code, gate
from mednext.gate.rules import GateRule, GateRules
from mednext.gate.rules import load_rules as committed_rules
from mednext.results import CostRow, Metric, MetricRow, ProbeRow, write_rows
from tests.report.made_up import bad_row, cost_rows, metric_row

OLD, NEW = Path("old"), Path("new")
SEEDS = (0.90, 0.92, 0.94)


def load_rules(path: Path | None = None) -> GateRules:
    """The committed rules, and one of a number that has no upper end and is better when low."""
    rules = committed_rules(path)
    loss = GateRule(direction="lower", absolute=0.02, relative=0.05)
    return rules.model_copy(update={"metrics": {**rules.metrics, Metric.TRAIN_LOSS: loss}})


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mednext.gate.rules.load_rules", load_rules)


def accuracies(values: tuple[float, ...] = SEEDS, **changes: Any) -> list[MetricRow]:
    return [
        metric_row(seed=seed, metric="accuracy", target="non_disease", value=v, **changes)
        for seed, v in enumerate(values)
    ]


def losses(values: tuple[float, ...], **changes: Any) -> list[MetricRow]:
    nothing = dict.fromkeys(("ci_low", "ci_high", "n_cases", "n_groups"))
    same = {"metric": "train_loss", "target": "train", **nothing, **changes}
    return [metric_row(seed=seed, value=value, **same) for seed, value in enumerate(values)]


def write(folder: Path, rows: list[MetricRow], **changes: Any) -> None:
    write_rows(folder / "metrics.csv", MetricRow, [*rows, *losses(changes.get("loss", (0.3,)))])
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
    # three seeds with a standard deviation of 0.02 against one new run; alpha = 0.05 is shared
    # with the training loss
    bound = t.ppf(0.975, 2) * 0.02 * math.sqrt(1 / 1 + 1 / 3)
    assert found.tolerance == pytest.approx(lower(0.92, bound))
    assert found.note.startswith("seed spread 0.0200 (n = 3); sees 0.") and found.outcome == "ok"


def lower(centre: float, bound: float) -> float:
    """How far below a fraction a bound reaches that was moved along the arcsine of its root."""
    angle = math.asin(math.sqrt(centre)) - bound / (2 * math.sqrt(centre * (1 - centre)))
    return centre - math.sin(angle) ** 2


def spread_of(values: tuple[float, ...], **changes: Any) -> None:
    rows = [*accuracies(values, **changes), *losses((0.3, 0.31, 0.32))]
    write_rows(Path("seeds") / "metrics.csv", MetricRow, rows)
    assert main(["results", "spread", "seeds", "--out", str(OLD / "spread.csv")]) == 0


def test_one_seed_takes_its_spread_from_the_file_beside_it() -> None:
    write(OLD, accuracies((0.92,)))
    write(NEW, accuracies((0.85,)))
    assert main(["gate", str(OLD), str(NEW)]) == 1
    spread_of(
        (0.89, 0.92, 0.90, 0.93)
    )  # deviation 0.01826 by hand: squares .0004 .0001 .0001 .0004
    found = next(f for f in gate(OLD, NEW, load_rules()) if "accuracy" in f.name)
    deviation = math.sqrt(0.0010 / 3)
    # The mean of the four is the reference, not the one seed of the old results.
    assert found.reference == pytest.approx(0.91)
    bound = t.ppf(0.975, 3) * deviation * math.sqrt(1 + 1 / 4)
    assert found.tolerance == pytest.approx(lower(0.91, bound))
    assert found.note.startswith("seed spread 0.0183 (n = 4, spread.csv)") and found.outcome == "ok"
    spread_of((0.89, 0.92, 0.90, 0.93), setting_hash="other")
    found = next(f for f in gate(OLD, NEW, load_rules()) if "accuracy" in f.name)
    assert "(n = 4, spread.csv of another setting)" in found.note and found.reference == 0.92


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (accuracies((0.9, 0.92)), "too few seeds"),
        ([*accuracies(), *accuracies((0.9,))], "too few seeds"),
        ([*accuracies((0.9, 0.91)), *accuracies(data_hash="x")[2:]], "different settings or data"),
        ([bad_row("resnet18", "failed", "diverged")], "no finished run"),
    ],
    ids=["two seeds", "a seed twice", "other data", "nothing"],
)
def test_a_spread_that_cannot_be_measured(
    rows: list[MetricRow], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(Path("seeds") / "metrics.csv", MetricRow, rows)
    assert main(["results", "spread", "seeds", "--out", "spread.csv"]) == 2
    assert word in capsys.readouterr().err and not Path("spread.csv").exists()


def test_the_bootstrap_as_the_rule() -> None:
    rules = load_rules()
    rule = rules.metrics[Metric.ACCURACY].model_copy(update={"statistics": "bootstrap"})
    rules = rules.model_copy(update={"metrics": rules.metrics | {Metric.ACCURACY: rule}})
    write(OLD, accuracies((0.92,), ci_low=0.86, ci_high=0.98))
    write(NEW, accuracies((0.865,)))
    found = next(f for f in gate(OLD, NEW, rules) if "accuracy" in f.name)
    # 95 % interval of width 0.12: deviation 0.12 / 3.92 = 0.0306; one-sided 97.5 % is half of it.
    assert found.tolerance == pytest.approx(0.06, abs=1e-5)
    assert found.note == "bootstrap deviation 0.0306 (n = 496 cases)" and found.outcome == "ok"
    write(NEW, accuracies((0.84,)))
    assert exit_code(gate(OLD, NEW, rules)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_does_not_pass(value: float) -> None:
    assert outcome(accuracies((0.9, 0.92, value))) == 2
    assert outcome(accuracies(), probe=value) == 2


def test_metrics_that_are_shown_only() -> None:
    for changes in ({"selection": "best_val"}, {"target": "disease"}):
        old = [*accuracies(), metric_row(metric="accuracy", value=0.9, **changes)]
        new = [*accuracies(), metric_row(metric="accuracy", value=0.1, **changes)]
        assert outcome(new, old) == 0


def test_a_training_that_ends_worse_is_worse() -> None:
    # 5 % of 0.3 and 0.02: the larger.
    assert outcome(accuracies(), loss=(0.319,)) == 0
    assert outcome(accuracies(), loss=(0.321,)) == 1
    assert outcome(accuracies(), loss=(0.2,)) == 0
    assert outcome(accuracies(), loss=()) == 2


def test_a_reference_of_the_old_form_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    write(OLD, accuracies(), loss=())
    write(NEW, accuracies())
    (OLD / "losses.csv").write_text("method,train_loss\n")
    assert main(["gate", str(OLD), str(NEW)]) == 2
    message = capsys.readouterr().err
    assert "losses.csv" in message and "make reference" in message
    write(OLD, accuracies())  # the rows are where they belong: the old file is not read
    assert main(["gate", str(OLD), str(NEW)]) == 0


def test_a_reference_without_a_gated_metric_is_no_pass() -> None:
    rules = load_rules()
    shown = {m: r.model_copy(update={"gated": False}) for m, r in rules.metrics.items()}
    for folder in (OLD, NEW):
        write(folder, accuracies())
    assert exit_code(gate(OLD, NEW, rules)) == 0
    assert exit_code(gate(OLD, NEW, rules.model_copy(update={"metrics": shown}))) == 2


def test_a_method_of_one_seed_takes_the_spread_of_the_others() -> None:
    other = accuracies((0.70, 0.74, 0.78), method="resnet18")
    write(OLD, [*accuracies((0.92,)), *other])
    write(NEW, [*accuracies((0.85,)), *other])
    found = next(f for f in gate(OLD, NEW, load_rules()) if "mednext/last accuracy" in f.name)
    # Deviation 0.04 at 0.74 is 0.0456 of the arcsine's scale, and 0.0247 of the plain one at 0.92;
    # three metrics are gated: two accuracies and the loss.
    angle = 0.04 / (2 * math.sqrt(0.74 * 0.26))
    bound = t.ppf(1 - 0.05 / 3, 2) * angle * math.sqrt(2)
    low = math.sin(math.asin(math.sqrt(0.92)) - bound) ** 2
    assert found.reference == 0.92 and found.tolerance == pytest.approx(0.92 - low)
    assert found.note.startswith("seed spread 0.0247 (pooled over 1 methods, df = 2)")
    # With a second method that lends: (0.0456^2 + 0.0204^2) / 2 is 0.0353^2, at 0.92 0.0192.
    more = accuracies((0.58, 0.60, 0.62), method="resnet50")
    write(OLD, [*accuracies((0.92,)), *other, *more])
    found = next(f for f in gate(OLD, NEW, load_rules()) if "mednext/last accuracy" in f.name)
    assert found.note.startswith("seed spread 0.0192 (pooled over 2 methods, df = 4)")


def test_a_bound_that_lets_everything_pass_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    # Losses of 0.1, 0.5, 0.9: the bound of the loss is above twice its mean.
    spread = (0.1, 0.5, 0.9)
    write(OLD, accuracies(), loss=spread)
    write(NEW, accuracies(), loss=(0.52,))  # within 5 % of 0.5
    assert main(["gate", str(OLD), str(NEW)]) == 0
    write(NEW, accuracies(), loss=(0.60,))
    assert main(["gate", str(OLD), str(NEW)]) == 2
    assert "refused as vacuous" in capsys.readouterr().out
    # What has learned nothing can lose nothing: not even an equal value is a pass.
    assert outcome(accuracies((0.01,)), accuracies((0.01,))) == 2


def test_without_seeds_the_written_tolerance_holds() -> None:
    old = accuracies((0.92,))
    assert outcome(accuracies((0.901,)), old) == 0  # 0.02 below is allowed
    assert outcome(accuracies((0.899,)), old) == 1


@pytest.mark.parametrize(("value", "code"), [(0.92, 0), (0.99, 0), (0.80, 0), (0.79, 1)])
def test_worse_fails_and_better_passes(value: float, code: int) -> None:
    # 4.303 * 0.02 / (2 * sqrt(0.92 * 0.08)) * sqrt(4 / 3) = 0.1831 below asin(sqrt(0.92)) = 1.2840,
    # hence sin(1.1009)^2 = 0.7954
    assert outcome(accuracies((value,))) == code


def test_lower_is_better_for_distances() -> None:
    rules = load_rules()
    distances = rules.metrics["hd95_pooled_vox"].model_copy(update={"gated": True, "absolute": 1})
    rules = rules.model_copy(update={"metrics": rules.metrics | {"hd95_pooled_vox": distances}})

    def code(value: float) -> int:
        for folder, v in ((OLD, 5.0), (NEW, value)):
            write(
                folder,
                [metric_row(metric="hd95_pooled_vox", target="lv", policy="transunet", value=v)],
            )
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
    assert outcome([metric_row(metric="auc", target="non_disease")]) == 2
    assert outcome([*accuracies(), bad_row("resnet18", "failed", "diverged")]) == 2
    assert outcome([*accuracies()[:2], metric_row(metric="accuracy", **nothing())]) == 2


def nothing() -> dict[str, Any]:
    return {"target": "non_disease", "value": None, "ci_low": None, "ci_high": None, "seed": 2}


def test_nothing_at_all_is_not_a_pass() -> None:
    assert exit_code([]) == 2


def test_informational_metrics_never_fail() -> None:
    old = [*accuracies(), metric_row(metric="ece", target="non_disease", value=0.05)]
    new = [*accuracies(), metric_row(metric="ece", target="non_disease", value=0.50)]
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
    assert "gate: 1 worse, 0 not comparable, 0 better, 9 ok" in text
    assert Path("gate.md").read_text().startswith("**gate: 1 worse")
    suite = ET.parse("gate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("10", "1")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "worse" and "new=0.8000" in str(failure.text)


def test_the_first_reference(capsys: pytest.CaptureFixture[str]) -> None:
    write(NEW, accuracies((0.92,)))
    words = ["gate", str(OLD), str(NEW)]
    assert main(words) == 2  # nothing to compare with
    assert main([*words, "--update-reference"]) == 2 and not OLD.exists()
    assert main([*words, "--update-reference", "--reason", "the first"]) == 0
    assert "accuracy non_disease seed 0 |  | 0.9200 |" in capsys.readouterr().out
    assert main(words) == 0


def test_a_failed_run_is_no_reference() -> None:
    write(OLD, accuracies((0.92,)))
    write(NEW, [*accuracies((0.92,)), bad_row("resnet18", "failed", "diverged")])
    before = {file: file.read_bytes() for file in OLD.iterdir()}
    words = ["gate", str(OLD), str(NEW), "--update-reference", "--reason", "why not"]
    assert main(words) == 2
    assert {file: file.read_bytes() for file in OLD.iterdir()} == before


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
