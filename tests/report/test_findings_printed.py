"""What FINDINGS.md says of the printed numbers: each finding once, the positive class first."""

from __future__ import annotations

from mednext.audit.schema import CellRow
from mednext.report.findings.printed import printed


def cell(
    table: int, slug: str, rule: str, verdict: str, note: str = "", **changes: object
) -> CellRow:
    values: dict[str, object] = {
        "table": table, "slug": slug, "column": None, "rule": rule, "verdict": verdict,
        "basis": "arithmetic", "note": note,
    }  # fmt: skip
    return CellRow.model_validate(values | changes)


SWAPPED = "a confusion matrix gives the row only so; of the disease it has 0 missed, 8 false alarms"


def test_one_network_in_two_tables_is_one_finding_and_ours_goes_first() -> None:
    cells = [
        cell(2, "resnet50", "orientation", "positive is the absence of the disease", SWAPPED),
        cell(2, "mednext", "orientation", "positive is the absence of the disease", SWAPPED),
        cell(
            7, "laffn_sem_sdffn", "orientation", "positive is the absence of the disease", SWAPPED
        ),
        cell(3, "mednext", "orientation", "positive is the absence of the disease", SWAPPED),
    ]
    first, second, third = printed(cells)["swapped"]
    assert (first["name"], first["tables"]) == ("MedNeXt", [2, 7])
    assert first["counts"] == "0 missed, 8 false alarms"
    assert (second["tables"], third["tables"], third["ours"]) == ([3], [2], False)


def test_rules_that_look_at_one_row_are_one_finding() -> None:
    cells = [
        cell(4, "vit", "confusion", "no fit"),
        cell(4, "vit", "attainable", "off", column="accuracy_pct"),
        cell(4, "vit", "test size", "would explain", basis="inference"),
        cell(2, "resmlp", "f1", "off", column="f1_pct"),
        cell(2, "resmlp", "f1", "a mean may lie below", column="f1_pct", basis="inference"),
        cell(5, "vnet", "mean", "off", column="dsc_pct"),
        cell(2, "mednext", "orientation", "positive is the absence of the disease", SWAPPED),
    ]
    found = printed(cells)
    assert found["independent"] == {
        "rows": 2, "rows_of_any_size": 1, "rows_at_the_stated_size": 1, "means": 1
    }  # fmt: skip
    assert found["other_size"] == [(4, 1)] and len(found["wrong"]) == 4
