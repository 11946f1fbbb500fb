"""What each method reached, beside what is printed of it."""

from __future__ import annotations

from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption, headline, interval_words
from mednext.report.findings.orders import printed_scores
from mednext.report.spec import load_tables


def scores(results: Results, number: str) -> dict[str, Any] | None:
    """The methods of one printed table by what they reached (first seed, last weights), the best
    first; None for tables without a data set of the profile's own, or without results.
    """
    spec = load_tables()[number]
    if spec.dataset is None or spec.dataset not in results.profile.datasets:
        return None
    if results.stand_in(spec.dataset):
        return None
    printed = printed_scores(number)
    found = {m: headline(results, spec.dataset, "paper", m) for m in printed}
    known = {m: row for m, row in found.items() if row is not None}
    if not known:
        return None
    task = load_datasets()[spec.dataset].task
    return {
        "title": f"Table {number}: {spec.title}",
        "metric": "accuracy" if task == "classification" else "mean Dice",
        "caption": caption(results, spec.dataset, "paper", [results.profile.seeds[0]]),
        "missing": [m for m in printed if m not in known],
        "lines": [
            (method, printed[method], interval_words(known[method]))
            for method in sorted(known, key=lambda m: -(known[m].value or 0.0))
        ],
    }
