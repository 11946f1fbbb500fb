"""What the paper's settings would cost a GPU owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mednext.report.findings.facts import LAFFN, unique
from mednext.results import PlanRow


def costs(plan: Sequence[PlanRow]) -> dict[str, Any] | None:
    """Hours of the paper's settings: all of it, and by data set and protocol."""
    if not plan:
        return None

    def hours(rows: Sequence[PlanRow]) -> float:
        seconds = (r.trained * r.train_seconds + r.runs * r.predict_seconds for r in rows)
        return sum(seconds) / 3600

    parts = []
    for key in dict.fromkeys((row.dataset, row.protocol) for row in plan):
        rows = [row for row in plan if (row.dataset, row.protocol) == key]
        parts.append((*key, sum(row.runs for row in rows), hours(rows)))
    core = [r for r in plan if r.protocol == "paper" and r.method in LAFFN.get(r.dataset, ())]
    return {
        "hours": hours(plan),
        "runs": sum(row.runs for row in plan),
        "parts": parts,
        "core_hours": hours(core),
        "core_runs": sum(row.runs for row in core),
        "core_methods": list(dict.fromkeys(row.method for row in core)),
        "bases": unique(row.basis for row in plan),
    }
