"""Place the nodes of a small directed graph in layers, from top to bottom, in inches.

The usual four steps (Sugiyama, Tagawa and Toda 1981, 10.1109/TSMC.1981.4308636): layers by the
longest path, placeholders where an arrow passes a layer, order by the mean of the neighbours,
places by least squares in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

from mednext.architecture import Node

Point = tuple[float, float]
LAYER_GAP, NODE_GAP, LANE = 0.19, 0.14, 0.1
ORDER_SWEEPS, PLACE_SWEEPS = 24, 300


@dataclass
class _Item:
    """A node, or (``node`` None) the place where an arrow passes a layer."""

    node: int | None
    layer: int
    width: float
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Centres of the nodes, y growing downwards, and the way of every arrow."""

    places: dict[int, Point]
    routes: dict[tuple[int, int], list[Point]]
    """(source, target) -> points between the two."""
    width: float
    height: float


def layered(nodes: Sequence[Node], sizes: dict[int, tuple[float, float]]) -> Layout:
    """Layout of nodes that read only nodes before them.

    Args:
        nodes: in the order of the forward pass.
        sizes: id -> (width, height) of its box.
    """
    items, chains = _with_placeholders(nodes, sizes)
    rows: list[list[int]] = [[] for _ in range(max(item.layer for item in items) + 1)]
    for index, item in enumerate(items):
        rows[item.layer].append(index)
    for sweep in range(ORDER_SWEEPS):
        _reorder(rows if sweep % 2 == 0 else rows[::-1], items, downwards=sweep % 2 == 0)
    for row in rows:
        _pack(row, items, [(0.0, 1.0)] * len(row))
    for sweep in range(PLACE_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            _pack(row, items, [_wish(items, index) for index in row])
    left = min(item.x - item.width / 2 for item in items)
    right = max(item.x + item.width / 2 for item in items)
    heights = [max(sizes[n][1] for i in row if (n := items[i].node) is not None) for row in rows]
    tops = [0.0, *(float(v) for v in np.cumsum(np.asarray(heights) + LAYER_GAP))]
    bands = [(top, top + height) for top, height in zip(tops, heights, strict=False)]
    of_node = {item.node: index for index, item in enumerate(items) if item.node is not None}

    def place(index: int) -> Point:
        return items[index].x - left, sum(bands[items[index].layer]) / 2

    def way(source: int, target: int) -> list[Point]:
        """Straight down through the layers, slanted only in the gaps between them."""
        first, last = items[of_node[source]], items[of_node[target]]
        points = [(first.x - left, bands[first.layer][1])]
        for index in chains[source, target]:
            points += [(items[index].x - left, y) for y in bands[items[index].layer]]
        return [*points, (last.x - left, bands[last.layer][0])]

    return Layout(
        places={node: place(index) for node, index in of_node.items()},
        routes={edge: way(*edge) for edge in chains},
        width=right - left,
        height=bands[-1][1],
    )


def _with_placeholders(
    nodes: Sequence[Node], sizes: dict[int, tuple[float, float]]
) -> tuple[list[_Item], dict[tuple[int, int], list[int]]]:
    items: list[_Item] = []
    of_node: dict[int, int] = {}
    chains: dict[tuple[int, int], list[int]] = {}
    for node in nodes:
        layer = 1 + max((items[of_node[i]].layer for i in node.inputs), default=-1)
        of_node[node.id] = len(items)
        items.append(_Item(node.id, layer, sizes[node.id][0]))
    for node in nodes:
        for source in node.inputs:
            here, chain = of_node[source], []
            for layer in range(items[here].layer + 1, items[of_node[node.id]].layer):
                chain.append(len(items))
                items.append(_Item(None, layer, LANE))
                _connect(items, here, chain[-1])
                here = chain[-1]
            _connect(items, here, of_node[node.id])
            chains[source, node.id] = chain
    return items, chains


def _connect(items: list[_Item], upper: int, lower: int) -> None:
    items[upper].below.append(lower)
    items[lower].above.append(upper)


def _reorder(rows: list[list[int]], items: list[_Item], downwards: bool) -> None:
    """Sort each row by the mean place of the neighbours in the row before it; ties stay."""
    place: dict[int, float] = {i: float(k) for k, i in enumerate(rows[0])}
    for row in rows[1:]:
        keys = {}
        for k, index in enumerate(row):
            near = items[index].above if downwards else items[index].below
            known = [place[i] for i in near if i in place]
            keys[index] = sum(known) / len(known) if known else float(k)
        row.sort(key=lambda index: keys[index])
        place |= {i: float(k) for k, i in enumerate(row)}


def _wish(items: list[_Item], index: int) -> tuple[float, float]:
    """Where an item would like to be, over and under its neighbours, and how much."""
    item = items[index]
    pulls = [(items[i].x, _pull(items[i], item)) for i in item.above]
    pulls += [(items[i].x, _pull(item, items[i])) for i in item.below]
    total = sum(pull for _, pull in pulls)
    return (sum(x * pull for x, pull in pulls) / total, total) if total else (item.x, 1.0)


def _pull(upper: _Item, lower: _Item) -> float:
    """How straight an arrow should be: most where it is the only one at both of its ends."""
    if (upper.node is None) != (lower.node is None):
        return 0.05
    return 8.0 if len(upper.below) == len(lower.above) == 1 else 1.0


def _pack(row: list[int], items: list[_Item], wishes: Sequence[tuple[float, float]]) -> None:
    """Move a row as near to its (wish, weight) as the order and the gaps allow (least squares)."""
    offsets = [0.0]
    for one, two in pairwise(row):
        offsets.append(offsets[-1] + (items[one].width + items[two].width) / 2 + NODE_GAP)
    places, weights = (np.asarray(values) for values in zip(*wishes, strict=True))
    free = isotonic_regression(places - np.asarray(offsets), weights=weights).x
    for index, shift, offset in zip(row, free, offsets, strict=True):
        items[index].x = float(shift + offset)
