"""Sections of FINDINGS.md on made-up rows: protocols, costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mednext.report.findings.costs import costs
from mednext.report.findings.protocols import guess, protocols
from mednext.report.findings.scores import scores
from mednext.results import DatasetRow, MetricRow, PlanRow, write_rows
from mednext.results.protocols import SharedRow

from .made_up import dataset_rows, metric_row, reduced_results


def test_a_protocol_costs_the_difference_of_two_scores(reduced: Path) -> None:
    common: dict[str, Any] = {"dataset": "monkeypox_msld", "method": "resnet18"}
    rows = [
        metric_row(protocol="paper", value=0.9, ci_low=0.87, ci_high=0.93, n_cases=40, **common),
        metric_row(protocol="grouped", value=0.8, ci_low=0.76, ci_high=0.84, n_cases=50,
                   n_groups=20, **common),
        # Neither another seed, nor another selection, nor a metric beside accuracy may be taken.
        metric_row(protocol="grouped", value=0.1, seed=1, **common),
        metric_row(protocol="grouped", value=0.2, selection="best_test", **common),
        metric_row(protocol="grouped", value=0.3, metric="f1", **common),
        # A method that one of the two protocols lacks has no difference.
        metric_row(dataset="monkeypox_msld", method="mednext", protocol="paper", value=0.7),
    ]  # fmt: skip
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = {
        (f["caption"].split(",")[0], f["protocol"]): f["lines"]
        for f in protocols(reduced_results())
    }
    # Half widths of 3 and 4 points make one of 5.
    assert found["Monkeypox Skin Lesion Dataset", "grouped"] == [
        (
            "resnet18",
            "90.0 [87.0, 93.0] (n = 40)",
            "80.0 [76.0, 84.0] (n = 50 of 20 groups)",
            "higher: +10.0 points, the interval is [+5.0, +15.0]",
        )
    ]
    assert found["Monkeypox Skin Lesion Dataset", "grouped_originals"] == []

    # Groups in common tie the two scores: 3 and 4 join to sqrt(9 + 16 - 2 * 0.375 * 3 * 4) = 4.
    axes = {"dataset": "monkeypox_msld", "protocol": "grouped", "method": "resnet18", "seed": 0}
    counts = {"n_paper": 40, "n_other": 50, "shared": 7, "shared_groups": 5, "correlation": 0.375}
    write_rows(reduced / "shared.csv", SharedRow, [SharedRow(**axes, **counts)])
    (about,) = [f for f in protocols(reduced_results()) if f["lines"]]
    assert about["lines"][0][3] == "higher: +10.0 points, the interval is [+6.0, +14.0]"
    assert about["shared"].startswith("both hold 7 images and 5 groups; ")


def test_guessing_is_the_most_frequent_class_of_that_test_set(reduced: Path) -> None:
    row = dataset_rows()[0]
    counts = [("paper", "a", 30), ("paper", "b", 10), ("grouped", "a", 9), ("grouped", "b", 11)]
    rows = [
        row.model_copy(update={"protocol": protocol, "klass": klass, "test": test})
        for protocol, klass, test in counts
    ]
    write_rows(reduced / "datasets.csv", DatasetRow, rows)
    results = reduced_results()
    assert guess(results, "sars_cov2_ct", "paper") == pytest.approx(75)
    assert guess(results, "sars_cov2_ct", "grouped") == pytest.approx(55)
    assert guess(results, "monkeypox_msld", "paper") is None


def test_methods_stand_in_the_order_of_what_they_reached(reduced: Path) -> None:
    """Table 2 prints MedNeXt 98.39, ResNet18 97.98 % of accuracy."""
    rows = [
        metric_row(method="mednext", value=0.8, ci_low=0.7, ci_high=0.9),
        metric_row(method="resnet18", value=0.9, ci_low=0.85, ci_high=0.95),
        metric_row(method="resnet18", value=0.1, seed=1),
        metric_row(method="mednext_nc", value=0.99),  # the paper prints no such method
    ]
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = scores(reduced_results(), "2")
    assert found is not None and found["metric"] == "accuracy"
    assert found["lines"] == [
        ("resnet18", 97.98, "90.0 [85.0, 95.0] (n = 496)"),
        ("mednext", 98.39, "80.0 [70.0, 90.0] (n = 496)"),
    ]
    assert len(found["missing"]) == 9 and "vit" in found["missing"]
    assert scores(reduced_results(), "6") is None  # nothing of ACDC
    assert scores(reduced_results(), "1") is None and scores(reduced_results(), "5") is None


def planned(dataset: str, protocol: str, method: str, runs: int, trained: int) -> PlanRow:
    return PlanRow(
        dataset=dataset, protocol=protocol, method=method, runs=runs, trained=trained, params=1,
        gmacs=1.0, n_train=1, n_val=1, n_test=1, counts="typical", epochs=1,
        train_seconds=7200.0, predict_seconds=360.0, basis="made up",
    )  # fmt: skip


def test_hours_are_those_of_trainings_and_predictions() -> None:
    found = costs(
        [
            planned("sars_cov2_ct", "paper", "mednext", 3, 3),
            planned("sars_cov2_ct", "paper", "vit", 1, 1),
            planned("sars_cov2_ct", "grouped", "mednext", 3, 1),  # two take the weights over
        ]
    )
    assert found is not None
    # 2 h a training and 0.1 h a prediction.
    assert found["runs"] == 7 and found["hours"] == pytest.approx(5 * 2 + 7 * 0.1)
    assert [part[:3] for part in found["parts"]] == [
        ("sars_cov2_ct", "paper", 4), ("sars_cov2_ct", "grouped", 3)
    ]  # fmt: skip
    assert [part[3] for part in found["parts"]] == pytest.approx([8.4, 2.3])
    assert found["core_methods"] == ["mednext"]
    # The question of LAFFN: mednext under the paper's protocol only; ViT is no part of it.
    assert found["core_runs"] == 3 and found["core_hours"] == pytest.approx(6.3)
    assert found["bases"] == ["made up"]


def test_no_plan_no_cost() -> None:
    assert costs([]) is None
