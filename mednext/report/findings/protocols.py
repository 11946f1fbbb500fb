"""The paper's protocol against leak-free ones."""

from __future__ import annotations

import math
from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption
from mednext.report.wording import Estimate
from mednext.results import MetricRow


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


def headline(results: Results, dataset: str, protocol: str, method: str) -> MetricRow | None:
    """Accuracy or mean Dice of the first seed's last weights; None if it has not been measured."""
    task = load_datasets()[dataset].task
    view = ("accuracy", "non_disease") if task == "classification" else ("dice", "mean")
    wanted = (dataset, protocol, method, "last", results.profile.seeds[0], *view)
    for r in results.metrics:
        key = (r.dataset, r.protocol, r.method, r.selection, r.seed, r.metric, r.target)
        if key == wanted and r.policy in (None, "transunet") and r.value is not None:
            return r
    return None


def interval_words(row: MetricRow) -> str:
    """A score in percent with its 95 % interval and number of cases."""
    value = 100 * (row.value or 0.0)
    if row.ci_low is None or row.ci_high is None:
        return f"{value:.1f}"
    return f"{value:.1f} [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}] (n = {row.n_cases})"
