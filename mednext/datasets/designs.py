"""Splits that answer a question: cross-validation by group, and test images with and without their
group in train.

They take a table of items with columns ``group`` and ``label`` and name a subset per item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

FOLDS = 5
TESTED = 0.75
"""Share of the paper's test counts that the overlap protocols test. Each tested image costs two
more (of its group, and their substitutes); with three quarters training keeps the paper's size."""


def fill(
    table: pd.DataFrame, room: Mapping[str, pd.Series[int]], random: np.random.Generator
) -> pd.Series[str]:
    """Give whole groups to the places that have ``room``: the largest group goes first, each to the
    place that lacks most of its classes; equal sizes in random order.

    Args:
        table: columns ``group`` and ``label``.
        room: place -> wanted number of items of each label.
        random: of the order.

    Returns:
        the place of each row of ``table``.
    """
    sizes = pd.crosstab(table.group, table.label)
    free = {p: n.reindex(sizes.columns, fill_value=0).to_numpy(float) for p, n in room.items()}
    by_group = dict(zip(sizes.index, sizes.to_numpy(float), strict=True))
    place_of: dict[str, str] = {}
    for group in sorted(by_group, key=lambda g: (-int(by_group[g].sum()), random.random())):
        size = by_group[group]
        place_of[group] = max(free, key=lambda p: float(free[p] @ size))
        free[place_of[group]] = free[place_of[group]] - size
    return table.group.map(place_of)


def fold(
    table: pd.DataFrame, number: int, val_share: float, streams: Sequence[np.random.Generator]
) -> pd.Series[str]:
    """``train``, ``val`` or ``test`` of each item: fold ``number`` (from 1) of ``FOLDS`` is tested.

    Args:
        table: columns ``group`` and ``label``.
        number: of the fold; the folds of one stream are disjoint and cover all items.
        val_share: of the items that are not tested.
        streams: of the folds, the same for each number, and of the validation groups.
    """
    counts = table.label.value_counts()
    places = fill(table, {str(k): counts / FOLDS for k in range(1, FOLDS + 1)}, streams[0])
    subset = pd.Series("test", index=table.index)
    rest = table[places != str(number)]
    counts = rest.label.value_counts()
    room = {"train": counts * (1 - val_share), "val": counts * val_share}
    if val_share == 0:
        del room["val"]
    subset[rest.index] = fill(rest, room, streams[1])
    return subset


def overlap(
    table: pd.DataFrame, paper: pd.Series[str], random: np.random.Generator
) -> pd.Series[str]:
    """``test``, ``related``, ``substitute``, ``train``, ``val`` or ``outside`` of each item.

    Groups of at least two items are halved: one half is ``test``, the other ``related``. As many
    items of each label, from other groups, are their ``substitute``. A training on ``train`` and
    ``related`` and one on ``train`` and ``substitute`` have equal sizes and are tested alike.

    Args:
        table: columns ``group`` and ``label``.
        paper: the subset of each item by the protocol ``paper``, for the counts.
        random: of all draws.
    """
    subset = pd.Series("", index=table.index)
    members = {g: random.permutation(rows.index) for g, rows in table.groupby("group")}
    order = random.permutation(sorted(members))
    labels = sorted(set(table.label))

    def counts(rows: Iterable[int]) -> pd.Series[int]:
        return table.label.loc[list(rows)].value_counts().reindex(labels, fill_value=0)

    room = (TESTED * counts(table.index[paper == "test"])).round()
    for group in order:
        half = members[group][: len(members[group]) // 2]
        if len(half) and (counts(half) <= room).all():
            room -= counts(half)
            subset[half] = "test"
            subset[members[group][len(half) :]] = "related"
    room = counts(table.index[subset == "related"])
    free = [group for group in order if (subset[members[group]] == "").all()]
    # Whole groups first, so that few are cut.
    for whole in (True, False):
        for group in free:
            rows = members[group]
            if not (subset[rows] == "").all() or (whole and (counts(rows) > room).any()):
                continue
            taken = [
                row
                for label in labels
                for row in rows[(table.label[rows] == label).to_numpy()][: room[label]]
            ]
            if taken:
                room -= counts(taken)
                subset[rows] = "outside"
                subset[taken] = "substitute"
    rest = table[subset == ""]
    wanted = counts(table.index[paper == "train"]) - counts(table.index[subset == "related"])
    subset[rest.index] = fill(
        rest, {"train": wanted, "val": rest.label.value_counts() - wanted}, random
    )
    return subset
