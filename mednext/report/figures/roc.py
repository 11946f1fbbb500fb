"""ROC curves with bands, and reliability diagrams, of the classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import Profile
from mednext.config.names import display_name
from mednext.report.figures.charts import (
    WIDTH,
    by_method,
    headline,
    looks,
    panel_title,
    sets_of,
    small,
    source_of,
)
from mednext.report.figures.style import STYLE, empty, heading, save
from mednext.results import CurveRow, Metric, MetricRow, unconditional

SIDE = 1.82
KINDS = {
    "roc": (
        "ROC of the disease; bands: 95 % interval over resampled groups",
        "False-positive rate",
        "Sensitivity",
        Metric.AUC,
    ),
    "reliability": (
        "Reliability: share of the disease among images of a score, 95 % interval",
        "Mean score of the disease",
        "Share of the disease",
        Metric.ECE,
    ),
}
NAMES = {"roc": "roc", "reliability": "calibration"}


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """``roc`` and ``calibration``: one square per classification set, its methods below."""
    curves = small(profile, "curves.csv", CurveRow, partial)
    metrics = unconditional(small(profile, "metrics.csv", MetricRow, partial))
    for kind in KINDS:
        shown = {d: by_method(curves, d, kind) for d in sets_of(profile, "classification")}
        _write(kind, profile, {d: found for d, found in shown.items() if found}, metrics, out)


def _write(
    kind: str,
    profile: Profile,
    shown: dict[str, dict[str, list[CurveRow]]],
    metrics: list[MetricRow],
    out: Path,
) -> None:
    stem = out / NAMES[kind]
    if not shown:
        empty(f"Nothing to show: profile '{profile.profile}' has no classifier with results.", stem)
        return
    title, x_label, y_label, metric = KINDS[kind]
    lines = max(len(found) for found in shown.values())
    foot = 0.62 + 0.135 * lines
    height = 0.6 + SIDE + foot
    column = WIDTH / len(shown)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        look = looks([method for found in shown.values() for method in found])
        for place, (dataset, found) in enumerate(shown.items()):
            left = place * column + (column - SIDE) / 2 + 0.2
            box = (left / WIDTH, foot / height, SIDE / WIDTH, SIDE / height)
            axis = figure.add_axes(box)
            values = {m: v for m, (v, _, _) in headline(metrics, dataset, metric).items()}
            for method, points in found.items():
                words = display_name(method)
                if method in values:
                    words += f", {metric.value.upper()} {values[method]:.3f}"
                _line(axis, kind, points, look[method], words)
            axis.plot([0, 1], [0, 1], color="#999999", linewidth=0.7, linestyle=":", zorder=0)
            axis.set_xlim(-0.02, 1.02)
            axis.set_ylim(-0.02, 1.02)
            axis.set_xlabel(x_label, fontsize=7, labelpad=1)
            if place == 0:
                axis.set_ylabel(y_label, fontsize=7)
            axis.tick_params(labelsize=7)
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_title(panel_title(profile, dataset, "\n"), weight="bold", fontsize=7)
            axis.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=7,
                labelspacing=0.2, borderpad=0,
            )  # fmt: skip
        heading(figure, title, source_of(profile))
        save(figure, stem)
        plt.close(figure)


def _line(axis: Any, kind: str, points: list[CurveRow], look: dict[str, Any], words: str) -> None:
    known = [p for p in points if p.y is not None]
    x, y = [p.x for p in known], [p.y for p in known]
    if kind == "roc":
        axis.plot(x, y, color=look["color"], linewidth=1.1, label=words)
        band = [p for p in known if p.y_low is not None and p.y_high is not None]
        edges = [p.y_low for p in band], [p.y_high for p in band]
        axis.fill_between([p.x for p in band], *edges, color=look["color"], alpha=0.13, linewidth=0)
        return
    for p in known:
        if p.y_low is not None and p.y_high is not None:
            axis.plot([p.x, p.x], [p.y_low, p.y_high], color=look["color"], linewidth=0.7)
    axis.plot(x, y, linewidth=0.9, markersize=3.5, label=words, **look)
