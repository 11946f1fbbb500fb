from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mednext.audit.run import Audit, audit
from mednext.errors import UserError

from .conftest import REPORTED, Edit, claim


def judged(write_paper: Callable[[Edit | None], Path], value: str, expression: str) -> Any:
    def change(paper: dict[str, Any]) -> None:
        paper["tables"]["claims"].append(claim("X", "test", value, expression))

    (row,) = [row for row in audit(write_paper(change)).claims if row.claim_id == "X"]
    return row


@pytest.mark.parametrize(
    ("value", "expression", "verdict", "off_by"),
    [
        ("0.33", "1 / 3", "true", "-0.0033"),  # "off by": computed 0.3333 less stated 0.33, below
        ("0.66", "2 / 3", "true if cut off", None),
        ("0.68", "2 / 3", "false", None),
        ("3", "3", "true", None),
        ("first", "best(2, 'a')", "true", None),
        ("second", "best(2, 'a')", "false", None),
        ("", "1 < 2", "true", None),
        ("", "2 < 1", "false", None),
        ("7", "", "not checkable", None),
    ],
)
def test_verdicts(
    write_paper: Callable[[Edit | None], Path],
    value: str,
    expression: str,
    verdict: str,
    off_by: str | None,
) -> None:
    row = judged(write_paper, value, expression)
    assert row.verdict == verdict
    if value == "0.33":
        assert row.off_by == "0.0033"
    if value == "0.68":
        assert row.off_by == "-0.0133"  # 0.6667 - 0.68
    if value == "3":
        assert row.off_by is None


@pytest.mark.parametrize(
    "expression", ["open('x')", "v(2, 'first', 'nothing')", "v(9, 'a', 'b')", "1 / 0", "'3'.real"]
)
def test_a_claim_that_cannot_be_evaluated_is_one_message_that_names_it(
    write_paper: Callable[[Edit | None], Path], expression: str
) -> None:
    with pytest.raises(UserError, match="claim X") as caught:
        judged(write_paper, "3", expression)
    assert "claims.csv" in str(caught.value)


def test_claims_of_the_paper_by_hand(reported: Audit) -> None:
    claims = {row.claim_id: row for row in reported.claims}
    with (REPORTED / "claims.csv").open() as file:
        assert list(claims) == [row["claim_id"] for row in csv.DictReader(file)]
    # The abstract's 98.58 is 98.85 in Table 4.
    assert (claims["C003"].verdict, claims["C003"].computed) == ("false", "98.85")
    assert claims["C003"].off_by == "0.2700"
    # 1.90 / 3.24 = 58.64 %, printed 59.
    assert claims["C008"].verdict == "true"
    # 2 * 512^2 + 512 + 512^2 / 81 = 524,288 + 512 + 3,236.35 = 528,036.35.
    assert claims["C028"].verdict == "true" and claims["C028"].computed == "528036.35"
    # The formula as the module is described: 2 * 512^2 + 9 * 512 = 528,896.
    assert (claims["C029"].verdict, claims["C029"].computed) == ("false", "528896")


def test_what_the_matrices_settle(reported: Audit) -> None:
    claims = {row.claim_id: row for row in reported.claims}
    # Table 2, MedNeXt has the matrix TP 238, FP 0, FN 8, TN 250 with 246 non-COVID as positive.
    assert claims["C056"].verdict == "false"
    # Its eight false negatives are healthy images called diseased.
    assert claims["C057"].computed == "8"


def test_simple_cells_of_the_paper_against_floats(reported: Audit) -> None:
    """Every claim that quotes one cell, checked without the language."""
    tables = {int(f.name[5]): list(csv.DictReader(f.open())) for f in REPORTED.glob("table*.csv")}
    with (REPORTED / "claims.csv").open() as file:
        claims = {row["claim_id"]: row for row in csv.DictReader(file)}
    checked = 0
    for row in reported.claims:
        text = claims[row.claim_id]["expression"]
        if row.kind != "cell" or not (text.startswith("v(") and text.count("v(") == 1):
            continue
        table, slug, column = json.loads("[" + text[2:-1].replace("'", '"') + "]")
        key = "slug" if table > 1 else None
        cells = [r[column] for r in tables[table] if key and r[key] == slug]
        if not cells or ")" in text[2:-1]:
            continue
        assert (row.verdict == "true") == (float(cells[0]) == float(str(row.stated))), row.claim_id
        checked += 1
    assert checked > 20


def test_the_cells_that_a_statement_rests_on_are_those_it_asked_for(reported: Audit) -> None:
    """Read off the expressions of claims.csv by hand; of ``best`` the winner's cell."""
    cells = {row.claim_id: row.cells for row in reported.claims}
    assert cells["C001"] == "2/mednext/accuracy_pct"
    assert cells["C006"] is None  # counts the names of Table 1's rows
    assert cells["C013"] == "4/mednext/accuracy_pct 4/swin_v2/accuracy_pct"
    assert cells["C017"] == "3/mednext/f1_pct"
