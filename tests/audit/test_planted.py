"""A made-up paper: sound it has no finding; each planted error is found, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mednext.audit.run import Audit, audit

from .conftest import Edit, classified

Write = Callable[[Edit | None], Path]
Cells = set[tuple[int, str, str | None, str]]


def findings(done: Audit) -> Cells:
    """Cells with what breaks a rule; what would explain it is looked at by itself."""
    return {(c.table, c.slug, c.column, c.rule) for c in done.cells if c.basis == "arithmetic"}


def explanations(done: Audit) -> Cells:
    return {(c.table, c.slug, c.column, c.rule) for c in done.cells if c.basis == "inference"}


def set_cell(table: int, row: int, column: str, value: str) -> Edit:
    def edit(paper: dict[str, Any]) -> None:
        assert paper["tables"][table][row][column] != value
        paper["tables"][table][row][column] = value

    return edit


ACCURACY: Cells = {(2, "second", None, "confusion"), (2, "second", "a", "prevalence")}
PLANTED: dict[str, tuple[Edit, Cells, Cells]] = {
    # second: 33 of 40, 53 of 60, F1 66/80 = 82.50, accuracy 86.00.
    "an accuracy that its row's matrix does not give": (
        set_cell(2, 1, "a", "87.00"),
        ACCURACY,
        {(2, "second", "a", "confusion")},
    ),
    "an accuracy that no count of 100 images gives": (
        set_cell(2, 1, "a", "86.50"),
        ACCURACY | {(2, "second", "a", "attainable")},
        {(2, "second", "a", "confusion")},
    ),
    # An F1 above both of precision and recall.
    "an F1 that is no harmonic mean": (
        set_cell(2, 1, "f", "84.50"),
        {(2, "second", None, "confusion"), (2, "second", "f", "f1")},
        {(2, "second", "f", "confusion")},
    ),
    # 79.00 + 82.00 = 161.00, half of it 80.50.
    "a mean that its columns do not give": (
        set_cell(3, 0, "x", "79.00"),
        {(3, "one", "mean", "mean")},
        set(),
    ),
    "a row sum of Table 1": (set_cell(1, 1, "total", "250"), {(1, "well", "total", "sum")}, set()),
    "an AUC below one half": (
        set_cell(2, 0, "auc", "0.4500"),
        {(2, "first", "auc", "bounds"), (2, "first", "auc", "auc_from_matrix")},
        set(),
    ),
    "a cell copied from another row": (
        lambda paper: paper["tables"][3][1].update({"x": "80.00", "y": "63.00"}),
        {(3, "one", "x", "repeated"), (3, "two", "x", "repeated")},
        set(),
    ),
    # abc: 5 + 1 + 2 + 4 = 12. With three relations over seven rows one cell is singled out.
    "a cost that does not add up": (
        set_cell(4, 6, "params", "12.80"),
        set(),
        {(4, "abc", "params", "additivity")},
    ),
    "the other class as positive": (
        lambda paper: paper["tables"][2].__setitem__(1, classified("second", 53, 7, 60, 40)),
        {(2, "second", None, "orientation")},
        set(),
    ),
}


def test_a_sound_paper_has_no_finding(write_paper: Write) -> None:
    done = audit(write_paper(None))
    assert done.cells == []
    assert {row.verdict for row in done.confusion if row.positive == "disease"} == {"fits"}
    assert [c.verdict for c in done.claims] == ["true"] * 3 + ["not checkable", "true"]


@pytest.mark.parametrize("name", PLANTED)
def test_one_planted_error_is_found_and_nothing_else(write_paper: Write, name: str) -> None:
    edit, expected, explained = PLANTED[name]
    done = audit(write_paper(edit))
    assert findings(done) == expected
    assert explanations(done) == explained


def test_all_planted_errors_together(write_paper: Write) -> None:
    """Errors in different rows do not hide each other."""
    chosen = [
        "an accuracy that no count of 100 images gives",
        "a mean that its columns do not give",
        "a row sum of Table 1",
        "an AUC below one half",
        "a cost that does not add up",
    ]

    def every(paper: dict[str, Any]) -> None:
        for name in chosen:
            PLANTED[name][0](paper)
        paper["tables"]["claims"][0]["value"] = "second"
        paper["tables"]["claims"][1]["value"] = "2.10"

    done = audit(write_paper(every))
    assert findings(done) == set().union(*(PLANTED[name][1] for name in chosen))
    assert explanations(done) == set().union(*(PLANTED[name][2] for name in chosen))
    verdicts = {c.claim_id: c.verdict for c in done.claims}
    assert {name for name, verdict in verdicts.items() if verdict == "false"} == {"K1", "K2"}


def test_the_remedy_is_the_planted_cells_true_value(write_paper: Write) -> None:
    done = audit(write_paper(PLANTED["an accuracy that no count of 100 images gives"][0]))
    (row,) = [m for m in done.misfits if m.off_column and m.positive == "disease"]
    assert (row.method, row.off_column, row.printed) == ("second", "a", "86.50")
    assert (row.needed_low, row.needed_high) == ("86.00", "86.00")
    assert (row.nearest_tp, row.nearest_fp, row.nearest_fn, row.nearest_tn) == (33, 7, 7, 53)
    done = audit(write_paper(PLANTED["a cost that does not add up"][0]))
    assert [(r.slug, r.needed) for r in done.additivity_repairs] == [("abc", "12.00")]


def test_every_finding_names_its_cell_and_rule(write_paper: Write) -> None:
    for edit, _, _ in PLANTED.values():
        for cell in audit(write_paper(edit)).cells:
            assert cell.table and cell.slug and cell.rule and cell.note
