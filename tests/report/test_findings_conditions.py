"""Other conditions, as FINDINGS.md shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from mednext.report.figures.charts import looks
from mednext.report.figures.conditions import _curves, _lines, write
from mednext.report.findings.conditions import conditions
from mednext.results import RunRecord, write_rows
from mednext.results.conditions import ConditionRow

from .made_up import reduced_results

NAME = "sars_cov2_ct/paper/resnet18/seed0"


def row(**changes: Any) -> ConditionRow:
    values: dict[str, Any] = {
        "dataset": "sars_cov2_ct", "protocol": "paper", "method": "resnet18", "seed": 0,
        "weights": "0123456789ab",
        "condition": "external: elsewhere", "metric": "accuracy", "before": 0.9, "after": 0.6,
        "change": -0.3, "ci_low": -0.4, "ci_high": -0.2, "relative": None, "n_cases": 96,
        "n_groups": 50,
    }  # fmt: skip
    return ConditionRow(**{**values, **changes})


def test_what_each_condition_is_about_and_the_order_of_methods(reduced: Path) -> None:
    shifted: dict[str, Any] = {"condition": "shifted: mean", "relative": 0.8, "ci_low": None}
    rows = [
        row(),
        row(method="vit", before=0.8, after=0.5),
        row(method="resnet50", before=0.7, after=0.4),
        row(method="mednext", before=0.6, after=0.55),
        row(metric="ece"),
        row(**shifted),
        row(condition="shifted: jpeg 5"),
        row(condition="calibrated: T=1.5000", metric="accuracy"),
        row(condition="calibrated: T=1.5000", metric="ece", before=0.1, after=0.02, change=-0.08),
    ]
    write_rows(reduced / "conditions.csv", ConditionRow, rows)
    (found,) = conditions(reduced_results())
    shown = [(line["condition"], line["metric"]) for line in found["lines"]]
    assert shown == [
        *[("external: elsewhere", "accuracy")] * 4,
        ("shifted: mean", "accuracy"),
        ("calibrated: T=1.5000", "ece"),
    ]
    assert found["lines"][0]["change"] == "-30.0 [-40.0, -20.0]"
    assert (found["lines"][4]["change"], found["lines"][4]["relative"]) == ("-30.0", "0.80")
    # Ranks here 4 3 2 1, there 4 2 1 3: 1 - 6 * (0 + 1 + 1 + 4) / (4 * 15)
    # and of the 24 permutations 18 have a correlation at least as far from zero.
    said = "0.40 (4 methods; p = 0.75 over their permutations)"
    assert found["ranks"] == {"external: elsewhere": said}
    write_rows(reduced / "conditions.csv", ConditionRow, rows[1:])
    assert conditions(reduced_results())[0]["ranks"] == {}


@pytest.mark.parametrize(("digest", "again"), [("0123456789ab" + "0" * 52, []), ("f" * 64, [NAME])])
def test_weights_that_were_trained_again_are_named(
    reduced: Path, digest: str, again: list[str]
) -> None:
    write_rows(reduced / "conditions.csv", ConditionRow, [row(), row(metric="auc")])
    results = reduced_results()
    results.runs = [(NAME, RunRecord.model_construct(weights={"last": digest}))]
    assert conditions(results)[0]["again"] == again


def test_the_chart_shows_each_corruption_by_severity_and_the_data_of_others(
    reduced: Path, tmp_path: Path
) -> None:
    worse = [
        row(condition=f"shifted: jpeg {k}", after=0.9 - k / 10, ci_low=-k / 10 - 0.02,
            ci_high=-k / 10 + 0.02)
        for k in range(1, 6)
    ]  # fmt: skip
    rows = [*worse, *(r.model_copy(update={"method": "vit", "seed": 1}) for r in worse), row()]
    write_rows(reduced / "conditions.csv", ConditionRow, rows)
    (stem,) = write(reduced_results().profile, tmp_path)
    assert stem == tmp_path / "conditions_sars_cov2_ct_paper"
    drawn = stem.with_suffix(".svg").read_text(encoding="utf-8")
    for word in (">JPEG<", ">On elsewhere<", ">outside<", ">ResNet18<", ">ViT<"):
        assert word in drawn
    figure, axis = plt.subplots()
    _lines(axis, _curves(rows)["jpeg"], looks(["resnet18", "vit"]))
    assert axis.lines[0].get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
    assert axis.lines[0].get_ydata() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    # At severity 5 the band goes from 0.9 - 0.52 to 0.9 - 0.48.
    edges = axis.collections[0].get_paths()[0].vertices
    assert sorted(edges[edges[:, 0] == 5][:, 1])[0] == pytest.approx(0.38)
    assert sorted(edges[edges[:, 0] == 5][:, 1])[-1] == pytest.approx(0.42)
    plt.close(figure)


def test_bands_end_where_scores_do() -> None:
    # A change by -0.98 to +0.3 of 0.9 would reach below 0 and above 1.
    wide = [row(condition="shifted: jpeg 1", after=0.8, ci_low=-0.98, ci_high=0.3)]
    figure, axis = plt.subplots()
    _lines(axis, _curves(wide)["jpeg"], looks(["resnet18"]))
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.0, 1.0)
    plt.close(figure)
