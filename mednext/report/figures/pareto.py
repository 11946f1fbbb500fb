"""Score against cost: which methods no other one beats in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import Profile, load_datasets
from mednext.report.figures.charts import (
    axes_rows,
    headline,
    legend_of,
    looks,
    panel_title,
    small,
    source_of,
)
from mednext.report.figures.style import STYLE, empty, heading, save
from mednext.report.tables import read_tables
from mednext.results import HEADLINE, SCORE, CostRow, LatencyRow, MetricRow, unconditional

SCORES = {"classification": "Accuracy (%)", "segmentation": "Mean Dice (%)"}
PRINTED_SCORES = {"classification": "accuracy_pct", "segmentation": "dsc_pct"}
MOST_TICKS = 6
Point = tuple[float, float | None, float | None]
"""Score and its interval, in percent."""
# Counted at the paper's size, whatever the size of the images that were scored.
AXES: dict[str, Callable[[CostRow], float]] = {
    "GMACs at 224 px": lambda cost: cost.gmacs_torch,
    "Parameters (M)": lambda cost: cost.params / 1e6,
}


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """``pareto`` with the reproduced scores, ``pareto_printed`` with those of the paper."""
    costs = small(profile, "cost.csv", CostRow, partial)
    by_method = {c.method: c for c in costs if c.verdict_params is not None}
    metrics = unconditional(small(profile, "metrics.csv", MetricRow, partial))
    scores: dict[str, dict[str, Point]] = {}
    for dataset in profile.datasets:
        found = headline(metrics, dataset, SCORE[load_datasets()[dataset].task])
        percent = {
            method: (
                value * 100,
                None if low is None else low * 100,
                None if high is None else high * 100,
            )
            for method, (value, low, high) in found.items()
        }
        if percent:
            scores[dataset] = percent
    x_of = {name: {m: of(c) for m, c in by_method.items()} for name, of in AXES.items()}
    latency = latencies(profile)
    if latency:
        x_of["Latency (ms, CPU, fp32)"] = latency
    title = "Score (mean over seeds) against cost; the line joins what nothing beats in both"
    names = {dataset: panel_title(profile, dataset) for dataset in scores}
    title = f"{title} (profile '{profile.profile}')"
    draw(scores, x_of, title, source_of(profile), out / "pareto", names)
    printed: dict[str, dict[str, Point]] = {}
    for table in read_tables(profile, partial):
        if table.view == HEADLINE and table.spec.dataset and not table.spec.slug_prefix:
            column = PRINTED_SCORES[load_datasets()[table.spec.dataset].task]
            cells = {line.slug: line.cells[column].printed for line in table.lines}
            printed[table.spec.dataset] = {m: (float(v), None, None) for m, v in cells.items() if v}
    costs_only = {name: x_of[name] for name in AXES}
    title = "Scores as printed in the paper (nothing reproduced) against measured cost"
    draw(printed, costs_only, title, "none", out / "pareto_printed")


def latencies(profile: Profile) -> dict[str, float]:
    """Method -> median milliseconds of one image on the CPU; empty if nothing was measured."""
    rows = small(profile, "latency.csv", LatencyRow, partial=True)
    shown = [r for r in rows if (r.device, r.mode, r.dtype, r.batch) == ("cpu", "eager", "fp32", 1)]
    return {r.method: r.median_ms for r in shown if r.median_ms is not None}


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both: cheaper from the left, better from above."""
    best: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    return best


def draw(
    scores: dict[str, dict[str, Point]],
    x_of: dict[str, dict[str, float]],
    title: str,
    source: str,
    stem: Path,
    names: Mapping[str, str] | None = None,
) -> None:
    """A row per data set (method -> score and interval, percent), a column per cost of methods.

    ``names`` are titles of data sets that need more than their name.
    """
    if not scores:
        empty("Nothing to show: no run of the profile has a result.", stem)
        return
    with plt.rc_context(STYLE):
        known = {m for costs in x_of.values() for m in costs}
        drawn = {m for points in scores.values() for m in points} & known
        shown = looks(sorted(drawn))
        figure, axes = axes_rows(len(scores), len(x_of), 1.72, len(shown))
        for row, (dataset, points) in zip(axes, scores.items(), strict=True):
            spec = load_datasets()[dataset]
            for axis, (label, costs) in zip(row, x_of.items(), strict=True):
                _chart(axis, points, costs, shown)
                axis.set_xlabel(label, fontsize=7, labelpad=1)
            row[0].set_ylabel(SCORES[spec.task], fontsize=7)
            row[0].set_title(
                (names or {}).get(dataset, spec.name), loc="left", weight="bold", fontsize=7
            )
        legend_of(figure, shown, line=0)
        heading(figure, title, source)
        save(figure, stem)
        plt.close(figure)


def _chart(
    axis: Any, points: dict[str, Point], costs: dict[str, float], shown: dict[str, dict[str, Any]]
) -> None:
    known = {m: (costs[m], point) for m, point in points.items() if m in costs}
    steps = front([(x, point[0]) for x, point in known.values()])
    if steps:
        axis.step(*zip(*steps, strict=True), where="post", color="#999999", linewidth=0.8, zorder=1)
    for method, (x, (y, low, high)) in known.items():
        look = shown[method]
        if low is not None and high is not None:
            axis.plot([x, x], [low, high], color=look["color"], linewidth=0.9, zorder=2)
        axis.plot([x], [y], linestyle="", markersize=4.5, zorder=3, **look)
    axis.set_xscale("log")
    axis.margins(x=0.12, y=0.12)
    values = [x for x, _ in known.values()]
    if values:
        _log_ticks(axis, min(values), max(values))


def _log_ticks(axis: Any, low: float, high: float) -> None:
    """Few plain numbers: minor labels of a logarithmic axis would run into each other."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    steps = [m * 10.0**k for k in range(-3, 5) for m in (1, 1.5, 2, 3, 4, 5, 7)]
    left, right = axis.get_xlim()
    chosen = [s for s in steps if left <= s <= right]
    if len(chosen) > MOST_TICKS:
        chosen = chosen[:: -(-len(chosen) // MOST_TICKS)]
    if len(chosen) < 2:  # a narrow range has hardly a round number
        chosen = sorted({float(f"{value:.3g}") for value in (low, high)})
    axis.xaxis.set_major_locator(FixedLocator(chosen))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
