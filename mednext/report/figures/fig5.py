"""Fig 5: MedUNeXt, the encoder going down on the left, the decoder up on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from mednext.architecture import Node, read_architecture
from mednext.config import Profile
from mednext.layout import architecture_json
from mednext.report.figures.boxes import arrow, draw_node, sizes_of
from mednext.report.figures.graph_layout import Point
from mednext.report.figures.panels import FOOT, HEAD, canvas, foot, label
from mednext.report.figures.style import STYLE, save

TITLE = "Overview of MedUNeXt"
WIDTH, LEFT, RIGHT, GAP, SCALE_GAP = 5.6, 1.3, 4.3, 0.12, 0.17


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """The network of ``architecture.json``, joined where a scale is handed on; no run is needed."""
    architecture = read_architecture(architecture_json(profile.profile))
    (panel,) = architecture.of(5)
    nodes = panel.nodes
    sizes = sizes_of(nodes, named=False, uniform=True)
    places = ladder(nodes, {i: height for i, (_, height) in sizes.items()})
    bottom = max(y + sizes[i][1] / 2 for i, (_, y) in places.items())
    top = HEAD + 0.06
    with plt.rc_context(STYLE):
        figure, axis = canvas(WIDTH, top + bottom + FOOT + 0.06)
        axis.text(WIDTH / 2, 0.1, TITLE, ha="center", va="top", fontsize=9)
        label(axis, panel, WIDTH / 2, HEAD - 0.06)
        at = {i: (x, y + top) for i, (x, y) in places.items()}
        for node in nodes:
            for source in node.inputs:
                arrow(axis, path(at[source], at[node.id], sizes[source], sizes[node.id]))
        for node in nodes:
            draw_node(axis, node, at[node.id], sizes[node.id], named=False)
        for y, text in scales(nodes, at):
            axis.text(
                (LEFT + RIGHT) / 2, y - 0.04, text, ha="center", va="bottom", fontsize=7,
                color="#444444",
            )  # fmt: skip
        foot(figure, nodes, architecture.img_size)
        save(figure, out / "fig5")
        plt.close(figure)


def level_of(node: Node, nodes: Sequence[Node]) -> int:
    """How often the image was halved."""
    return round(math.log2(nodes[0].shape[-1] / node.shape[-1]))


def turning_point(nodes: Sequence[Node]) -> int:
    """Index of the last box of the smallest scale."""
    levels = [level_of(node, nodes) for node in nodes]
    return max(i for i, level in enumerate(levels) if level == max(levels))


def ladder(nodes: Sequence[Node], heights: dict[int, float]) -> dict[int, Point]:
    """Id -> centre in inches: what an encoder's scale hands on is level with where it is read."""
    turn = turning_point(nodes)
    places: dict[int, Point] = {}
    left = right = 0.0
    for level in range(level_of(nodes[turn], nodes) + 1):
        scale = [i for i, node in enumerate(nodes) if level_of(node, nodes) == level]
        down = stack([i for i in scale if i <= turn], heights, left)
        up = stack([i for i in scale if i > turn][::-1], heights, right)
        # The last box that goes down is level with the (lowest) one that joins two inputs.
        joins = [y for i, y in up.items() if len(nodes[i].inputs) > 1]
        shift = max(joins) - max(down.values()) if joins else 0.0
        places |= {i: (LEFT, y + max(shift, 0.0)) for i, y in down.items()}
        places |= {i: (RIGHT, y + max(-shift, 0.0)) for i, y in up.items()}
        left = max(places[i][1] + heights[i] / 2 for i in down) + SCALE_GAP
        right = max((places[i][1] + heights[i] / 2 for i in up), default=right) + SCALE_GAP
    return places


def stack(ids: Sequence[int], heights: dict[int, float], top: float) -> dict[int, float]:
    """Id -> centre of boxes one below the other, the first one's edge at ``top``."""
    places = {}
    for i in ids:
        places[i] = top + heights[i] / 2
        top += heights[i] + GAP
    return places


def path(
    source: Point, target: Point, size: tuple[float, float], other: tuple[float, float]
) -> list[Point]:
    """Down or up inside a column, sideways to the other one."""
    (x0, y0), (x1, y1) = source, target
    if math.isclose(x0, x1):
        sign = 1 if y1 > y0 else -1
        return [(x0, y0 + sign * size[1] / 2), (x1, y1 - sign * other[1] / 2)]
    if math.isclose(y0, y1):
        return [(x0 + size[0] / 2, y0), (x1 - other[0] / 2, y1)]
    return [(x0 + size[0] / 2, y0), (x1, y0), (x1, y1 + other[1] / 2)]


def scales(nodes: Sequence[Node], at: dict[int, Point]) -> list[tuple[float, str]]:
    """Height of the line that hands a scale on, and the scale's size."""
    last = {node.shape[-1]: node.id for node in nodes[: turning_point(nodes) + 1]}
    return [(at[i][1], f"{size}×{size}") for size, i in last.items()]
