"""Verdicts and scale by hand."""

from __future__ import annotations

import pytest

from mednext.errors import UserError
from mednext.report.build import build
from mednext.report.model import Table, View
from mednext.report.scale import data_difference, scale_difference
from mednext.report.spec import load_tables
from mednext.report.verdicts import judge, over_seeds
from mednext.results import MetricRow

from .made_up import dataset_rows, make_profile, metric_row, metric_rows


@pytest.mark.parametrize(
    ("low", "high", "value", "seeds", "verdict"),
    [
        (97.9, 98.9, 98.5, 3, "reproduced"),
        (98.39, 99.0, 98.7, 3, "reproduced"),  # the printed value on the bound counts as inside
        (98.5, 99.5, 99.0, 3, "higher"),
        (97.0, 98.3, 97.7, 3, "lower"),
        (97.9, 98.9, 98.5, 2, "inconclusive"),  # too few seeds
        (97.0, 99.1, 98.0, 5, "inconclusive"),  # half-width 1.05 points
        (97.3, 99.3, 98.3, 5, "reproduced"),  # half-width exactly 1 point
        (None, 99.0, 98.7, 5, "inconclusive"),
        (98.0, None, 98.7, 5, "inconclusive"),
    ],
)
def test_verdicts_of_a_percentage(
    low: float | None, high: float | None, value: float, seeds: int, verdict: str
) -> None:
    assert judge(98.39, value, low, high, seeds, unit=1.0) == verdict


def test_a_point_of_auc_is_a_hundredth() -> None:
    assert judge(0.9988, 0.99, 0.98, 0.9995, 3, unit=0.01) == "reproduced"
    assert judge(0.9988, 0.99, 0.97, 0.9995, 3, unit=0.01) == "inconclusive"


def test_the_papers_scale_has_no_difference() -> None:
    profile = make_profile()
    assert scale_difference(profile.datasets["sars_cov2_ct"], "classification") is None
    assert scale_difference(profile.datasets["acdc"], "segmentation") is None


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
    assert scale_difference(profile.datasets["acdc"], "segmentation") == words


def test_an_assumed_batch_size_says_so() -> None:
    run = make_profile(batch_size=16).datasets["sars_cov2_ct"]
    words = "batch size 16 instead of 32 (assumed; the paper is silent)"
    assert scale_difference(run, "classification") == words


def test_the_amount_of_data_is_compared_with_table_1() -> None:
    normal, covid, _ = dataset_rows()
    assert data_difference([normal, covid], "paper") is None
    moved = covid.model_copy(update={"train": 750, "val": 252})
    assert data_difference([normal, moved], "grouped") is None
    words = "covid19 750 / 252 / 250 instead of 751 / 251 / 250 train / val / test"
    assert data_difference([normal, moved], "paper") == words
    assert data_difference([], "paper") == "the amount of data is not known"


def _verdict(table: Table, column: str, slug: str = "mednext") -> str | None:
    return next(line for line in table.lines if line.slug == slug).cells[column].verdict


def _table(rows: list[MetricRow], source: str = "local", **changes: object) -> Table:
    profile = make_profile(source, **changes)  # type: ignore[arg-type]
    return build("2", load_tables()["2"], View(), profile, rows, [], dataset_rows(source))


def test_a_run_at_the_papers_scale_gets_a_verdict_and_any_other_none() -> None:
    assert _verdict(_table(metric_rows()), "accuracy_pct") == "reproduced"
    assert _verdict(_table(metric_rows(), img_size=96), "accuracy_pct") == "not comparable"
    phantom = _table(metric_rows("phantom"), "phantom")
    assert _verdict(phantom, "accuracy_pct") == "not comparable"
    assert phantom.phantom


def test_too_little_data_is_not_comparable() -> None:
    rows = [row.model_copy(update={"test": 100}) for row in dataset_rows()]
    table = build("2", load_tables()["2"], View(), make_profile(), metric_rows(), [], rows)
    assert _verdict(table, "accuracy_pct") == "not comparable"
    assert "normal 737 / 246 / 100 instead of 737 / 246 / 246" in str(table.scale_note)


def test_seeds_are_averaged() -> None:
    table = _table(metric_rows())
    cell = next(line for line in table.lines if line.slug == "mednext").cells["accuracy_pct"]
    # (98.3 + 98.5 + 98.7) / 3; half a point for the cases, and for three seeds with a standard
    # deviation of 0.2 another 4.3027 * 0.2 / sqrt(3) = 0.4968: together 0.7049
    assert (cell.value, cell.low, cell.high) == pytest.approx((98.5, 97.7951, 99.2049), abs=1e-4)


def test_one_seed_has_the_interval_of_its_cases() -> None:
    row = metric_row(value=0.99, ci_low=0.97, ci_high=0.995)
    assert over_seeds([row]) == pytest.approx((0.99, 0.97, 0.995))


def test_seeds_that_differ_widely_stay_inside_the_possible() -> None:
    rows = [metric_row(seed=s, value=v, ci_low=v, ci_high=v) for s, v in enumerate((0.9, 1.0))]
    # Student's quantile for one degree of freedom is 12.7
    mean, low, high = over_seeds(rows)
    assert mean == pytest.approx(0.95) and low == pytest.approx(0.95 - 12.706 * 0.05, abs=1e-3)
    assert high == 1.0


def test_a_missing_interval_is_not_taken_for_a_narrow_one() -> None:
    rows = [metric_row(seed=s, value=0.9839, ci_low=None, ci_high=None) for s in range(3)]
    assert _verdict(_table(rows), "accuracy_pct") == "inconclusive"


def test_results_of_another_source_are_refused() -> None:
    with pytest.raises(UserError, match=r"(?s)source phantom for mednext.*source local"):
        _table(metric_rows("phantom"), "local")
