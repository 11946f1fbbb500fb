"""How far test and train of each split overlap, and what the files give away."""

from __future__ import annotations

from typing import Any

from mednext.report.findings.facts import Results, caption
from mednext.report.wording import Estimate
from mednext.results import ALL_METHODS, Leak, LeakageRow

COLUMNS = (Leak.SAME_PIXELS, Leak.NEAR_DUPLICATE, Leak.ANY)


def overlaps(results: Results) -> dict[str, Any]:
    """From ``leakage.csv``: per data set and protocol how many test items overlap with train, per
    data set how far a classifier gets that sees no pixel.
    """
    splits: dict[tuple[str, str], dict[Leak, LeakageRow]] = {}
    for row in results.leakage:
        splits.setdefault((row.dataset, row.protocol), {})[row.kind] = row
    pairs = [
        {
            "name": results.named(dataset),
            "protocol": protocol,
            "test": f"{kinds[Leak.ANY].test_items} {kinds[Leak.ANY].unit}",
            "shares": [_share(kinds[kind]) for kind in COLUMNS],
        }
        for (dataset, protocol), kinds in splits.items()
    ]
    # Without the split: whole groups of the data set are held out.
    cues = [
        {"name": results.named(dataset), **_cue(kinds[Leak.CUE_ALL])}
        for (dataset, protocol), kinds in splits.items()
        if protocol == "paper" and Leak.CUE_ALL in kinds
    ]
    return {"pairs": pairs, "cues": cues}


def train_overlap(results: Results) -> list[dict[str, Any]]:
    """Per data set and protocol: accuracy of the first seed on test images that overlap with train
    and on the others, all methods together first.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    rows = [row for row in results.train_overlap if row.seed == results.profile.seeds[0]]
    # A stable sort: the mean over methods goes first, the methods keep their order.
    for row in sorted(rows, key=lambda row: row.method != ALL_METHODS):
        split = found.setdefault(
            (row.dataset, row.protocol),
            {
                "caption": caption(results, row.dataset, row.protocol, [row.seed]),
                "name": results.named(row.dataset),
                "overlap": f"{row.n_overlap} images, {row.groups_overlap} groups",
                "clean": f"{row.n_clean} images, {row.groups_clean} groups",
                "lines": [],
            },
        )
        name = f"mean of {row.methods} methods" if row.method == ALL_METHODS else row.method
        words = Estimate(*(100 * v for v in (row.difference, row.ci_low, row.ci_high))).words
        split["lines"].append((name, 100 * row.accuracy_overlap, 100 * row.accuracy_clean, words))
    return list(found.values())


def _share(row: LeakageRow) -> str:
    if row.test_overlap is None:
        return "–"
    share = f" ({100 * row.test_overlap / row.test_items:.1f} %)" if row.test_items else ""
    return f"{row.test_overlap}{share}"


def _cue(row: LeakageRow) -> dict[str, Any]:
    """Above the most frequent class only where the interval says so."""
    found: dict[str, Any] = {
        "baseline": None,
        "accuracy": None,
        "words": row.note or "not measured",
    }
    if row.baseline is not None:
        found["baseline"] = 100 * row.baseline
    if None in (row.accuracy, row.ci_low, row.ci_high, row.baseline):
        return found
    accuracy, low, high = (100 * v for v in (row.accuracy, row.ci_low, row.ci_high))  # type: ignore[operator]
    above = low > found["baseline"]
    return found | {
        "accuracy": f"{accuracy:.1f} [{low:.1f}, {high:.1f}]",
        "words": "reveals something of the class" if above else "inconclusive",
    }
