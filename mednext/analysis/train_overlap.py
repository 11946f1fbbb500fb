"""overlap_groups.csv and train_overlap.csv: whether test images that overlap with train are easier.

Within the test set of one split the images whose group (copies, near-duplicates, successive slices,
one patient) has members in train are set against those whose group has none. Both are judged by the
same networks, so that neither another training nor another test set comes between, as it does
between two protocols. The two kinds may hold other shares of the classes, whose accuracies differ:
each class is compared by itself, too, and all with the same shares (directly standardised). They
may differ in more than that, though: images that come in series are not a random sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    ALL_CLASSES,
    ALL_METHODS,
    STANDARDISED,
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
    """Write the accuracy of each classifier, and of all together, on both kinds of test images, of
    all classes, of each, and standardised; no row of what ``overlap_groups.csv`` does not list.

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
    cases = by_method(runs)
    columns = {method: found.scored() for method, found in cases.items()}
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
    of_methods = [column.to_numpy() for column in columns.values()]
    first = next(iter(cases.values()))
    tested = _Tested(
        runs[0],
        (*columns, ALL_METHODS),
        np.stack([*of_methods, np.mean(of_methods, axis=0)], axis=1),
        np.asarray(groups),
        first.table.label.to_numpy(),
        np.asarray([in_train[group] > 0 for group in groups]),
    )
    labels = np.unique(tested.labels)
    everything = np.ones(len(groups), bool)
    rows = _rows(tested, ALL_CLASSES, everything, _mean)
    if not rows:
        return []
    for label in labels:
        rows += _rows(tested, first.run.classes[label], tested.labels == label, _mean)
    shares = {int(label): float((tested.labels == label).mean()) for label in labels}
    return rows + _rows(tested, STANDARDISED, everything, _weighted(shares))


@dataclass(frozen=True)
class _Tested:
    """The images of one test set, and what each method makes of them."""

    run: RunConfig
    methods: tuple[str, ...]
    values: np.ndarray
    """(N, methods)"""
    groups: np.ndarray
    labels: np.ndarray
    overlaps: np.ndarray
    """(N,) bool: does its group have members in train?"""


Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(n, methods) values and (n,) labels -> (methods,)."""


def _mean(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(axis=0))


def _weighted(shares: Mapping[int, float]) -> Statistic:
    """Mean with a given share of each class; NaN where a draw lacks one."""

    def statistic(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        total = np.zeros(values.shape[1])
        for label, share in shares.items():
            of_class = values[labels == label]
            total += share * (of_class.mean(axis=0) if len(of_class) else np.nan)
        return total

    return statistic


def _rows(tested: _Tested, klass: str, among: np.ndarray, statistic: Statistic) -> list[OverlapRow]:
    """Overlap against clean among some of the images; none where a kind has a single group, which
    says nothing of how groups differ.
    """
    kinds = [np.flatnonzero(among & (tested.overlaps == kind)) for kind in (True, False)]
    names = [[str(name) for name in tested.groups[kind]] for kind in kinds]
    if min(len(set(kind)) for kind in names) < 2:
        return []
    run = tested.run
    seed = seed_of("seen", run.dataset, run.protocol)  # the name under which it was first drawn
    parts = [(tested.values[kind], tested.labels[kind]) for kind in kinds]
    points = [statistic(*part) for part in parts]
    if np.isnan(points).any():  # a kind lacks a class
        return []
    resampled = [
        resample(name, lambda rows, v=v, k=k: statistic(v[rows], k[rows]), seed)  # type: ignore[misc]
        for name, (v, k) in zip(names, parts, strict=True)
    ]
    rows = []
    for column, method in enumerate(tested.methods):
        means = [float(point[column]) for point in points]
        bounds = [interval(m, r, column) for m, r in zip(means, resampled, strict=True)]
        # No group has images of both kinds: Newcombe's interval of independent proportions.
        low, high = mover(means, bounds, (1, -1))
        rows.append(
            OverlapRow(
                dataset=run.dataset,
                protocol=run.protocol,
                seed=run.seed,
                method=method,
                klass=klass,
                methods=len(tested.methods) - 1 if method == ALL_METHODS else 1,
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
