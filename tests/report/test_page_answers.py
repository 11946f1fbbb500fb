"""The five cards of the first screen, against counts made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mednext.audit.schema import CellRow, ConfusionRow, LeadRow
from mednext.report.page.answers import answers, commit_date
from mednext.report.page.tables import Tally
from mednext.results import MetricRow, write_rows

from .made_up import make_profile
from .made_up_results import metric_rows

TALLY = Tally("All", "#tables", {"reproduced": 2, "not comparable": 0, "higher": 3})
RUNS = [{"status": "ok", "commit": ""}, {"status": "failed", "commit": ""}]


def cell(table: int, slug: str, rule: str) -> CellRow:
    basis: Any = "inference" if rule == "lead" else "arithmetic"
    return CellRow(
        table=table, slug=slug, column="x", rule=rule, verdict="off", basis=basis, note="-"
    )


def matrix(**changes: Any) -> ConfusionRow:
    row = dict.fromkeys(ConfusionRow.model_fields) | {
        "table": 2, "method": "mednext", "positive": "non_disease", "n_positive": 246,
        "n_negative": 250, "matrices": 1, "missed_disease": 0, "false_alarms": 8, "verdict": "fits",
    }  # fmt: skip
    return ConfusionRow(**row | changes)


def lead(table: int, slug: str, p: float) -> LeadRow:
    return LeadRow(
        table=table, slug=slug, column="accuracy_pct", winner="mednext", winner_printed="98.39",
        printed="98", read_as=None, lead="0.39", cases=496, agreement="pair", association=20.0,
        association_low=10.0, association_high=30.0, p_false=p, p_false_low=p - 0.1,
        p_false_high=p + 0.1, verdict="open",
    )  # fmt: skip


def ask(source: str, audit: Path, metrics: list[MetricRow] | None = None) -> dict[str, Any]:
    rows = metric_rows(source) if metrics is None else metrics
    return {a.key: a for a in answers(make_profile(source), rows, audit, TALLY, RUNS)}


def test_without_the_audit_the_cards_say_how_to_make_it(tmp_path: Path) -> None:
    found = ask("local", tmp_path)
    assert list(found) == ["right", "class", "leads", "leaked", "reproduced"]
    for key in ("right", "class", "leads"):
        assert found[key].number == "–" and "mednext audit" in found[key].words


def test_a_row_counts_once_however_many_rules_look_at_it(tmp_path: Path) -> None:
    cells = [
        cell(2, "vit", "confusion"), cell(2, "vit", "f1"), cell(3, "vit", "confusion"),
        cell(5, "unet", "mean"), cell(2, "mednext", "orientation"), cell(3, "vit", "lead"),
    ]  # fmt: skip
    write_rows(tmp_path / "cells.csv", CellRow, cells)
    write_rows(tmp_path / "confusion.csv", ConfusionRow, [matrix(), matrix(method="vit")])
    found = ask("local", tmp_path)
    assert found["right"].number == "3"
    assert found["right"].words.startswith("2 printed rows and 1 printed means")
    assert "1 of the rows only at the stated test sizes" in found["right"].words
    assert found["class"].number == "1"
    assert "Table 2, MedNeXt: 0 ill missed, 8 false alarms." in found["class"].words


def test_of_each_table_the_closest_rival_is_named(tmp_path: Path) -> None:
    rows = [lead(2, "vit", 0.2), lead(2, "resnet18", 0.31), lead(3, "vit", 0.15)]
    write_rows(tmp_path / "leads.csv", LeadRow, rows)
    card = ask("local", tmp_path)["leads"]
    assert card.number == "0.15 to 0.31"
    assert "Table 2, over ResNet18: 0.31 [0.21, 0.41]; Table 3, over ViT: 0.15" in card.words


def test_leaked_data_are_worth_the_difference_of_two_protocols(tmp_path: Path) -> None:
    """98.5 [97.8, 99.2] against 90.0 [88, 92]: +8.5, half-widths 0.7 and 2 in quadrature: 2.1."""
    rows = metric_rows("local")
    ours = next(
        r
        for r in rows
        if (r.dataset, r.method, r.metric, r.protocol)
        == ("sars_cov2_ct", "mednext", "accuracy", "paper")
        and r.selection == "last"
    )
    ours = ours.model_copy(update={"seed": 0, "value": 0.985, "ci_low": 0.978, "ci_high": 0.992})
    other = ours.model_copy(
        update={"protocol": "grouped", "value": 0.9, "ci_low": 0.88, "ci_high": 0.92}
    )
    card = ask("local", tmp_path, [ours, other])["leaked"]
    assert card.number == "+8.5 points"
    assert "98.5 [97.8, 99.2] (n = " in card.words and "[+6.4, +10.6]" in card.words


def test_phantoms_say_what_real_data_would_add(tmp_path: Path) -> None:
    card = ask("phantom", tmp_path)["leaked"]
    assert card.number == "–" and "make results CONFIG=config/reduced.yaml" in card.words


def test_runs_are_counted_with_their_scale_and_verdicts(tmp_path: Path) -> None:
    card = ask("phantom", tmp_path)["reproduced"]
    assert card.number == "1 of 2" and "PHANTOM data" in card.words
    assert "Printed cells: 2 reproduced, 3 higher." in card.words


@pytest.mark.parametrize("commit", ["", "--output=x", "not a commit", "0" * 40])
def test_what_is_no_known_commit_has_no_date(commit: str) -> None:
    assert commit_date(commit) is None
