"""A figure whose panels are drawn networks, in rows, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from mednext.architecture import Node, Panel
from mednext.report.figures.boxes import amount, draw, legend_entries, sizes_of
from mednext.report.figures.graph_layout import Layout, layered
from mednext.report.figures.style import SMALLEST_FONT, STYLE, save

MARGIN, TITLE, HEAD, FOOT, GUTTER = 0.08, 0.42, 0.32, 0.48, 0.16
FIGURE_WIDTH = 7.4


def canvas(width: float, height: float) -> tuple[Figure, Any]:
    """A figure with one axis whose unit is the inch, y downwards, without frame."""
    figure = plt.figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)
    axis.axis("off")
    return figure, axis


def write_panels(
    rows: Sequence[Sequence[Panel]],
    title: str,
    img_size: int,
    stem: Path,
    named: bool = False,
    uniform: bool = False,
) -> None:
    """Draw rows of panels, each as wide as its network, and write the figure.

    Args:
        rows: the panels of each row.
        title: of the figure.
        img_size: of the described networks.
        stem: of the files.
        named: boxes carry the names of their modules.
        uniform: all boxes of a panel are equally wide.
    """
    made: list[list[tuple[Panel, dict[int, tuple[float, float]], Layout]]] = []
    for row in rows:
        made.append([])
        for panel in row:
            sizes = sizes_of(panel.nodes, named, uniform)
            made[-1].append((panel, sizes, layered(panel.nodes, sizes)))
    heights = [TITLE + max(layout.height for _, _, layout in row) for row in made]
    height = HEAD + sum(heights) + GUTTER * (len(made) - 1) + FOOT
    with plt.rc_context(STYLE):
        figure, axis = canvas(FIGURE_WIDTH, height)
        axis.text(FIGURE_WIDTH / 2, 0.1, title, ha="center", va="top", fontsize=9)
        top = HEAD
        for placed, tall in zip(made, heights, strict=True):
            spare = FIGURE_WIDTH - 2 * MARGIN - sum(layout.width for _, _, layout in placed)
            gap = spare / len(placed)
            left = MARGIN + gap / 2
            for panel, sizes, layout in placed:
                label(axis, panel, left + layout.width / 2, top)
                draw(axis, panel.nodes, layout, sizes, named, (left, top + TITLE))
                left += layout.width + gap
            top += tall + GUTTER
        foot(figure, [n for row in rows for p in row for n in p.nodes], img_size)
        save(figure, stem)
        plt.close(figure)


def label(axis: Any, panel: Panel, x: float, y: float) -> None:
    """Letter and title of a panel (one alone has that of the figure), and its parameters."""
    if panel.letter:
        title = f"{panel.letter}  {panel.title}"
        axis.text(x, y + 0.02, title, ha="center", va="top", weight="bold")
    text = f"{amount(panel.params)} parameters"
    axis.text(
        x, y + (0.18 if panel.letter else 0.06), text, ha="center", va="top", fontsize=SMALLEST_FONT
    )


def foot(figure: Figure, nodes: Sequence[Node], img_size: int) -> None:
    """Legend and how to read the boxes, below the panels."""
    height = figure.get_figheight()
    entries = legend_entries(nodes)
    figure.legend(
        handles=entries, loc="lower center", bbox_to_anchor=(0.5, 0.19 / height),
        ncols=len(entries), frameon=False, borderpad=0, fontsize=SMALLEST_FONT, handlelength=1.4,
    )  # fmt: skip
    text = f"Boxes: output shape, parameters; read off the networks at {img_size}×{img_size} pixels"
    figure.text(0.5, 0.05 / height, text, ha="center", va="bottom", fontsize=SMALLEST_FONT)
