"""How far test and train of each split overlap, and what the files give away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption
from mednext.report.wording import Estimate
from mednext.results import (
    ALL_CLASSES,
    ALL_METHODS,
    STANDARDISED,
    Leak,
    LeakageRow,
    OverlapRow,
    grouped,
)

TOGETHER = {ALL_CLASSES: "all images", STANDARDISED: "standardised: the test set's classes in both"}
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
    and on the others: all methods together by class, then each method.
    """
    first = [row for row in results.train_overlap if row.seed == results.profile.seeds[0]]
    found = grouped(first, lambda row: (row.dataset, row.protocol))
    return [_of_split(results, rows) for rows in found.values()]


def _of_split(results: Results, rows: Sequence[OverlapRow]) -> dict[str, Any]:
    by = {(row.method, row.klass): row for row in rows}
    whole = by[ALL_METHODS, ALL_CLASSES]
    names = {c.slug: c.name for c in load_datasets()[whole.dataset].classes}
    together = [row for row in rows if row.method == ALL_METHODS]
    singly = [row for row in rows if (row.klass, row.method != ALL_METHODS) == (ALL_CLASSES, True)]
    return {
        "caption": caption(results, whole.dataset, whole.protocol, [whole.seed]),
        "name": results.named(whole.dataset),
        "overlap": f"{whole.n_overlap} images, {whole.groups_overlap} groups",
        "clean": f"{whole.n_clean} images, {whole.groups_clean} groups",
        "methods": whole.methods,
        "shares": [
            (names[r.klass], 100 * r.n_overlap / whole.n_overlap, 100 * r.n_clean / whole.n_clean)
            for r in together
            if r.klass in names
        ],
        "together": [
            (
                names.get(row.klass, TOGETHER.get(row.klass, row.klass)),
                *_accuracies(row),
                _words(row),
            )
            for row in together
        ],
        "lines": [
            (row.method, *_accuracies(row), _words(row), _words(by.get((row.method, STANDARDISED))))
            for row in singly
        ],
    }


def _accuracies(row: OverlapRow) -> tuple[float, float]:
    return 100 * row.accuracy_overlap, 100 * row.accuracy_clean


def _words(row: OverlapRow | None) -> str:
    if row is None:
        return "–"
    return Estimate(*(100 * v for v in (row.difference, row.ci_low, row.ci_high))).words


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
