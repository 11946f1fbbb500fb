"""What LAFFN contributes, over seeds."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from mednext.report.findings.facts import LAFFN, LAFFN_SET, Results, caption, headlines
from mednext.report.wording import detectable_over_seeds, estimate

LAFFN_PAIRS = (
    ("mednext", "mednext_sem_sdffn", "LAFFN as printed, against no LAFFN"),
    ("mednext_nc", "mednext_sem_sdffn", "LAFFN normalised, against no LAFFN"),
    ("mednext_nc", "mednext", "LAFFN normalised, against as printed"),
    ("mednext", "resnet18", "MedNeXt as printed, against ResNet18"),
)


def laffn(results: Results) -> dict[str, Any]:
    """Accuracy of the four methods over their seeds."""
    lines = []
    seeds: set[int] = set()
    for method in LAFFN:
        rows = headlines(results, LAFFN_SET, "paper", method)
        values = {seed: 100 * (row.value or 0.0) for seed, row in rows.items()}
        seeds |= set(values)
        known = list(values.values())
        lines.append(
            {
                "method": method,
                "seeds": len(known),
                "values": ", ".join(f"{v:.1f}" for v in known),
                "mean": mean(known) if known else None,
                "deviation": stdev(known) if len(known) > 1 else None,
            }
        )
    there = LAFFN_SET in results.profile.datasets
    return {
        "lines": lines,
        "caption": caption(results, LAFFN_SET, "paper", sorted(seeds))
        if there
        else "not in this profile",
    }


def laffn_pair(results: Results, a: str, b: str, words: str) -> dict[str, Any]:
    """``a`` minus ``b`` by seed and over seeds."""
    rows = results.pair(LAFFN_SET, "paper", a, b)
    joint = results.estimate(LAFFN_SET, "paper", a, b)
    each = [
        (row.seed, estimate([row], row.method_a != a).words)
        for row in sorted(rows, key=lambda row: row.seed)
    ]
    values = [100 * row.difference for row in rows]
    return {
        "words": words,
        "a": a,
        "b": b,
        "seeds": len(rows),
        "each": each,
        "joint": joint.words if joint else "not yet measured",
        "detectable": detectable_over_seeds(values),
    }
