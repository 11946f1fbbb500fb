"""What the printed numbers say of themselves: the positive class, and independent findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mednext.audit.independent import independent
from mednext.audit.schema import CellRow
from mednext.config import load_datasets, method_slug
from mednext.config.names import display_name
from mednext.errors import UserError
from mednext.report.spec import load_tables

IMPOSSIBLE = ("off", "no fit", "one cell off")
OURS = ("mednext", "medunext")


def printed(cells: Sequence[CellRow]) -> dict[str, Any]:
    """The swapped positive class, the paper's own network first; then what cannot be right."""
    swapped: dict[tuple[str, str], dict[str, Any]] = {}
    for row in cells:
        if row.rule == "orientation":
            name = model(row.table, row.slug)
            dataset = str(load_tables()[str(row.table)].dataset)
            # One network in two tables, such as the whole model of an ablation, is one finding.
            found = swapped.setdefault(
                (dataset, name),
                {
                    "tables": [],
                    "name": display_name(name),
                    "dataset": load_datasets()[dataset].name,
                    "ours": name in OURS,
                    "counts": row.note.rpartition(" has ")[2],
                },
            )
            found["tables"].append(row.table)
    wrong = [row for row in cells if row.basis == "arithmetic" and row.verdict in IMPOSSIBLE]
    explained = {(r.table, r.slug) for r in cells if r.rule == "test size"}
    return {
        "swapped": sorted(swapped.values(), key=lambda found: not found["ours"]),
        "wrong": wrong,
        "counts": list(Counter((row.table, row.rule) for row in wrong).items()),
        "independent": independent(cells),
        "other_size": sorted(Counter(table for table, _ in explained).items()),
    }


def model(table: int, slug: str) -> str:
    """The registered name behind a printed row."""
    name = load_tables()[str(table)].slug_prefix + slug
    try:
        return method_slug(name)
    except UserError:
        return name
