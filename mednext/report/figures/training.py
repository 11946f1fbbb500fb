"""Loss and validation score of every run by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mednext.config import Profile, load_datasets
from mednext.report.figures.charts import (
    axes_rows,
    by_method,
    legend_of,
    looks,
    panel_title,
    small,
    source_of,
)
from mednext.report.figures.style import STYLE, empty, heading, save
from mednext.results import CurveRow


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """``training``: a row per data set, losses on the left, the validation score on the right."""
    curves = small(profile, "curves.csv", CurveRow, partial)
    shown = [d for d in profile.datasets if by_method(curves, d, "train_loss")]
    stem = out / "training"
    if not shown:
        empty(
            f"Nothing to show: no run of profile '{profile.profile}' has finished an epoch.", stem
        )
        return
    with plt.rc_context(STYLE):
        look = looks([m for d in shown for m in by_method(curves, d, "train_loss")])
        figure, axes = axes_rows(len(shown), 2, 1.72, len(look), foot=0.78)
        for row, dataset in zip(axes, shown, strict=True):
            _lines(row[0], by_method(curves, dataset, "train_loss"), look, "-")
            _lines(row[0], by_method(curves, dataset, "val_loss"), look, "--")
            _lines(row[1], by_method(curves, dataset, "val_score"), look, "-")
            spec = load_datasets()[dataset]
            score = "accuracy" if spec.task == "classification" else "mean Dice"
            row[0].set_title(panel_title(profile, dataset), loc="left", weight="bold", fontsize=7)
            row[0].set_ylabel("Loss", fontsize=7)
            row[1].set_ylabel(f"Validation {score}", fontsize=7)
            if not by_method(curves, dataset, "val_score"):
                row[1].text(
                    0.5, 0.5, "no validation set", ha="center", va="center", fontsize=7,
                    transform=row[1].transAxes,
                )  # fmt: skip
                row[1].set_yticks([])
            last = max(
                p.x for points in by_method(curves, dataset, "train_loss").values() for p in points
            )
            for axis in row:
                axis.set_xlim(0.8, last + 0.2)
                axis.set_xlabel("Epoch", fontsize=7, labelpad=1)
                axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        grey: dict[str, Any] = {"color": "#444444", "linewidth": 1}
        figure.legend(
            handles=[
                Line2D([], [], linestyle="-", label="training loss, validation score", **grey),
                Line2D([], [], linestyle="--", label="validation loss", **grey),
            ],
            loc="lower center", bbox_to_anchor=(0.5, 0.2 / figure.get_figheight()), ncols=2,
            frameon=False, borderpad=0, fontsize=7,
        )  # fmt: skip
        legend_of(figure, look)
        heading(figure, "Training (first seed)", source_of(profile))
        save(figure, stem)
        plt.close(figure)


def _lines(
    axis: Any, found: dict[str, list[CurveRow]], look: dict[str, dict[str, Any]], dash: str
) -> None:
    # The first lines are the thickest: where several lie on each other, all are seen.
    widths = [max(0.8, 2.6 - 0.6 * place) for place in range(len(found))]
    for width, (method, points) in zip(widths, found.items(), strict=True):
        axis.plot(
            [p.x for p in points], [p.y for p in points], linestyle=dash, linewidth=width,
            color=look[method]["color"], marker=look[method]["marker"], markersize=2.5,
        )  # fmt: skip
