"""One figure per data set: scores by corruption and severity, and on data of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import Profile, load_datasets
from mednext.config.names import with_names
from mednext.layout import results_root
from mednext.report.figures.charts import axes_rows, legend_of, looks, panel_title, source_of
from mednext.report.figures.style import STYLE, heading, save
from mednext.results import SCORE, Metric, grouped, read_rows
from mednext.results.conditions import ConditionRow

COLUMNS = 4
Place = tuple[str, str]
"""Protocol and method: one line."""


def write(profile: Profile, out: Path) -> list[Path]:
    """Draw ``conditions_<dataset>_<protocol>`` of all in ``conditions.csv``; the stems."""
    shown: dict[Place, list[ConditionRow]] = defaultdict(list)
    for row in read_rows(results_root(profile.profile) / "conditions.csv", ConditionRow):
        kind = row.condition.partition(":")[0]
        if row.metric == SCORE[load_datasets()[row.dataset].task] and kind != "calibrated":
            shown[row.dataset, row.protocol].append(row)
    stems = []
    for (dataset, protocol), rows in shown.items():
        stems.append(out / f"conditions_{dataset}_{protocol}")
        _draw(profile, dataset, rows, stems[-1])
    return stems


def _draw(profile: Profile, dataset: str, rows: Sequence[ConditionRow], stem: Path) -> None:
    curves = _curves(rows)
    outside = sorted({r.condition for r in rows if r.condition.startswith("external")})
    panels = [*curves, *outside]
    look = looks([row.method for row in rows])
    score = "Accuracy" if rows[0].metric is Metric.ACCURACY else "Mean Dice"
    with plt.rc_context(STYLE):
        figure, axes = axes_rows(
            ceil(len(panels) / COLUMNS), COLUMNS, 1.55, len(look), foot=0.62, sharey=True
        )
        for axis, panel in zip(axes.flat, panels, strict=False):
            if panel in curves:
                _lines(axis, curves[panel], look)
                name = "JPEG" if panel == "jpeg" else panel.replace("_", " ").capitalize()
                axis.set_title(name, loc="left", fontsize=7)
            else:
                _moved(axis, [r for r in rows if r.condition == panel], look)
                place = with_names(panel.removeprefix("external: "))
                axis.set_title(f"On {place}", loc="left", fontsize=7)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel(score, fontsize=7)
        figure.text(
            0.01, 0.01, "Severity 0: as it is. Bands: 95 %, paired case by case.", fontsize=7
        )
        legend_of(figure, look)
        title = panel_title(profile, dataset)
        heading(figure, f"Under other conditions: {title}", source_of(profile))
        save(figure, stem)
        plt.close(figure)


def _curves(rows: Sequence[ConditionRow]) -> dict[str, dict[str, dict[int, list[ConditionRow]]]]:
    """Corruption -> method -> severity -> its rows, one per seed."""
    found: Any = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows:
        kind, _, detail = row.condition.partition(": ")
        if kind == "shifted" and detail != "mean":
            corruption, _, severity = detail.rpartition(" ")
            found[corruption][row.method][int(severity)].append(row)
    return {name: {m: dict(steps) for m, steps in of.items()} for name, of in found.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _lines(
    axis: Any, methods: dict[str, dict[int, list[ConditionRow]]], look: dict[str, dict[str, Any]]
) -> None:
    for method, steps in methods.items():
        severities = sorted(steps)
        plain = _mean([row.before for row in steps[severities[0]]])
        after = [_mean([row.after for row in steps[s]]) for s in severities]
        axis.plot([0, *severities], [plain, *after], linewidth=1, markersize=2.5, **look[method])
        ends = [steps[s][0] for s in severities]
        # Of several seeds no band: the interval of one of them is not that of their mean.
        if len(steps[severities[0]]) == 1 and all(row.ci_low is not None for row in ends):
            # The interval of a change may reach beyond what a score can be.
            low = [plain, *(max(0.0, plain + float(row.ci_low or 0)) for row in ends)]
            high = [plain, *(min(1.0, plain + float(row.ci_high or 0)) for row in ends)]
            colour = look[method]["color"]
            axis.fill_between([0, *severities], low, high, color=colour, alpha=0.15, linewidth=0)
    axis.set_xticks(range(6))
    axis.set_xlabel("severity", fontsize=7, labelpad=1)


def _moved(axis: Any, rows: Sequence[ConditionRow], look: dict[str, dict[str, Any]]) -> None:
    """The own test set against data of others, a line per method."""
    methods = grouped(rows, lambda row: row.method)
    for k, (method, found) in enumerate(methods.items()):
        ends = [_mean([r.before for r in found]), _mean([r.after for r in found])]
        at = [0 + 0.03 * k, 1 + 0.03 * k]
        axis.plot(at, ends, linewidth=1, markersize=3, **look[method])
        if len(found) == 1 and found[0].ci_low is not None and found[0].ci_high is not None:
            low, high = (ends[0] + float(end) for end in (found[0].ci_low, found[0].ci_high))
            axis.vlines(at[1], low, high, color=look[method]["color"], linewidth=0.8)
    axis.set_xticks([0, 1], ["own test set", "outside"])
    axis.set_xlim(-0.3, 1.4)
