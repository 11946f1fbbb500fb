"""The common look: sizes in print, colours for colour-blind readers, output that repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.figure import Figure

from mednext.errors import UserError
from mednext.files import atomic_path

# Okabe and Ito, readable with every kind of colour vision.
ORGAN_COLOURS = {"rv": "#E69F00", "myo": "#56B4E9", "lv": "#CC79A7"}
SMALLEST_FONT = 7.0
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


def absent(profile: str, dataset: str, stem: Path) -> None:
    """Write a figure that says that its data set is not part of the profile."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(4.6, 1.2))
        text = f"Nothing to show: data set '{dataset}'\nis not part of profile '{profile}'."
        figure.text(0.5, 0.5, text, ha="center", va="center")
        save(figure, stem)
        plt.close(figure)


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


def grid(rows: int, columns: int, cell: float = 1.35) -> tuple[Figure, Any]:
    """A figure of ``rows`` x ``columns`` square panels of ``cell`` inches, without ticks."""
    import matplotlib.pyplot as plt

    width, height = max(columns * cell, 4.6), rows * (cell + 0.3) + 0.75
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.subplots_adjust(
        left=0.02, right=0.98, top=1 - 0.62 / height, bottom=0.42 / height, wspace=0.06, hspace=0.3
    )
    return figure, axes
