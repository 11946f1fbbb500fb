"""What LAFFN contributes, over seeds."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import LAFFN, Results, caption, headlines
from mednext.report.findings.orders import placed, row_of
from mednext.report.wording import estimate
from mednext.results.orders import FEWEST_SEEDS

QUESTIONS = {
    "sars_cov2_ct": (
        ("mednext", "mednext_sem_sdffn", "LAFFN as printed, against no LAFFN"),
        ("mednext_nc", "mednext_sem_sdffn", "LAFFN normalised, against no LAFFN"),
        ("mednext_nc", "mednext", "LAFFN normalised, against as printed"),
        ("mednext", "resnet18", "MedNeXt as printed, against ResNet18"),
    ),
    "acdc": (
        ("medunext", "medunext_sem_sdffn", "LAFFN as printed, against no LAFFN"),
        ("medunext_nc", "medunext_sem_sdffn", "LAFFN normalised, against no LAFFN"),
        ("medunext_nc", "medunext", "LAFFN normalised, against as printed"),
    ),
}


def laffn(results: Results) -> list[dict[str, Any]]:
    """Per data set of the profile: scores by seed, and what their paired differences say."""
    return [_of(results, dataset) for dataset in LAFFN if dataset in results.profile.datasets]


def _of(results: Results, dataset: str) -> dict[str, Any]:
    spec = load_datasets()[dataset]
    lines = []
    seeds: set[int] = set()
    for method in LAFFN[dataset]:
        rows = headlines(results, dataset, "paper", method)
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
    return {
        "name": spec.name,
        "metric": "mean Dice" if spec.task == "segmentation" else "accuracy",
        "caption": caption(results, dataset, "paper", sorted(seeds)),
        "lines": lines,
        "pairs": [_pair(results, dataset, *pair) for pair in QUESTIONS[dataset]],
    }


def _pair(results: Results, dataset: str, a: str, b: str, words_of: str) -> dict[str, Any]:
    """``a`` minus ``b`` by seed and over seeds."""
    rows = results.pair(dataset, "paper", a, b)
    each = [
        (row.seed, estimate(row, row.method_a != a).words)
        for row in sorted(rows, key=lambda row: row.seed)
    ]
    joint, row = placed(results, dataset, a, b, "seeds"), row_of(results, dataset, a, b, "seeds")
    words = "not yet measured" if not rows else "one seed, which says nothing of others"
    if len(rows) > 1:
        words = f"{len(rows)} seeds, fewer than {FEWEST_SEEDS}"
    if joint is not None and row is not None:
        cases = f"{row.n_cases} cases" + (
            f" of {row.n_groups} groups" if row.n_groups < row.n_cases else ""
        )
        words = f"{joint.words} (seeds {row.seeds.replace(' ', ', ')}; {cases})"
    return {
        "words": words_of,
        "a": a,
        "b": b,
        "seeds": len(rows),
        "each": each,
        "joint": words,
        "detectable": None if row is None else 100 * row.detectable,
    }
