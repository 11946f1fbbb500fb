from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mednext.audit.additivity import HALF_WIDTH, Column
from mednext.audit.costs import conventions
from mednext.audit.run import Audit, audit
from mednext.audit.schema import AdditivityRow
from mednext.results import CostRow, write_rows

from .conftest import REPORTED, Edit

PARTS = {name: frozenset(name.upper()) for name in ("a", "b", "c", "ab", "ac", "bc", "abc")}
PRICE = {"A": 100, "B": 200, "C": 400}


def additive(rest: int = 500) -> dict[str, int]:
    return {name: rest + sum(PRICE[p] for p in parts) for name, parts in PARTS.items()}


def test_sound_costs_need_no_repair() -> None:
    column = Column(additive(), PARTS, "ABC")
    assert column.rank == 4 and len(column.relations) == 3
    assert all(relation.holds and relation.left_over == 0 for relation in column.relations)
    assert [repair.needed for repair in column.repairs] == [{}]
    assert column.fit.tolist() == pytest.approx([500, 100, 200, 400])


@pytest.mark.parametrize("name", list(PARTS))
def test_one_wrong_cell_is_named_with_its_value(name: str) -> None:
    true = additive()
    column = Column(true | {name: true[name] + 40}, PARTS, "ABC")
    assert any(not relation.holds for relation in column.relations)
    found = {frozenset(repair.needed) for repair in column.repairs}
    assert frozenset({name}) in found
    (repair,) = [r for r in column.repairs if set(r.needed) == {name}]
    assert repair.needed[name] == pytest.approx(true[name], abs=2 * HALF_WIDTH)
    # Every other smallest repair is one cell, too, and mends the column as well.
    for other in column.repairs:
        (cell,) = other.needed
        assert other.needed[cell] is not None
        mended = dict(column.cells) | {cell: round(other.needed[cell])}
        assert Column(mended, PARTS, "ABC").repairs[0].needed == {}


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=7, max_size=7))
def test_rounding_alone_never_needs_a_repair(up: list[bool]) -> None:
    # Exact costs of half a unit more, of which every cell is cut off or rounded up.
    cells = {name: v + u for (name, v), u in zip(additive().items(), up, strict=True)}
    assert Column(cells, PARTS, "ABC").repairs[0].needed == {}


def printed(table: str, column: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rows = list(csv.DictReader(next(REPORTED.glob(f"table{table}_*.csv")).open()))
    modules = [c for c in rows[0] if c.startswith("has_")]
    design = np.array([[1.0, *(float(r[m]) for m in modules)] for r in rows])
    return design, np.array([float(r[column]) for r in rows]), [r["slug"] for r in rows]


def consistent(design: np.ndarray, cells: np.ndarray) -> bool:
    """Whether some costs lie within 0.0075 of every cell, by trying extreme combinations of rows.

    Chebyshev's best approximation of n unknowns is decided by n + 1 rows at a time.
    """
    rank = np.linalg.matrix_rank(design)
    worst = 0.0
    for rows in combinations(range(len(cells)), rank + 1):
        chosen = design[list(rows)]
        left = np.linalg.svd(chosen.T)[2][np.linalg.matrix_rank(chosen) :]
        for weights in left:
            if (scale := np.abs(weights).sum()) > 1e-9:
                worst = max(worst, abs(weights @ cells[list(rows)]) / scale)
    return worst <= 0.0075 + 1e-9


@pytest.mark.parametrize(("table", "column"), list(product("78", ("params_m", "flops_g"))))
def test_the_paper_by_another_method(reported: Audit, table: str, column: str) -> None:
    design, cells, slugs = printed(table, column)
    found = {
        number: {r.slug for r in reported.additivity_repairs if key(r) == (table, column, number)}
        for number in {
            r.repair for r in reported.additivity_repairs if key(r)[:2] == (table, column)
        }
    }
    for size in range(3):
        sets = [
            {slugs[i] for i in out}
            for out in combinations(range(len(slugs)), size)
            if consistent(np.delete(design, out, axis=0), np.delete(cells, out))
        ]
        if sets:
            assert sorted(map(sorted, sets)) == sorted(map(sorted, found.values() or [set()]))
            return
    raise AssertionError("no two cells mend the column")


def key(row: Any) -> tuple[str, str, int]:
    return str(row.table), row.column, row.repair


def test_relations_of_table_7_by_hand(reported: Audit) -> None:
    # SA+FFN - SEM+FFN - SA+SDFFN + SEM+SDFFN: 14.28 - 12.79 - 10.12 + 8.63 = 0.
    rows = {
        r.relation: r for r in reported.additivity_checks if (r.table, r.column) == (7, "params_m")
    }
    assert rows["#1 - #3 - #4 + #7 = 0"].left_over == "0.00"
    # A cell k stands for [k - 0.005, k + 0.01): four cells differ from 0 by 4 * 0.0075 at most.
    assert rows["#1 - #3 - #4 + #7 = 0"].tolerance == "0.0300"
    (module,) = [
        r for r in reported.modules if (r.table, r.column, r.module) == (7, "params_m", "SA")
    ]
    assert (module.rank, module.unknowns, module.equations) == (6, 6, 8)


def test_counted_costs_stand_beside_the_printed(
    write_paper: Callable[[Edit | None], Path], tmp_path: Path
) -> None:
    rows = [
        CostRow(
            method=f"net_{name}",
            task="classification",
            input_shape="1x3x224x224",
            num_classes=2,
            params=int(1e6 * (5 + sum(v / 100 for p, v in PRICE.items() if p in name.upper()))),
            gmacs_torch=1.0,
            **dict.fromkeys(
                (
                    "gmacs_fvcore",
                    "gmacs_ptflops",
                    "activations_m",
                    "uncounted_ops",
                    "reported_params_m",
                    "reported_gmacs",
                    "verdict_params",
                    "verdict_gmacs",
                    "reason",
                )
            ),
        )
        for name in PARTS
    ]
    write_rows(tmp_path / "cost.csv", CostRow, rows)
    done = audit(write_paper(None), tmp_path / "cost.csv")
    assert {row.verdict_measured for row in done.additivity} == {"matches"}
    assert {row.measured for row in done.additivity if row.slug == "abc"} == {12.0}

    def dearer(paper: dict[str, Any]) -> None:
        paper["tables"][4][6]["params"] = "12.03"

    done = audit(write_paper(dearer), tmp_path / "cost.csv")
    (row,) = [row for row in done.additivity if row.slug == "abc"]
    assert (row.verdict_measured, row.difference) == ("near", 0.03)  # 0.25 %


def test_ways_of_counting_are_summed_up() -> None:
    def cell(slug: str, counter: str | None, verdict: str) -> AdditivityRow:
        return AdditivityRow(
            table=7, slug=slug, column="flops_g", printed="1.00", fitted=1.0, residual=0.0,
            repaired=None, measured=1.0, difference=0.0, verdict="consistent", counter=counter,
            verdict_measured=verdict, note=None,
        )  # fmt: skip

    rows = [
        cell("a", "fvcore", "matches"),
        cell("b", "fvcore", "matches"),
        cell("c", "torch", "matches"),
        cell("d", "fvcore", "off"),
        cell("e", None, "matches"),
    ]
    words = ["2 as fvcore counts", "1 as torch counts"]
    assert conventions(rows) == [(7, "flops_g", 3, 4, words)]
