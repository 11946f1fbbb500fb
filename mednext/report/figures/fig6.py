"""Fig 6: Grad-CAM heatmaps of the classifiers on listed test images."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from mednext.config import Profile
from mednext.layout import cases_npz
from mednext.report.figures.style import STYLE, absent, grid, heading, open_cases, save

DATASET = "sars_cov2_ct"


def write(profile: Profile, out: Path) -> None:
    """One row per image: the image, then each method's heatmap with its predicted class."""
    if DATASET not in profile.datasets:
        absent(profile.profile, DATASET, out / "fig6")
        return
    cases = open_cases(cases_npz(profile.profile, "fig6"))
    classes = cases["classes"]
    with plt.rc_context(STYLE):
        figure, axes = grid(len(cases["images"]), 1 + len(cases["methods"]))
        for row, image in enumerate(cases["images"]):
            truth = classes[cases["labels"][row]]
            axes[row][0].imshow(image, cmap="gray", vmin=0, vmax=255)
            axes[row][0].set_title(f"truth: {truth}")
            for column, method in enumerate(cases["methods"]):
                axis, scores = axes[row][column + 1], cases["scores"][column][row]
                axis.imshow(image, cmap="gray", vmin=0, vmax=255)
                axis.imshow(
                    cases["heatmaps"][column][row], cmap="inferno", vmin=0, vmax=1, alpha=0.5
                )
                best = int(scores.argmax())
                mark = "" if best == cases["labels"][row] else " ✗"
                axis.set_title(f"{method}\n{classes[best]} {scores[best]:.2f}{mark}")
        heading(figure, "Grad-CAM of the predicted class", str(cases["source"]))
        save(figure, out / "fig6")
        plt.close(figure)
