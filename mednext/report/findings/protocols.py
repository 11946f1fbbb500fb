"""The paper's protocol against leak-free ones."""

from __future__ import annotations

from typing import Any

from mednext.config import load_datasets
from mednext.metrics.intervals import mover
from mednext.report.findings.facts import Results, caption, headline, interval_words
from mednext.report.wording import Estimate
from mednext.results import MetricRow
from mednext.results.protocols import SharedRow


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
                texts = [interval_words(r) for r in (paper, other)]
                common = shared_of(results, other)
                difference = protocol_difference(
                    paper, other, common.correlation if common else 0.0
                )
                lines.append((method, *texts, difference.words))
            about = caption(results, dataset, protocol, [results.profile.seeds[0]])
            found.append(
                {
                    "name": load_datasets()[dataset].name,
                    "protocol": protocol,
                    "caption": about,
                    "lines": lines,
                    "shared": shared_words(results, dataset, protocol),
                    "guess": [(p, guess(results, dataset, p)) for p in ("paper", protocol)],
                }
            )
    return found


def shared_of(results: Results, other: MetricRow) -> SharedRow | None:
    """What the test set of another protocol has in common with the paper's."""
    axes = (other.dataset, other.protocol, other.method, other.seed)
    rows = [r for r in results.shared if (r.dataset, r.protocol, r.method, r.seed) == axes]
    return rows[0] if rows else None


def shared_words(results: Results, dataset: str, protocol: str) -> str:
    """How much the two test sets share, and the correlations that come of it."""
    rows = [r for r in results.shared if (r.dataset, r.protocol) == (dataset, protocol)]
    if not rows:
        return "how many images they share was not counted: joined as if independent"
    found = [r.correlation for r in rows]
    return (
        f"both hold {rows[0].shared} images and {rows[0].shared_groups} groups; the two scores "
        f"correlate by {min(found):.2f} to {max(found):.2f}"
    )


def protocol_difference(paper: MetricRow, other: MetricRow, correlation: float = 0.0) -> Estimate:
    """Of two test sets, in points, with the bounds of both intervals, each side by itself, and the
    correlation of the scores that comes of shared groups.
    """
    values, bounds = [], []
    for row in (paper, other):
        values.append(100 * (row.value or 0.0))
        if row.ci_low is not None and row.ci_high is not None:
            bounds.append((100 * row.ci_low, 100 * row.ci_high))
    if len(bounds) < 2:
        return Estimate(values[0] - values[1], None, None)
    both = mover(values, bounds, (1, -1), correlation)
    return Estimate(values[0] - values[1], *both)


def guess(results: Results, dataset: str, protocol: str) -> float | None:
    """Percentage of the test images that the most frequent class makes up: what a classifier
    reaches that has learned nothing; None for volumes, and if the counts are not known.
    """
    rows = [r for r in results.datasets if (r.dataset, r.protocol) == (dataset, protocol)]
    counts = [row.test for row in rows if row.unit == "images"]
    return 100 * max(counts) / sum(counts) if counts and sum(counts) else None
