"""The common look: sizes in print, colours for colour-blind readers, output that repeats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.figure import Figure

from mednext.config.names import display_name
from mednext.errors import UserError
from mednext.files import atomic_path

# Okabe and Ito, readable with every kind of colour vision; the last one is Tol's wine.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442", "#882255",
)  # fmt: skip
ORGAN_COLOURS = {
    "rv": "#E69F00", "myo": "#56B4E9", "lv": "#CC79A7",
    "aorta": "#D55E00", "gallbladder": "#009E73", "kidney_l": "#56B4E9", "kidney_r": "#0072B2",
    "liver": "#E69F00", "pancreas": "#F0E442", "spleen": "#CC79A7", "stomach": "#882255",
}  # fmt: skip
SMALLEST_FONT = 7.0
PAGE_HEIGHT = 8.7
"""Of a figure, in inches (PLoS)."""
TITLE_ROOM = 0.38
"""Two lines above a panel, in inches."""
STYLE: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "legend.fontsize": 8.0,
    "figure.titlesize": 9.0,
    "svg.hashsalt": "mednext-plos",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "image.interpolation": "nearest",
}
UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}


def save(figure: Figure, stem: Path) -> None:
    """Write ``stem``.png (300 dpi), .pdf and .svg; equal input gives equal bytes."""
    for ending, metadata in UNDATED.items():
        with atomic_path(stem.with_name(f"{stem.name}.{ending}")) as part:
            figure.savefig(part, format=ending, dpi=300, metadata=metadata)


NO_PICTURES = "Nothing to show: no run with weights is here to predict again."


def open_cases(path: Path) -> dict[str, Any]:
    """The arrays of one ``cases/*.npz``.

    Raises:
        UserError: the file has not been made.
    """
    import numpy as np

    if not path.is_file():
        raise UserError(
            "the cases of a figure are missing", file=path, remedy="run the workflow first"
        )
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def absent(profile: str, datasets: Sequence[str], stem: Path) -> None:
    """Write a figure that says that its data sets are not part of the profile."""
    what = " and ".join(map(display_name, datasets))
    is_are = f"data set {what}\nis" if len(datasets) == 1 else f"data sets {what}\nare"
    empty(f"Nothing to show: {is_are} not part of profile '{profile}'.", stem)


def empty(text: str, stem: Path) -> None:
    """Write a figure that only says why there is none."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(5.6, 1.2))
        figure.text(0.5, 0.5, text, ha="center", va="center")
        save(figure, stem)
        plt.close(figure)


def short_name(text: str, width: int = 18) -> str:
    """``text``, shortened in the middle if a title would be wider than its panel."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def heading(figure: Figure, title: str, source: str) -> None:
    """The title, and the banner of synthetic data."""
    # At a fixed distance from the edge: the default is a share of the height, and a figure of many
    # rows would push it into the panels.
    figure.suptitle(title, y=1 - 0.08 / figure.get_figheight())
    if source == "phantom":
        figure.text(
            0.5,
            0.004,
            "PHANTOM (synthetic) data: not images of patients, not results of the paper",
            ha="center",
            va="bottom",
            fontsize=8,
            color="#B00020",
            weight="bold",
        )


def grid(
    rows: int,
    columns: int,
    cell: float = 1.35,
    heights: Sequence[float] | None = None,
    foot: float = 0.42,
    pitch: float | None = None,
    head: float = 0.3,
) -> tuple[Figure, Any]:
    """A figure of square panels of ``cell`` inches, without ticks.

    Args:
        rows: of panels.
        columns: of panels.
        cell: side of a panel in inches.
        heights: of the rows in inches, their titles included; default: all have a panel.
        foot: inches below the panels.
        pitch: from panel to panel; default: with a narrow gap.
        head: inches above the panels, for the title.
    """
    import matplotlib.pyplot as plt

    heights = list(heights) if heights is not None else [cell + TITLE_ROOM] * rows
    pitch = pitch or cell + 0.08
    width, height = max(columns * pitch, 4.9), sum(heights) + foot + head
    figure = plt.figure(figsize=(width, height))
    axes = [[figure.add_axes((0, 0, 1, 1)) for _ in range(columns)] for _ in range(rows)]
    top = height - head
    left = (width - columns * pitch) / 2
    for line, tall in zip(axes, heights, strict=True):
        for column, axis in enumerate(line):
            side = min(cell, tall)
            place = left + column * pitch + (pitch - cell) / 2, top - tall, cell, side
            axis.set_position((place[0] / width, place[1] / height, cell / width, side / height))
            axis.set_xticks([])
            axis.set_yticks([])
            for spine in axis.spines.values():
                spine.set_visible(False)
        top -= tall
    return figure, axes
