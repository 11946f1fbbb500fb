"""Predicted masks beside the ground truth, one row per case (Figs 7 and 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from mednext.config import FIGURE_DATASETS, Profile
from mednext.config.names import class_names, display_name
from mednext.layout import cases_npz
from mednext.report.figures.charts import panel_title
from mednext.report.figures.style import (
    NO_PICTURES,
    ORGAN_COLOURS,
    STYLE,
    absent,
    empty,
    grid,
    heading,
    open_cases,
    save,
    short_name,
)

LEGEND_COLUMNS = 4


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """``fig7`` (Synapse) and ``fig8`` (ACDC): the listed test cases, with the Dice of each."""
    for name in ("fig7", "fig8"):
        _write(name, profile, out, partial)


def _write(figure_name: str, profile: Profile, out: Path, partial: bool) -> None:
    """One row per case: image, ground truth, each method with the Dice of the whole case."""
    (dataset,) = FIGURE_DATASETS[figure_name]
    if dataset not in profile.datasets:
        absent(profile.profile, [dataset], out / figure_name)
        return
    file = cases_npz(profile.profile, figure_name)
    if partial and not file.is_file():
        empty(NO_PICTURES, out / figure_name)
        return
    cases = open_cases(file)
    organs = [str(name) for name in cases["classes"][1:]]
    names = class_names(dataset, organs)
    columns = min(len(organs), LEGEND_COLUMNS)
    lines = -(-len(organs) // columns)
    with plt.rc_context(STYLE):
        figure, axes = grid(
            len(cases["images"]),
            2 + len(cases["methods"]),
            cell=1.22,
            foot=0.3 + 0.14 * lines,
            head=0.46,
        )
        for row, image in enumerate(cases["images"]):
            panels = [None, cases["truth"][row], *(p[row] for p in cases["predictions"])]
            titles = [f"{short_name(str(cases['cases'][row]))}\nslice {cases['slices'][row]}"]
            titles += ["ground truth"]
            titles += [
                f"{display_name(str(method))}\nDice {cases['dice'][line][row]:.3f}"
                for line, method in enumerate(cases["methods"])
            ]
            for axis, mask, title in zip(axes[row], panels, titles, strict=True):
                axis.imshow(image, cmap="gray")
                if mask is not None:
                    _overlay(axis, mask, organs)
                axis.set_title(title)
        name = panel_title(profile, dataset)
        title = f"Segmented test cases of {name}\nDice: mean of organs"
        heading(figure, title, str(cases["source"]))
        figure.legend(
            handles=[
                Patch(color=ORGAN_COLOURS[o], label=name)
                for o, name in zip(organs, names, strict=True)
            ],
            loc="lower center",
            bbox_to_anchor=(0.5, 0.17 / figure.get_figheight()),
            ncols=columns,
            frameon=False,
            borderpad=0,
            labelspacing=0.2,
        )
        save(figure, out / figure_name)
        plt.close(figure)


def _overlay(axis: Any, mask: np.ndarray, organs: list[str]) -> None:
    colours = ListedColormap([ORGAN_COLOURS[o] for o in organs])
    shown = np.ma.masked_equal(mask, 0)
    axis.imshow(shown, cmap=colours, vmin=0.5, vmax=len(organs) + 0.5, alpha=0.65)
