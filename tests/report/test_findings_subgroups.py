"""Who is served worse, as FINDINGS.md says it: the words follow the corrected p."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mednext.report.findings.subgroups import subgroups
from mednext.results import write_rows
from mednext.results.subgroups import SubgroupRow

from .made_up import reduced_results


def row(**changes: Any) -> SubgroupRow:
    values: dict[str, Any] = {
        "dataset": "acdc", "protocol": "paper", "method": "unet", "seeds": 1, "metric": "dice",
        "attribute": "diagnosis", "level": "normal", "n_cases": 36, "n_groups": 6, "value": 0.5,
        "ci_low": 0.4, "ci_high": 0.6, "worst": False, "difference": -0.1, "diff_low": -0.15,
        "diff_high": -0.05, "p": 0.01, "p_holm": 0.04, "noticeable": 0.09, "power": 0.85,
    }  # fmt: skip
    return SubgroupRow(**{**values, **changes})


def test_words_follow_the_corrected_p_of_the_mean_of_all(reduced: Path) -> None:
    empty = dict.fromkeys(
        ("ci_low", "ci_high", "diff_low", "diff_high", "p", "p_holm", "noticeable", "power")
    )
    rows = [
        row(),
        row(method="vnet", p_holm=0.06),
        row(method="darr", difference=0.1),
        row(method="all", worst=True),
        row(method="all", level="dilated", p_holm=0.051),
        row(method="all", level="infarction", difference=0.1, diff_high=1.4, noticeable=1.2),
        row(method="all", level="hypertrophic", **empty),
    ]
    write_rows(reduced / "subgroups.csv", SubgroupRow, rows)
    (found,) = subgroups(reduced_results())
    assert found["who"] == "mean of 3 methods" and found["methods"] == 3
    assert found["worse"] == ["diagnosis, normal: 1 method"]
    lines = {line["level"]: line for line in found["lines"]}
    words = {level: line["words"] for level, line in lines.items()}
    assert words == {
        "normal (worst)": "**worse**",
        "dilated": "inconclusive",
        "infarction": "better",
        "hypertrophic": "too few groups",
    }
    assert lines["normal (worst)"]["difference"] == "-10.0 [-15.0, -5.0]"
    # No two scores lie more than 100 points apart, and no such deficit can be seen.
    assert lines["infarction"]["difference"] == "+10.0 [-15.0, +100.0]"
    assert lines["infarction"]["noticeable"] == "none"
    assert lines["dilated"]["noticeable"] == "9.0"
    assert lines["hypertrophic"]["noticeable"] == "–"
    assert lines["hypertrophic"]["score"] == "50.0" and lines["hypertrophic"]["power"] is None
