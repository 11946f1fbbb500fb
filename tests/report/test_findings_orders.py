"""The printed order against a made-up one: what agrees, what contradicts, what is open."""

from __future__ import annotations

from pathlib import Path

import pytest

from mednext.report.findings.laffn import laffn
from mednext.report.findings.orders import order
from mednext.results import ComparisonRow, DifferenceRow, MetricRow, write_rows

from .made_up import metric_row, reduced_results


def compared(a: str, b: str, value_a: float, value_b: float, p: float) -> ComparisonRow:
    return ComparisonRow(
        profile="reduced", source="local", source_id="local-0", dataset="sars_cov2_ct",
        protocol="paper", selection="last", seed=0, test="mcnemar", metric="accuracy",
        method_a=a, method_b=b, value_a=value_a, value_b=value_b, p=p, p_holm=p,
        n_cases=496, n_groups=60, note=None,
    )  # fmt: skip


def test_each_pair_counts_where_it_belongs(reduced: Path) -> None:
    """Table 2 prints MedNeXt 98.39, ResNet18 97.98, ResMLP 93.65, ViT 92.84 % of accuracy."""
    rows = [
        compared("mednext", "vit", 0.9, 0.8, 0.01),  # as printed
        compared("resnet18", "mednext", 0.95, 0.9, 0.01),  # the opposite
        compared("vit", "resmlp", 0.7, 0.8, 0.04),  # as printed, the worse one first
        compared("resnet18", "vit", 0.7, 0.8, 0.2),  # opposite, but may be chance
        compared("mednext_nc", "vit", 0.9, 0.8, 0.01),  # the paper prints no mednext_nc
    ]
    write_rows(reduced / "comparisons.csv", ComparisonRow, rows)
    found = order(reduced_results(), "2")
    assert found is not None
    counted = {k: found[k] for k in ("methods", "pairs", "agree", "contradict", "open", "family")}
    assert counted == {
        "methods": 4, "pairs": 4, "agree": 2, "contradict": 1, "open": 1, "family": 5
    }  # fmt: skip


def test_the_seeds_of_one_method_are_set_beside_the_order(reduced: Path) -> None:
    scores = {
        "mednext": (0.90, 0.95, 0.93), "resnet18": (0.80, 0.92), "vit": (0.1,)
    }  # fmt: skip
    rows = [
        metric_row(
            method=method, dataset="sars_cov2_ct", seed=seed, metric="accuracy",
            target="non_disease", value=value,
        )
        for method, values in scores.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    rows.append(rows[0].model_copy(update={"protocol": "grouped", "seed": 9, "value": 0.2}))
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = order(reduced_results(), "2")
    assert found is not None
    assert found["moved"] == (pytest.approx(12), "resnet18", 2)
    other = order(reduced_results(), "3")
    assert other is not None and other["moved"] is None


def test_the_caption_names_the_seeds_of_its_own_data_set(reduced: Path) -> None:
    rows = [
        metric_row(dataset=dataset, seed=seed, metric="accuracy", target="non_disease", value=0.9)
        for dataset, seed in (("sars_cov2_ct", 0), ("sars_cov2_ct", 2), ("monkeypox_msld", 7))
    ]
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = laffn(reduced_results())[0]
    assert "seed 0, 2;" in found["caption"]
    assert found["lines"][0]["seeds"] == 2 and found["lines"][0]["mean"] == pytest.approx(90)


def test_laffn_is_asked_of_segmenters_too(reduced: Path) -> None:
    rows = [
        DifferenceRow(
            dataset="acdc", protocol="paper", seed=seed, metric="dice",
            method_a="medunext_sem_sdffn", method_b="medunext", difference=difference,
            ci_low=difference - 0.02, ci_high=difference + 0.02, deviation=0.1,
            n_cases=20, n_groups=20,
        )
        for seed, difference in ((0, -0.10), (1, -0.14))
    ]  # fmt: skip
    write_rows(reduced / "differences.csv", DifferenceRow, rows)
    found = laffn(reduced_results())
    assert [part["metric"] for part in found] == ["accuracy", "mean Dice"]
    pair, *others = found[1]["pairs"]
    # The other way round: 10 and 14 points, of which 12.706 * 2.8284 / sqrt(2) and 2 are joined.
    assert pair["seeds"] == 2
    assert pair["joint"] == "inconclusive: +12.0 points, the interval is [-13.5, +37.5]"
    assert pair["each"][1] == (1, "higher: +14.0 points, the interval is [+12.0, +16.0]")
    assert pair["detectable"] == pytest.approx((12.7062 + 1.3764) * 2, abs=1e-3)
    assert {other["joint"] for other in others} == {"not yet measured"}
    write_rows(reduced / "differences.csv", DifferenceRow, rows[:1])
    pair = laffn(reduced_results())[1]["pairs"][0]
    assert pair["joint"] == "one seed, which says nothing of others"
    assert pair["each"] == [(0, "higher: +10.0 points, the interval is [+8.0, +12.0]")]
