"""overlap_groups.csv and train_overlap.csv: whether test images that overlap with train are easier.

Within the test set of one split the images whose group (copies, near-duplicates, successive slices,
one patient) has members in train are set against those whose group has none. Both are judged by the
same networks, so that neither another training nor another test set comes between, as it does
between two protocols. The two kinds of images may differ in more than that, though: images that
come in series are not a random sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.analysis.cases import by_method, test_sets
from mednext.config import RunConfig
from mednext.datasets.subsets import read_split
from mednext.errors import UserError
from mednext.files import seed_of
from mednext.layout import DataPaths
from mednext.metrics.intervals import mover
from mednext.metrics.statistics import interval, resample
from mednext.results import (
    ALL_METHODS,
    OverlapGroupRow,
    OverlapRow,
    read_rows,
    write_rows,
)


def overlap_groups(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the groups of every test set, with the items of each in test and in train.

    Raises:
        UserError: a split has not been drawn.
    """
    rows: list[OverlapGroupRow] = []
    splits = dict.fromkeys((run.source_id, run.dataset, run.protocol) for run in runs)
    for source_id, dataset, protocol in splits:
        file = DataPaths(source_id, dataset).split(protocol)
        if not file.is_file():
            raise UserError(
                "a split is missing",
                file=file,
                remedy="run the workflow, or mednext datasets split",
            )
        counts = pd.crosstab(*(read_split(file)[c] for c in ("group", "subset")))
        tested = counts[counts["test"] > 0]
        rows += [
            OverlapGroupRow(
                dataset=dataset,
                protocol=protocol,
                group=str(group),
                test=int(items["test"]),
                train=int(items["train"]),
            )
            for group, items in tested.iterrows()
        ]
    write_rows(path, OverlapGroupRow, rows)


def train_overlap(runs: Sequence[RunConfig], groups_csv: Path, path: Path) -> None:
    """Write the accuracy of each classifier, and of all together, on both kinds of test images; no
    row of what ``overlap_groups.csv`` does not list.

    Raises:
        UserError: the groups are not those of the runs.
    """
    in_train: dict[tuple[str, str], dict[str, int]] = {}
    for row in read_rows(groups_csv, OverlapGroupRow):
        in_train.setdefault((row.dataset, row.protocol), {})[row.group] = row.train
    images = [run for run in runs if run.task == "classification"]
    rows: list[OverlapRow] = []
    for peers in test_sets(images):
        listed = in_train.get((peers[0].dataset, peers[0].protocol))
        if listed:
            rows += _of_one_test_set(peers, listed, groups_csv)
    write_rows(path, OverlapRow, rows)


def _of_one_test_set(
    runs: Sequence[RunConfig], in_train: dict[str, int], groups_csv: Path
) -> list[OverlapRow]:
    columns = {method: cases.scored() for method, cases in by_method(runs).items()}
    if not columns:
        return []
    groups = list(next(iter(columns.values())).index)
    if strangers := sorted(set(groups) - set(in_train)):
        raise UserError(
            "the groups are of another split than the runs",
            file=groups_csv,
            found=f"no group {strangers[0]}, which {runs[0].dataset}/{runs[0].protocol} tests",
            expected="every group of the test set",
            remedy="write it again: snakemake overlap_groups",
        )
    overlaps = [in_train[group] > 0 for group in groups]
    kinds = [[i for i, is_in in enumerate(overlaps) if is_in is kind] for kind in (True, False)]
    names = [[groups[i] for i in kind] for kind in kinds]
    # A single group says nothing of how groups differ.
    if min(len(set(kind)) for kind in names) < 2:
        return []
    first = runs[0]
    of_methods = [column.to_numpy() for column in columns.values()]
    values = np.stack([*of_methods, np.mean(of_methods, axis=0)], axis=1)
    seed = seed_of("seen", first.dataset, first.protocol)  # the name under which it was first drawn
    parts = [values[kind] for kind in kinds]
    resampled = [
        resample(name, lambda rows, part=part: part[rows].mean(axis=0), seed)  # type: ignore[misc]
        for name, part in zip(names, parts, strict=True)
    ]
    rows = []
    for column, method in enumerate((*columns, ALL_METHODS)):
        means = [float(part[:, column].mean()) for part in parts]
        bounds = [interval(m, r, column) for m, r in zip(means, resampled, strict=True)]
        # No group has images of both kinds: Newcombe's interval of independent proportions.
        low, high = mover(means, bounds, (1, -1))
        rows.append(
            OverlapRow(
                dataset=first.dataset,
                protocol=first.protocol,
                seed=first.seed,
                method=method,
                methods=len(columns) if method == ALL_METHODS else 1,
                n_overlap=len(names[0]),
                n_clean=len(names[1]),
                groups_overlap=len(set(names[0])),
                groups_clean=len(set(names[1])),
                accuracy_overlap=means[0],
                accuracy_clean=means[1],
                difference=means[0] - means[1],
                ci_low=low,
                ci_high=high,
            )
        )
    return rows
