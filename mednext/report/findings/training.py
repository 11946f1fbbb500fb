"""How far the networks behind an order had been trained, and what the resolution allows."""

from __future__ import annotations

from typing import Any

from scipy.stats import spearmanr

from mednext.config import load_datasets
from mednext.config.names import class_names
from mednext.report.findings.facts import Results, headline
from mednext.results import HEADLINE, Metric

LEARNING = 0.05
"""A network still learns whose training loss fell by more than this share over two epochs."""
FOUND = 0.01
"""An organ with less Dice than this was not found."""


def training(results: Results, dataset: str, seed: int) -> dict[str, Any] | None:
    """Losses that the methods of a data set reached, and how their scores go with them."""
    reached = {method: loss for method, (loss, _) in losses(results, dataset, seed).items()}
    scores = {m: row.value for m in reached if (row := headline(results, dataset, "paper", m))}
    known = [m for m in reached if scores.get(m) is not None]
    if len(known) < 3:
        return None
    order = sorted(known, key=lambda m: reached[m])
    return {
        "methods": len(known),
        "correlation": float(spearmanr([reached[m] for m in known], [scores[m] for m in known])[0]),
        "lowest": (order[0], reached[order[0]]),
        "highest": (order[-1], reached[order[-1]]),
        "learning": [m for m in order if _learns(losses(results, dataset, seed)[m][1])],
        "not_found": _not_found(results, dataset, seed),
    }


def losses(results: Results, dataset: str, seed: int) -> dict[str, tuple[float, float | None]]:
    """Method -> training loss of the last epoch, and the share by which it fell over two epochs."""
    axes = (dataset, HEADLINE.protocol, HEADLINE.selection, seed, "train_loss")
    curves: dict[str, dict[float, float]] = {}
    for row in results.curves:
        of = row.dataset, row.protocol, row.selection, row.seed, row.curve
        if of == axes and row.y is not None:
            curves.setdefault(row.method, {})[row.x] = row.y
    found = {}
    for method, points in curves.items():
        last = max(points)
        before = points.get(last - 2)
        found[method] = points[last], None if before is None else 1 - points[last] / before
    return found


def _learns(fell: float | None) -> bool:
    return fell is not None and fell > LEARNING


def _not_found(results: Results, dataset: str, seed: int) -> list[tuple[str, list[str]]]:
    """Organ -> methods whose networks do not find it."""
    missed: dict[str, list[str]] = {}
    for row in results.metrics:
        asked = (row.dataset, row.seed, row.metric) == (dataset, seed, Metric.DICE)
        if not asked or row.policy != HEADLINE.policy or not HEADLINE.holds(row):
            continue
        if row.target != "mean" and row.value is not None and row.value < FOUND:
            organ = class_names(dataset, [str(row.target)])[0]
            missed.setdefault(organ, []).append(row.method)
    return list(missed.items())


def ceiling(results: Results, dataset: str) -> list[dict[str, Any]]:
    """Per image size the Dice (%) of perfect masks that were resized there and back."""
    names = {organ.slug: organ.name for organ in load_datasets()[dataset].classes}
    rows = [row for row in results.ceilings if row.dataset == dataset]
    return [
        {
            "px": size,
            "patients": next(r.n_groups for r in rows if r.img_size == size),
            "mean": next(100 * r.dice for r in rows if (r.img_size, r.target) == (size, "mean")),
            "organs": [
                (names.get(r.target, r.target), 100 * r.dice)
                for r in rows
                if r.img_size == size and r.target != "mean"
            ],
        }
        for size in sorted({row.img_size for row in rows})
    ]
