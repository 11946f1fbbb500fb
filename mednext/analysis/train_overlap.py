"""relatives.csv and seen.csv: whether test images with a relative in train are easier.

Within the test set of one split the images whose group (copies, near-duplicates, successive
slices, one patient) has members in train are set against those whose group has none. Both are
judged by the same networks, so that neither another training nor another test set comes between,
as it does between two protocols. The two kinds of images may differ in more than that, though:
images that come in series are not a random sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.analysis.metrics import read_cases, stream_seed
from mednext.config import RunConfig
from mednext.datasets.subsets import read_split
from mednext.errors import UserError
from mednext.layout import DataPaths
from mednext.metrics.statistics import interval, resample
from mednext.results import (
    ALL_METHODS,
    RelativeRow,
    SeenRow,
    read_rows,
    read_run,
    write_rows,
)
from mednext.runs.resolve import run_paths

SELECTION = "last"


def relatives(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the groups of every test set, with the items of each in test and in train.

    Raises:
        UserError: a split has not been drawn.
    """
    rows: list[RelativeRow] = []
    for run in runs:
        if any((row.dataset, row.protocol) == (run.dataset, run.protocol) for row in rows):
            continue
        file = DataPaths(run.source_id, run.dataset).split(run.protocol)
        if not file.is_file():
            raise UserError(
                "a split is missing",
                file=file,
                remedy="run the workflow, or mednext datasets split",
            )
        counts = pd.crosstab(*(read_split(file, dtype=str)[c] for c in ("group", "subset")))
        tested = counts[counts["test"] > 0]
        rows += [
            RelativeRow(
                dataset=run.dataset,
                protocol=run.protocol,
                group=str(group),
                test=int(sides["test"]),
                train=int(sides["train"]),
            )
            for group, sides in tested.iterrows()
        ]
    write_rows(path, RelativeRow, rows)


def seen(runs: Sequence[RunConfig], relatives_csv: Path, path: Path) -> None:
    """Write the accuracy of each classifier, and of all together, on both kinds of test images; no
    row of what ``relatives.csv`` does not list, or if there is no such file.
    """

    def axes(run: RunConfig) -> tuple[str, str, int]:
        return run.dataset, run.protocol, run.seed

    listed = read_rows(relatives_csv, RelativeRow) if relatives_csv.is_file() else []
    known = {(r.dataset, r.protocol, r.group): r.train for r in listed}
    rows: list[SeenRow] = []
    images = (run for run in runs if run.task == "classification")
    for (dataset, protocol, _), members in groupby(sorted(images, key=axes), key=axes):
        in_train = {g: n for (d, p, g), n in known.items() if (d, p) == (dataset, protocol)}
        if in_train:
            rows += _of_one_test_side(list(members), in_train)
    write_rows(path, SeenRow, rows)


def _of_one_test_side(runs: Sequence[RunConfig], in_train: dict[str, int]) -> list[SeenRow]:
    columns: dict[str, np.ndarray] = {}
    groups: list[str] = []
    for run in runs:
        if read_run(run_paths(run).run_json).status != "ok":
            continue
        cases = read_cases(run_paths(run).cases(SELECTION), run)
        columns[run.method] = (cases.label == cases.prediction).to_numpy(float)
        groups = cases.group.astype(str).tolist()
        if strangers := sorted(set(groups) - set(in_train)):
            raise UserError(
                "relatives.csv is of another split than the runs",
                file=run_paths(run).cases(SELECTION),
                found=f"group {strangers[0]}",
                expected="a group of the test set",
                remedy="write relatives.csv again: mednext datasets relatives",
            )
    kinds = [
        [i for i, g in enumerate(groups) if (in_train[g] > 0) is kind] for kind in (True, False)
    ]
    names = [[groups[i] for i in kind] for kind in kinds]
    # A single group says nothing of how groups differ.
    if min(len(set(kind)) for kind in names) < 2:
        return []
    first = runs[0]
    values = np.stack([*columns.values(), np.mean(list(columns.values()), axis=0)], axis=1)
    seed = stream_seed("seen", first.dataset, first.protocol)
    parts = [values[kind] for kind in kinds]
    resampled = [
        resample(name, lambda rows, part=part: part[rows].mean(axis=0), seed)  # type: ignore[misc]
        for name, part in zip(names, parts, strict=True)
    ]
    rows = []
    for column, method in enumerate((*columns, ALL_METHODS)):
        means = [float(part[:, column].mean()) for part in parts]
        bounds = [interval(m, r, column) for m, r in zip(means, resampled, strict=True)]
        low, high = newcombe(means, bounds)
        rows.append(
            SeenRow(
                dataset=first.dataset,
                protocol=first.protocol,
                seed=first.seed,
                method=method,
                methods=len(columns) if method == ALL_METHODS else 1,
                n_seen=len(names[0]),
                n_new=len(names[1]),
                groups_seen=len(set(names[0])),
                groups_new=len(set(names[1])),
                accuracy_seen=means[0],
                accuracy_new=means[1],
                difference=means[0] - means[1],
                ci_low=low,
                ci_high=high,
            )
        )
    return rows


def newcombe(means: Sequence[float], bounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Newcombe's interval of the difference of two independent proportions from that of each (his
    method 10, 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I): no group has
    images of both kinds, and it has a width where all images of one kind are right.
    """
    (a, b), ((low_a, high_a), (low_b, high_b)) = means, bounds
    difference = a - b
    return (
        difference - math.hypot(a - low_a, high_b - b),
        difference + math.hypot(high_a - a, b - low_b),
    )
