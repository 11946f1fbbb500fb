"""How much of what the parts of MED blocks add depends on the image."""

from __future__ import annotations

from statistics import median
from typing import Any

from mednext.report.findings.facts import Results, unique
from mednext.results import SignalRow

PARTS = ("LAFFN", "SEM", "SDFFN")


def signals(results: Results) -> list[dict[str, Any]]:
    """Per data set, method and weights, the ratio of each part over blocks and seeds."""
    found: dict[tuple[str, str, str], list[SignalRow]] = {}
    for row in results.signal:
        found.setdefault((row.dataset, row.method, row.weights), []).append(row)
    return [
        {
            "dataset": dataset,
            "method": method,
            "weights": weights,
            "seeds": ", ".join(unique(row.seed for row in rows)),
            "parts": [_range([row.ratio for row in rows if row.part == part]) for part in PARTS],
        }
        for (dataset, method, weights), rows in found.items()
    ]


def _range(ratios: list[float]) -> str:
    if not ratios:
        return "–"
    return f"{median(ratios):.2g} ({min(ratios):.2g} to {max(ratios):.2g})"
