"""How many findings there are if every row and every mean counts once."""

from __future__ import annotations

from collections.abc import Sequence

from mednext.audit.schema import CellRow


def independent(cells: Sequence[CellRow]) -> dict[str, int]:
    """How many findings there are if every row and every mean counts once.

    Several rules look at one row, so that their numbers of cells must not be added up.
    """
    rows = {
        (r.table, r.slug)
        for r in cells
        if r.basis == "arithmetic"
        and r.rule in ("confusion", "scores", "f1", "attainable", "prevalence")
    }
    free = {
        (r.table, r.slug) for r in cells if r.rule in ("f1", "bounds") and r.basis == "arithmetic"
    }
    sums = {(r.table, r.slug, r.column) for r in cells if r.rule in ("mean", "sum")}
    return {
        "rows": len(rows),
        "rows_of_any_size": len(rows & free),
        "rows_at_the_stated_size": len(rows - free),
        "means": len(sums),
    }
