"""Draw the nodes and arrows of a network: what a box says, its colour, where it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.textpath import TextPath

from mednext.architecture import Node
from mednext.report.figures.graph_layout import Layout, Point
from mednext.report.figures.style import SMALLEST_FONT

LINE_HEIGHT, PADDING, SYMBOL = 0.118, 0.075, 0.22
POINTS = 72
# Tints of Okabe and Ito's colours; the text on them stays black.
COLOURS = {
    "input": "#FFFFFF",
    "block": "#BFE3D6",
    "convolution, linear": "#C9DDEE",
    "normalisation": "#E3E3E3",
    "activation, softmax": "#FBEFB5",
    "pooling, mean": "#EBCFDF",
    "operation": "#FFFFFF",
}
SYMBOLS = {"add": "+", "mul": "⊙", "matmul": "⊗"}
WORDS = {
    "input": "input",
    "Linear": "Linear",
    "BatchNorm2d": "BatchNorm",
    "LayerNorm": "LayerNorm",
    "LayerNorm2d": "LayerNorm",
    "ReLU": "ReLU",
    "relu": "ReLU",
    "gelu": "GELU",
    "GELU": "GELU",
    "SelectAdaptivePool2d": "mean over positions",
    "cat": "concatenate",
    "attention": "softmax(Q Kᵀ / √d) V",
    "split": "split",
    "Sequential": "MED stem",
    "MEDBlock": "MED block",
    "SwinTransformerBlock": "Swin block",
    "PatchEmbed": "patch embedding",
    "PatchMerging": "patch merging",
    "ClassifierHead": "mean, linear",
}
KERNELS = {"Conv2d": "Conv", "ConvTranspose2d": "UpConv", "MaxPool2d": "MaxPool"}
KINDS = {
    "input": "input",
    "Conv2d": "convolution, linear",
    "ConvTranspose2d": "convolution, linear",
    "Linear": "convolution, linear",
    "MaxPool2d": "pooling, mean",
    "SelectAdaptivePool2d": "pooling, mean",
    "mean": "pooling, mean",
    "BatchNorm2d": "normalisation",
    "LayerNorm": "normalisation",
    "LayerNorm2d": "normalisation",
    "ReLU": "activation, softmax",
    "relu": "activation, softmax",
    "gelu": "activation, softmax",
    "GELU": "activation, softmax",
    "softmax": "activation, softmax",
    "attention": "activation, softmax",
    **dict.fromkeys(("add", "mul", "matmul", "cat", "split"), "operation"),
}


def amount(params: int) -> str:
    """A number of parameters: 864, 28.8 k, 6.86 M."""
    if params < 1000:
        return str(params)
    return f"{params / 1e3:.1f} k" if params < 1e6 else f"{params / 1e6:.2f} M"


def kind(node: Node) -> str:
    """The entry of the legend; a class that is no single layer is a block."""
    return KINDS.get(node.op, "block")


def lines_of(node: Node, named: bool) -> list[str]:
    """What stands in a box: operation, what follows it, output shape and parameters.

    Args:
        node: of ``architecture.json``.
        named: with the name of the module in its parent (q, k, v).
    """
    if is_symbol(node):
        return [SYMBOLS[node.op]]
    if node.kernel is not None:
        depthwise = "Dw" if node.groups not in (None, 1) else ""
        text = f"{depthwise}{KERNELS[node.op]} {node.kernel[0]}×{node.kernel[1]}"
        text += f", stride {node.stride}" if node.stride not in (None, 1) else ""
    elif node.op == "mul":
        text = f"multiply {node.detail}"
    elif node.op in ("softmax", "mean"):
        text = node.op
    else:
        text = WORDS.get(node.op, node.op)
    own = [part for part in node.name.split(".") if part and not part.isdigit()]
    if named and own:
        text = f"{own[-1]}: {text}"
    if node.repeat > 1:
        text += f" ×{node.repeat}"
    lines = [text]
    if node.op in ("softmax", "mean", "split"):
        lines.append(node.detail)
    if node.then:
        lines.append("+ " + ", ".join(WORDS.get(op, op) for op in node.then))
    shape = "×".join(map(str, node.shape))
    if node.op == "cat":
        return [f"{text} {shape}"]
    lines.append(shape + (f", {amount(node.params)}" if node.params else ""))
    return lines


def is_symbol(node: Node) -> bool:
    """Drawn as a small circle?"""
    return node.op in SYMBOLS and not node.detail


@cache
def text_width(text: str) -> float:
    """Inches that a line takes in the boxes' font."""
    path = TextPath((0, 0), text, size=SMALLEST_FONT)
    return float(path.get_extents().x1) / POINTS


