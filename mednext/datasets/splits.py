"""Who trains and who tests: the ``paper`` and the ``grouped`` protocol.

``paper``: Table 1's counts. Images are drawn one by one within each class, as the paper appears to
do; ACDC follows the official list. Fewer items than the original has are divided in proportion.
``grouped``: no group (patient, or near-duplicate images) on two sides. Where the paper's split
already keeps groups together, it is the grouped one, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.config import DatasetRun, benchmarks_dir
from mednext.datasets.groups import near_duplicates
from mednext.datasets.prepare import prepared_key
from mednext.datasets.seeds import stream
from mednext.datasets.source import Source, resolve_source
from mednext.files import write_csv

SIDES = ("train", "val", "test")


def proportional(total: int, shares: Sequence[int]) -> list[int]:
    """Divide ``total`` in the proportion of ``shares`` (largest remainder); each share that is not
    zero gets at least one item, if there are enough.
    """
    exact = np.asarray(shares, float) * total / sum(shares)
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[index] += 1
    for index in np.flatnonzero((counts == 0) & (np.asarray(shares) > 0)):
        if counts.max() > 1:
            counts[counts.argmax()] -= 1
            counts[index] = 1
    return [int(c) for c in counts]


def split(dataset: str, run: DatasetRun, protocol: str) -> None:
    """Write ``splits/<protocol>.csv``: row, item, group, label, side."""
    source = resolve_source(dataset, run)
    folder = source.paths.prepared(prepared_key(dataset, run.img_size))
    items = _items(source, folder)
    table = paper_split(source, run, items)
    if protocol == "grouped" and crossing_groups(table):
        table = grouped_split(source, table)
    write_csv(source.paths.split(protocol), table)
    sides = ", ".join(f"{side} {(table.side == side).sum()}" for side in SIDES)
    print(f"{dataset} ({source.id}): {protocol} split: {sides}")


def _items(source: Source, folder: Path) -> pd.DataFrame:
    """row, item, group, label of everything that was prepared."""
    if source.spec.task == "segmentation":
        volumes = pd.read_csv(folder / "volumes.csv")
        return pd.DataFrame(
            {"row": volumes.row, "item": volumes.case, "group": volumes.patient, "label": ""}
        )
    index = pd.read_csv(folder / "index.csv")
    thumbnails = np.load(folder / "thumbnails.npy")
    threshold = source.spec.duplicate_threshold
    assert threshold is not None  # every classification set of datasets.yaml has one
    numbers = near_duplicates(thumbnails, threshold)
    slugs = [c.slug for c in source.spec.classes]
    return pd.DataFrame(
        {
            "row": index.row,
            "item": index.item,
            "group": [f"near{number}" for number in numbers],
            "label": [slugs[label] for label in index.label],
        }
    )


def paper_split(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    """Add ``side`` by the ``paper`` protocol."""
    table = items.copy()
    random = stream("split", "paper", source.dataset, source.spec.split_seed)
    if source.spec.task == "segmentation":
        table["side"] = table.group.map(
            _patient_sides(source, run, sorted(set(table.group)), random)
        )
        return table
    table["side"] = ""
    for klass in source.spec.classes:
        rows = table.index[table.label == klass.slug].to_numpy()
        shares = klass.paper_split
        if run.phantom is not None:
            shares = (run.phantom.train, run.phantom.val, run.phantom.test)
        assert shares is not None  # every class of a classification set has one
        sides = np.repeat(SIDES, proportional(len(rows), shares))
        table.loc[random.permutation(rows), "side"] = sides
    return table


def _patient_sides(
    source: Source, run: DatasetRun, patients: list[str], random: np.random.Generator
) -> dict[str, str]:
    if source.kind != "phantom" and source.spec.paper_split_file:
        listed = pd.read_csv(benchmarks_dir() / "splits" / source.spec.paper_split_file)
        known = dict(zip(listed.group, listed.side, strict=True))
        if set(patients) == set(known):
            return known
    shares = source.spec.paper_split_cases
    if run.phantom is not None:
        shares = (run.phantom.train, run.phantom.val, run.phantom.test)
    assert shares is not None  # every segmentation set has them
    sides = np.repeat(SIDES, proportional(len(patients), shares))
    return dict(zip(random.permutation(patients).tolist(), sides.tolist(), strict=True))


def crossing_groups(table: pd.DataFrame) -> int:
    """How many groups lie on more than one side."""
    return int((table.groupby("group").side.nunique() > 1).sum())


def grouped_split(source: Source, paper: pd.DataFrame) -> pd.DataFrame:
    """Whole groups on the sides, near the paper's counts of each class: the largest group goes
    first, each to the side that lacks most of its classes; equal sizes in random order.
    """
    random = stream("split", "grouped", source.dataset, source.spec.split_seed)
    sizes = pd.crosstab(paper.group, paper.label)
    lacking = {side: paper[paper.side == side].label.value_counts() for side in SIDES}
    room = {s: v.reindex(sizes.columns, fill_value=0).to_numpy(float) for s, v in lacking.items()}
    order = sorted(sizes.index, key=lambda g: (-int(sizes.loc[g].sum()), random.random()))
    side_of: dict[str, str] = {}
    for group in order:
        size = sizes.loc[group].to_numpy(float)
        side = max(SIDES, key=lambda s: float(room[s] @ size))
        side_of[group] = side
        room[side] -= size
    table = paper.copy()
    table["side"] = table.group.map(side_of)
    return table
