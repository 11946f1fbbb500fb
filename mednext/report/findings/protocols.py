"""The paper's protocol against leak-free ones."""

from __future__ import annotations

import math
from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption, headline, interval_words
from mednext.report.wording import Estimate


def protocols(results: Results) -> list[dict[str, Any]]:
    """Accuracy (or Dice) of a method under two protocols; the first seed of each."""
    found = []
    for dataset, run in results.profile.datasets.items():
        others = [p for p in run.all_protocols if p != "paper"]
        for protocol in others:
            lines = []
            for method in dict.fromkeys(m for p, m, _ in run.cells(results.profile.seeds)):
                paper, other = (headline(results, dataset, p, method) for p in ("paper", protocol))
                if paper is None or other is None:
                    continue
                halves = [
                    None if r.ci_low is None or r.ci_high is None else 50 * (r.ci_high - r.ci_low)
                    for r in (paper, other)
                ]
                value = 100 * ((paper.value or 0.0) - (other.value or 0.0))
                bounds: tuple[float | None, float | None] = (None, None)
                if halves[0] is not None and halves[1] is not None:
                    half = math.hypot(halves[0], halves[1])
                    bounds = value - half, value + half
                texts = [interval_words(r) for r in (paper, other)]
                lines.append((method, *texts, Estimate(value, *bounds).words))
            about = caption(results, dataset, protocol, [results.profile.seeds[0]])
            found.append(
                {
                    "name": load_datasets()[dataset].name,
                    "protocol": protocol,
                    "caption": about,
                    "lines": lines,
                    "guess": [(p, guess(results, dataset, p)) for p in ("paper", protocol)],
                }
            )
    return found


def guess(results: Results, dataset: str, protocol: str) -> float | None:
    """Percentage of the test images that the most frequent class makes up: what a classifier
    reaches that has learned nothing; None for volumes, and if the counts are not known.
    """
    rows = [r for r in results.datasets if (r.dataset, r.protocol) == (dataset, protocol)]
    counts = [row.test for row in rows if row.unit == "images"]
    return 100 * max(counts) / sum(counts) if counts and sum(counts) else None