def sizes_of(
    nodes: Sequence[Node], named: bool, uniform: bool = False
) -> dict[int, tuple[float, float]]:
    """Id -> width and height in inches; with ``uniform`` all boxes are as wide as the widest."""
    lines = {node.id: lines_of(node, named) for node in nodes}
    widths = {i: max(map(text_width, texts)) + 2 * PADDING for i, texts in lines.items()}
    if uniform:
        widths = dict.fromkeys(widths, max(widths.values()))
    return {
        node.id: (SYMBOL, SYMBOL)
        if is_symbol(node)
        else (widths[node.id], len(lines[node.id]) * LINE_HEIGHT + PADDING)
        for node in nodes
    }


def draw(
    axis: Any,
    nodes: Sequence[Node],
    layout: Layout,
    sizes: dict[int, tuple[float, float]],
    named: bool,
    origin: Point = (0.0, 0.0),
) -> None:
    """Draw a placed graph into an axis whose unit is the inch, y downwards."""
    places = {i: (x + origin[0], y + origin[1]) for i, (x, y) in layout.places.items()}
    for (source, target), route in layout.routes.items():
        half = sizes[source][1] / 2, sizes[target][1] / 2
        start = places[source][0], places[source][1] + half[0]
        end = places[target][0], places[target][1] - half[1]
        between = [(x + origin[0], y + origin[1]) for x, y in route]
        arrow(axis, [start, *between, end])
    for node in nodes:
        draw_node(axis, node, places[node.id], sizes[node.id], named)


def draw_node(axis: Any, node: Node, place: Point, size: tuple[float, float], named: bool) -> None:
    """One box, or circle, with its text."""
    (x, y), (width, height) = place, size
    look: dict[str, Any] = {
        "facecolor": COLOURS[kind(node)],
        "edgecolor": "#333333",
        "linewidth": 0.6,
    }
    if is_symbol(node):
        axis.add_patch(Circle((x, y), width / 2, **look))
    else:
        corner = x - width / 2, y - height / 2
        style = "round,pad=0,rounding_size=0.04"
        axis.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, **look))
    axis.text(
        x, y, "\n".join(lines_of(node, named)),
        ha="center", va="center", fontsize=SMALLEST_FONT + (2 if is_symbol(node) else 0),
        linespacing=1.1,
    )  # fmt: skip


def arrow(axis: Any, points: Sequence[Point]) -> None:
    """A line through ``points`` with a head at its end."""
    points = [points[0], *(two for one, two in pairwise(points) if math.dist(one, two) > 1e-3)]
    for one, two in pairwise(points[:-1]):
        axis.plot(*zip(one, two, strict=True), color="#333333", linewidth=0.7, zorder=0.5)
    head = FancyArrowPatch(
        points[-2], points[-1],
        arrowstyle="-|>,head_length=2.4,head_width=1.4", color="#333333", linewidth=0.7,
        shrinkA=0, shrinkB=0, mutation_scale=1, zorder=0.5,
    )  # fmt: skip
    axis.add_patch(head)


def legend_entries(nodes: Sequence[Node]) -> list[Patch]:
    """A patch for every kind of box that occurs (symbols and the input explain themselves)."""
    found = {kind(node) for node in nodes} - {"input", "operation"}
    return [
        Patch(facecolor=colour, edgecolor="#333333", linewidth=0.6, label=name)
        for name, colour in COLOURS.items()
        if name in found
    ]
