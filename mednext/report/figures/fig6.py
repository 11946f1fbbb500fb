"""Fig 6: Grad-CAM heatmaps of three classifiers on listed test images of three data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import FIGURE_DATASETS, Profile, case_files, load_datasets
from mednext.config.names import class_names, display_name
from mednext.layout import cases_npz
from mednext.report.figures.charts import panel_title
from mednext.report.figures.style import (
    NO_PICTURES,
    PAGE_HEIGHT,
    SMALLEST_FONT,
    STYLE,
    TITLE_ROOM,
    absent,
    empty,
    grid,
    heading,
    open_cases,
    save,
)

CELL, PITCH, NOTE_ROW = 1.05, 1.25, 0.36
LETTERS, METHODS = "ABC", 3


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """A panel per data set, one row per image: the image, then each method's heatmap.

    A data set outside the profile keeps its panel, which says so; so does (with ``partial``) one
    without heatmaps.
    """
    names = FIGURE_DATASETS["fig6"]
    stems = case_files("fig6", list(profile.datasets))
    if not stems:
        absent(profile.profile, names, out / "fig6")
        return
    files = {d: cases_npz(profile.profile, stem) for d, stem in stems.items()}
    cases = {d: open_cases(f) for d, f in files.items() if f.is_file() or not partial}
    if not cases:
        empty(NO_PICTURES, out / "fig6")
        return
    columns = 1 + max(len(c["methods"]) for c in cases.values())
    rows = {d: len(cases[d]["images"]) if d in cases else 0 for d in names}
    # As large as the page allows: title, foot, a row for the title of each panel, the images.
    room = (PAGE_HEIGHT - 0.72 - NOTE_ROW * len(names)) / sum(rows.values()) - TITLE_ROOM
    cell = min(CELL, room)
    with plt.rc_context(STYLE):
        # One more row than images for the title of a panel, or for why it is empty.
        heights = [h for d in names for h in (NOTE_ROW, *[cell + TITLE_ROOM] * rows[d])]
        figure, axes = grid(len(heights), columns, cell=cell, heights=heights, pitch=PITCH)
        row = 0
        for letter, dataset in zip(LETTERS, names, strict=True):
            for axis in axes[row]:
                axis.axis("off")
            named = dataset in profile.datasets
            name = panel_title(profile, dataset) if named else load_datasets()[dataset].name
            title = f"{letter}  {name}"
            axes[row][0].text(0, 0.5, title, weight="bold", va="bottom", ha="left")
            words = note(profile.profile, cases.get(dataset))
            if dataset in stems and dataset not in cases:
                words = NO_PICTURES
            axes[row][0].text(0, 0.42, words, va="top", ha="left", fontsize=SMALLEST_FONT)
            if dataset in cases:
                _panel(axes[row + 1 : row + 1 + rows[dataset]], cases[dataset], dataset)
            row += 1 + rows[dataset]
        sources = {str(c["source"]) for c in cases.values()}
        heading(
            figure,
            "Grad-CAM of the predicted class (with its score; ✗ wrong)",
            "phantom" if "phantom" in sources else sources.pop(),
        )
        save(figure, out / "fig6")
        plt.close(figure)


def note(profile: str, cases: dict[str, Any] | None) -> str:
    """Why a panel is empty, or has fewer methods than the paper's; empty text if it is complete."""
    if cases is None:
        return f"not part of profile '{profile}': nothing to show"
    count = len(cases["methods"])
    return (
        f"{count} of {METHODS} methods: profile '{profile}' runs no other"
        if count < METHODS
        else ""
    )


def _panel(axes: Any, cases: dict[str, Any], dataset: str) -> None:
    classes = class_names(dataset, map(str, cases["classes"]))
    for row, image in enumerate(cases["images"]):
        shown = image if image.ndim == 3 else image[..., None].repeat(3, axis=2)
        for axis in axes[row]:
            axis.axis("off")
        axes[row][0].imshow(shown)
        axes[row][0].set_title(f"truth:\n{classes[cases['labels'][row]]}")
        for column, method in enumerate(cases["methods"]):
            axis, scores = axes[row][column + 1], cases["scores"][column][row]
            axis.imshow(shown)
            # Opaque where the map is high, so that the image stays visible where it is low.
            heat = cases["heatmaps"][column][row]
            axis.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.7 * heat)
            best = int(scores.argmax())
            mark = "" if best == cases["labels"][row] else " ✗"
            axis.set_title(f"{display_name(str(method))}\n{classes[best]} {scores[best]:.2f}{mark}")
