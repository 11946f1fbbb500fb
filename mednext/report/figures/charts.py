"""What the charts share: results of the headline, a look for each method, titles and legends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mednext.config import Profile, load_datasets, load_methods
from mednext.config.names import display_name
from mednext.layout import results_root
from mednext.report.figures.style import PAGE_HEIGHT, PALETTE
from mednext.report.scale import scale_difference, scale_of
from mednext.report.verdicts import over_seeds
from mednext.results import (
    HEADLINE,
    CurveRow,
    DatasetRow,
    Metric,
    MetricRow,
    R,
    grouped,
    read_rows,
)

MARKERS = "os^Dv<>pPX*h"
WIDTH = 7.4
LEGEND, LEGEND_LINE = 2.0, 0.13
"""Width of a legend and height of one of its lines, in inches."""


def small(profile: Profile, name: str, model: type[R], partial: bool) -> list[R]:
    """Rows of one result file; with ``partial`` a missing one has none."""
    path: Path = results_root(profile.profile) / name
    return read_rows(path, model) if path.is_file() or not partial else []


def looks(methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Method -> colour and marker; the marker changes when the colours are used up.

    In the registry's order, so that charts of the same methods give each the same look. Only beyond
    all pairs of the two (more methods than the paper has) a look comes again.
    """
    place = {method: i for i, method in enumerate(load_methods())}
    ordered = sorted(dict.fromkeys(methods), key=lambda method: place.get(method, len(place)))
    return {
        method: {
            "color": PALETTE[i % len(PALETTE)],
            "marker": MARKERS[i // len(PALETTE) % len(MARKERS)],
        }
        for i, method in enumerate(ordered)
    }


def headline(
    metrics: Sequence[MetricRow], dataset: str, metric: Metric
) -> dict[str, tuple[float, float | None, float | None]]:
    """Method -> mean over seeds and interval of the headline view; only what came about."""
    of_set = [row for row in metrics if (row.dataset, row.metric) == (dataset, metric)]
    shown = [row for row in of_set if HEADLINE.holds(row) and HEADLINE.judges(row)]
    rows = grouped((row for row in shown if row.value is not None), lambda row: row.method)
    return {method: over_seeds(found) for method, found in rows.items()}


def by_method(curves: Sequence[CurveRow], dataset: str, curve: str) -> dict[str, list[CurveRow]]:
    """Method -> the points of its curve of one data set, in order."""
    shown = [row for row in curves if (row.dataset, row.curve) == (dataset, curve)]
    return grouped(shown, lambda row: row.method)


def source_of(profile: Profile) -> str:
    """``phantom`` if any data set of the profile is synthetic."""
    sources = {run.source for run in profile.datasets.values()}
    return "phantom" if "phantom" in sources else sorted(sources)[0]


def sets_of(profile: Profile, task: str) -> list[str]:
    """The data sets of one task in the profile."""
    return [slug for slug in profile.datasets if load_datasets()[slug].task == task]


def panel_title(profile: Profile, dataset: str, between: str = " ") -> str:
    """The name of a data set, ``between``, the precision, and in what data and scale differ from
    the paper's.

    What stands in for a data set is known from ``datasets.csv``, where that has been written.
    """
    spec, scale = load_datasets()[dataset], scale_of(profile, dataset)
    counts = small(profile, "datasets.csv", DatasetRow, partial=True)
    stand_in = any(row.stand_in for row in counts if row.dataset == dataset)
    remarks = ["STAND-IN data"] if stand_in else []
    made = scale.precision
    if scale_difference(scale, spec.task) is not None:
        words = f"{scale.words('img_size')} px, epochs {scale.words('epochs')}"
        made = f"{words}, {made}: reduced"
    return f"{spec.name}{between}({'; '.join([*remarks, made])})"


def legend_of(figure: Figure, shown: dict[str, dict[str, Any]], line: float = 1) -> None:
    """One legend of methods for all charts, right of them; ``line`` is the width of their lines."""
    handles = [
        Line2D([], [], label=display_name(method), markersize=4, linewidth=line, **look)
        for method, look in shown.items()
    ]
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1 - (LEGEND - 0.1) / WIDTH, 0.5),
        frameon=False, fontsize=7, labelspacing=0.25, borderpad=0,
    )  # fmt: skip


def axes_rows(
    rows: int, columns: int, height: float, entries: int, foot: float = 0.55, sharey: bool = False
) -> tuple[Figure, Any]:
    """A grid of charts with room on the right for a legend of ``entries``; lengths in inches."""
    import matplotlib.pyplot as plt

    height = max(height, (entries * LEGEND_LINE - 0.35) / rows)
    height = min(height, (PAGE_HEIGHT - 0.35 - foot) / rows)
    total = rows * height + 0.35 + foot
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, total), squeeze=False, sharey=sharey)
    figure.subplots_adjust(
        left=0.62 / WIDTH, right=1 - LEGEND / WIDTH, top=1 - 0.62 / total, bottom=foot / total,
        wspace=0.38, hspace=0.62 / (height - 0.62),
    )  # fmt: skip
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
    return figure, axes
