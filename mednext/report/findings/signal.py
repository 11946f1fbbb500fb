"""How much of what the parts of MED blocks add depends on the image."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from mednext.report.findings.facts import Results, unique
from mednext.results import SignalRow, grouped

PARTS = ("LAFFN", "SEM", "SDFFN")


def signals(results: Results) -> list[dict[str, Any]]:
    """Per data set, method and weights, the ratio of each part over blocks and seeds."""
    found = grouped(results.signal, lambda row: (row.dataset, row.method, row.weights))
    return [
        {
            "name": results.named(dataset),
            "method": method,
            "weights": weights,
            "seeds": ", ".join(unique(row.seed for row in rows)),
            "parts": [_range(ratios) for ratios in _by_part(rows)],
            "medians": [f"{median(r):.2g}" if r else "–" for r in _by_part(rows)],
            "stand_in": results.stand_in(dataset),
        }
        for (dataset, method, weights), rows in found.items()
    ]


def _by_part(rows: Sequence[SignalRow]) -> list[list[float]]:
    return [[row.ratio for row in rows if row.part == part] for part in PARTS]


def _range(ratios: list[float]) -> str:
    if not ratios:
        return "–"
    return f"{median(ratios):.2g} ({min(ratios):.2g} to {max(ratios):.2g})"
