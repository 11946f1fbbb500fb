"""Fig 8: predicted masks of the segmenters beside the ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from mednext.config import Profile
from mednext.layout import cases_npz
from mednext.report.figures.style import (
    ORGAN_COLOURS,
    STYLE,
    absent,
    grid,
    heading,
    open_cases,
    save,
)

DATASET = "acdc"


def write(profile: Profile, out: Path) -> None:
    """One row per case: image, ground truth, each method with the Dice of the whole case."""
    if DATASET not in profile.datasets:
        absent(profile.profile, DATASET, out / "fig8")
        return
    cases = open_cases(cases_npz(profile.profile, "fig8"))
    organs = [str(name) for name in cases["classes"][1:]]
    with plt.rc_context(STYLE):
        figure, axes = grid(len(cases["images"]), 2 + len(cases["methods"]))
        for row, image in enumerate(cases["images"]):
            panels = [None, cases["truth"][row], *(p[row] for p in cases["predictions"])]
            titles = [f"{cases['cases'][row]}\nslice {cases['slices'][row]}", "ground truth"]
            titles += [
                f"{method}\nDice {cases['dice'][line][row]:.3f}"
                for line, method in enumerate(cases["methods"])
            ]
            for axis, mask, title in zip(axes[row], panels, titles, strict=True):
                axis.imshow(image, cmap="gray")
                if mask is not None:
                    _overlay(axis, mask, organs)
                axis.set_title(title)
        heading(figure, "Segmentation of test cases", str(cases["source"]))
        figure.legend(
            handles=[Patch(color=ORGAN_COLOURS[o], label=o.upper()) for o in organs],
            loc="lower center",
            bbox_to_anchor=(0.5, 0.16 / figure.get_figheight()),
            ncols=len(organs),
            frameon=False,
            borderpad=0,
        )
        save(figure, out / "fig8")
        plt.close(figure)


def _overlay(axis: Any, mask: np.ndarray, organs: list[str]) -> None:
    colours = ListedColormap([ORGAN_COLOURS[o] for o in organs])
    shown = np.ma.masked_equal(mask, 0)
    axis.imshow(shown, cmap=colours, vmin=0.5, vmax=len(organs) + 0.5, alpha=0.6)
