"""Verdicts and scale by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mednext.errors import UserError
from mednext.report.build import build
from mednext.report.model import Table
from mednext.report.scale import Scale, data_difference, scale_difference, scale_of
from mednext.report.spec import load_tables
from mednext.results import MetricRow, View

from ..finished_runs import run_of, trained
from .made_up import dataset_rows, full_profile, make_profile, metric_row, metric_rows


def test_the_papers_scale_has_no_difference() -> None:
    profile = make_profile()
    assert scale_difference(scale_of(profile, "sars_cov2_ct"), "classification") is None
    assert scale_difference(scale_of(profile, "acdc"), "segmentation") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"img_size": 96}, "96 px instead of 224"),
        ({"epochs": 10}, "epochs 10 instead of 100"),
        ({"batch_size": 16}, "batch size 16 instead of 12"),
        ({"limit": {"train": 20, "val": 4, "test": 20}}, "limited to 20 train / 4 val / 20 test"),
    ],
)
def test_each_difference_of_scale_is_named(change: dict[str, object], words: str) -> None:
    profile = make_profile(**change)  # type: ignore[arg-type]
    assert scale_difference(scale_of(profile, "acdc"), "segmentation") == words


def test_an_assumed_batch_size_says_so() -> None:
    run = make_profile(batch_size=16).datasets["sars_cov2_ct"]
    words = "batch size 16 instead of 32 (assumed; the paper is silent)"
    assert scale_difference(Scale((run,), "fp32"), "classification") == words


def test_the_scale_is_that_of_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile was changed after the runs; a run of another protocol does not count."""
    monkeypatch.chdir(tmp_path)
    for seed, size, protocol, precision in (
        (0, 64, "paper", "tf32"),
        (1, 96, "paper", "bf16"),
        (0, 32, "grouped", "fp16"),
    ):
        changes = {"img_size": size, "epochs": 5, "batch_size": 8, "protocol": protocol}
        changes["precision"] = precision
        trained(run_of("classification", profile="made_up", seed=seed, source="local", **changes))
    profile = make_profile()
    scale = scale_of(profile, "sars_cov2_ct")
    words = "64 or 96 px instead of 224; epochs 5 instead of 300; batch size 8 instead of 32"
    assert str(scale_difference(scale, "classification")).startswith(words)
    table = _table([metric_row(seed=s) for s in range(3)])
    words = "Source local; 64 or 96 px, epochs 5, batch size 8, precision tf32 or bf16, seeds"
    assert str(table.setting).startswith(words)
    assert _verdict(table, "accuracy_pct") == "not comparable"
    assert scale_difference(scale_of(profile, "acdc"), "segmentation") is None  # nothing made yet


def test_the_amount_of_data_is_compared_with_table_1() -> None:
    normal, covid, _ = dataset_rows()
    assert data_difference([normal, covid], "paper") is None
    moved = covid.model_copy(update={"train": 750, "val": 252})
    assert data_difference([normal, moved], "grouped") is None
    words = "COVID-19 750 / 252 / 250 instead of 751 / 251 / 250 train / val / test"
    assert data_difference([normal, moved], "paper") == words
    assert data_difference([], "paper") == "the amount of data is not known"


def _verdict(table: Table, column: str, slug: str = "mednext") -> str | None:
    return next(line for line in table.lines if line.slug == slug).cells[column].verdict


def _table(rows: list[MetricRow], source: str = "local", **changes: object) -> Table:
    profile = make_profile(source, **changes)  # type: ignore[arg-type]
    return build("2", load_tables()["2"], View(), profile, rows, [], dataset_rows(source))


def test_a_run_at_the_papers_scale_gets_a_verdict_and_any_other_none() -> None:
    assert _verdict(_table(metric_rows()), "accuracy_pct") == "equivalent"
    assert _verdict(_table(metric_rows(), img_size=96), "accuracy_pct") == "not comparable"
    phantom = _table(metric_rows("phantom"), "phantom")
    assert _verdict(phantom, "accuracy_pct") == "not comparable"
    assert phantom.phantom


def test_too_little_data_is_not_comparable() -> None:
    rows = [row.model_copy(update={"test": 100}) for row in dataset_rows()]
    table = build("2", load_tables()["2"], View(), make_profile(), metric_rows(), [], rows)
    assert _verdict(table, "accuracy_pct") == "not comparable"
    assert "Normal 737 / 246 / 100 instead of 737 / 246 / 246" in str(table.scale_note)


def test_stand_in_data_are_not_comparable() -> None:
    rows = [row.model_copy(update={"stand_in": "another set"}) for row in dataset_rows()]
    table = build("2", load_tables()["2"], View(), make_profile(), metric_rows(), [], rows)
    assert _verdict(table, "accuracy_pct") == "not comparable"


@pytest.mark.parametrize("change", [{"epochs": 10}, {"batch_size": 16}])
def test_another_scale_is_not_comparable(change: dict[str, object]) -> None:
    assert _verdict(_table(metric_rows(), **change), "accuracy_pct") == "not comparable"


def test_seeds_are_averaged() -> None:
    table = _table(metric_rows())
    cell = next(line for line in table.lines if line.slug == "mednext").cells["accuracy_pct"]
    # (98.3 + 98.5 + 98.7) / 3; half a point for the cases, and for three seeds with a standard
    # deviation of 0.2 another 4.3027 * 0.2 / sqrt(3) = 0.4968: together 0.7049
    assert (cell.value, cell.low, cell.high) == pytest.approx((98.5, 97.7951, 99.2049), abs=1e-4)


def test_a_distance_is_judged_in_voxels_with_millimetres_beside_it() -> None:
    """Table 5 prints 23.96 for MedUNeXt; reference 12's code has no spacing."""
    of = {"dataset": "synapse", "task": "segmentation", "method": "medunext", "target": "mean"}
    rows = [
        metric_row(seed=s, metric=m, value=v, ci_low=v - 1, ci_high=v + 1, policy="transunet", **of)
        for s in range(3)
        for m, v in (("hd95_pooled_vox", 24.0), ("hd95_pooled_mm", 40.0 + s))
    ]
    table = build("5", load_tables()["5"], View(), full_profile(), rows, [])
    cell = next(line for line in table.lines if line.slug == "medunext").cells["hd95_mm"]
    assert (cell.value, cell.aside) == (24.0, "41.00 mm")


def test_a_missing_interval_is_not_taken_for_a_narrow_one() -> None:
    rows = [metric_row(seed=s, value=0.9839, ci_low=None, ci_high=None) for s in range(3)]
    assert _verdict(_table(rows), "accuracy_pct") == "undecided"


def test_results_of_another_source_are_refused() -> None:
    with pytest.raises(UserError, match=r"(?s)source phantom for mednext.*source local"):
        _table(metric_rows("phantom"), "local")
