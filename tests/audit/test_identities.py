from __future__ import annotations

import csv
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mednext.audit.identities import behind
from mednext.audit.printed import Convention
from mednext.audit.run import Audit, audit
from mednext.audit.schema import IdentityRow

from .conftest import REPORTED, Edit


def one(done: Audit, table: int, slug: str, column: str, rule: str) -> IdentityRow:
    (row,) = [
        r
        for r in done.identities
        if (r.table, r.slug, r.column, r.rule) == (table, slug, column, rule)
    ]
    return row


def test_cells_of_the_paper_by_hand(reported: Audit) -> None:
    # Table 2, DenseNet121: 2 * 96.31 * 95.68 / (96.31 + 95.68) = 95.994, printed 97.86.
    row = one(reported, 2, "densenet121", "f1_pct", "f1")
    assert (row.verdict, row.off_by) == ("off", "1.856")  # from 96.004, what rounding leaves
    assert row.note is not None and row.note.startswith("outside precision and recall")
    # Table 2, MedNeXt: 2 * 100 * 96.75 / 196.75 = 98.348.
    assert one(reported, 2, "mednext", "f1_pct", "f1").verdict == "agrees"
    # Table 6, UNet: (84.16 + 86.09 + 94.01) / 3 = 88.087, printed 88.09.
    assert one(reported, 6, "unet", "dsc_pct", "mean").verdict == "agrees"


def test_means_agree_with_plain_addition(reported: Audit) -> None:
    # Independent of the module: floats, and half a unit to either side or a whole one for cut-off.
    rules = {
        5: [
            "aorta",
            "gallbladder",
            "kidney_l",
            "kidney_r",
            "liver",
            "pancreas",
            "spleen",
            "stomach",
        ],
        6: ["rv_pct", "myo_pct", "lv_pct"],
        8: ["rv_pct", "myo_pct", "lv_pct"],
    }
    files = {int(f.name[5]): f for f in REPORTED.glob("table*.csv")}
    expected = {}
    for table, organs in rules.items():
        for row in csv.DictReader(files[table].open()):
            if row["dsc_pct"] and all(row[o] for o in organs):
                mean = sum(float(row[o]) for o in organs) / len(organs)
                gap = float(row["dsc_pct"]) - mean
                # Printed in [v - 0.005, v + 0.01) on both sides: 0.015 between them at most.
                expected[table, row["slug"]] = "agrees" if abs(gap) < 0.015 + 1e-9 else "off"
    found = {(r.table, r.slug): r.verdict for r in reported.identities if r.rule == "mean"}
    assert found == expected
    assert sum(verdict == "off" for verdict in found.values()) > 0


def test_row_sums_of_table_1_by_hand(reported: Audit) -> None:
    # 737 + 246 + 246 = 1229, 999 + 215 + 214 = 1428: all eight rows add up.
    sums = [r for r in reported.identities if r.rule == "sum"]
    assert len(sums) == 8
    assert one(reported, 1, "monkeypox_msld/monkeypox", "total", "sum").expected_low == "1428"


def test_an_empty_cell_is_not_judged(write_paper: Callable[[Edit | None], Path]) -> None:
    def blank(paper: dict[str, Any]) -> None:
        paper["tables"][2][0]["f"] = ""
        paper["tables"][3][0]["x"] = ""

    done = audit(write_paper(blank))
    judged = {(r.slug, r.rule) for r in done.identities}
    assert ("first", "f1") not in judged and ("one", "mean") not in judged
    assert ("second", "f1") in judged and ("two", "mean") in judged
    assert "first" not in {r.method for r in done.confusion}


@given(st.integers(0, 9999), st.integers(2, 5))
def test_the_mean_of_true_values_always_agrees(seed: int, parts: int) -> None:
    """However each cell was printed, what the rule allows contains what stands behind the mean."""
    draw = random.Random(seed)
    exact = [Fraction(draw.randint(0, 1_000_000), 10_000) for _ in range(parts)]

    def printed(value: Fraction) -> str:
        units = value * 100
        whole = int(units) if draw.random() < 0.5 else round(units)
        return f"{whole / 100:.2f}"

    ranges = [behind(printed(v), 2, Convention.MIXED) for v in exact]
    cell = behind(printed(sum(exact, Fraction(0)) / parts), 2, Convention.MIXED)
    assert cell is not None
    low, high = (sum(r[i] for r in ranges if r is not None) / parts for i in (0, 1))
    assert cell[0] <= high and low <= cell[1]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=40))
def test_auc_bounds_hold_for_any_scores(images: list[tuple[bool, int]]) -> None:
    """TPR TNR <= AUC <= 1 - FNR FPR, checked on scikit-learn's AUC and any threshold."""
    truth = [positive for positive, _ in images]
    if len(set(truth)) < 2:
        return
    auc = roc_auc_score(truth, [score for _, score in images])
    for threshold in range(8):
        called = [score >= threshold for _, score in images]
        tpr = sum(c for c, t in zip(called, truth, strict=True) if t) / sum(truth)
        tnr = sum(not c for c, t in zip(called, truth, strict=True) if not t) / truth.count(False)
        assert tpr * tnr - 1e-12 <= auc <= 1 - (1 - tpr) * (1 - tnr) + 1e-12


@pytest.mark.parametrize(("auc", "verdict"), [("0.8450", "off"), ("0.9000", "agrees")])
def test_auc_against_the_matrix_by_hand(
    write_paper: Callable[[Edit | None], Path], auc: str, verdict: str
) -> None:
    def change(paper: dict[str, Any]) -> None:
        paper["tables"][2][0]["auc"] = auc

    # first: 36 of 40 and 57 of 60: 0.9 * 0.95 = 0.855 at least, 1 - 0.1 * 0.05 = 0.995 at most.
    row = one(audit(write_paper(change)), 2, "first", "auc", "auc_from_matrix")
    assert (row.verdict, row.expected_low, row.expected_high) == (verdict, "0.85500", "0.99500")


def test_repeated_cells_of_the_paper(reported: Audit) -> None:
    rows = list(csv.DictReader((REPORTED / "table8_ablation_segmentation.csv").open()))
    for row in rows:
        twins = [r["method"] for r in rows if r["rv_pct"] == row["rv_pct"] and r is not row]
        found = one(reported, 8, row["slug"], "rv_pct", "repeated")
        assert (found.verdict == "repeated") == bool(twins)
        assert not twins or all(t in str(found.note) for t in twins)
    assert one(reported, 8, "sa_ffn", "rv_pct", "repeated").note == "also in row SA+SDFFN"
