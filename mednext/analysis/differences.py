"""differences.csv: how far apart two methods are on the same test cases, with an interval.

What the paired tests of comparisons.csv leave open: how large the difference is, and how small a
one the design could have shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from mednext.analysis.metrics import read_cases, stream_seed
from mednext.config import RunConfig
from mednext.metrics.segmentation import dice
from mednext.metrics.statistics import bootstrap
from mednext.results import DifferenceRow, Metric, read_run, write_rows
from mednext.runs.resolve import run_paths

SELECTION, POLICY = "last", "transunet"


def differences(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the paired differences of accuracy, or of the mean Dice of each patient."""

    def axes(run: RunConfig) -> tuple[str, str, int]:
        return run.dataset, run.protocol, run.seed

    rows: list[DifferenceRow] = []
    for _, members in groupby(sorted(runs, key=axes), key=axes):
        rows += _of_one_test_set(list(members))
    write_rows(path, DifferenceRow, rows)


def _of_one_test_set(runs: Sequence[RunConfig]) -> list[DifferenceRow]:
    columns: dict[str, pd.Series] = {}
    for run in runs:
        record = read_run(run_paths(run).run_json)
        if record.status == "ok" and SELECTION in record.weights:
            columns[run.method] = _scores(run)
    if len(columns) < 2:
        return []
    first = next(iter(columns.values()))
    groups, values = first.index.astype(str).tolist(), np.stack(list(columns.values()), axis=1)
    count = len(set(groups))
    seed = stream_seed("differences", runs[0].dataset, runs[0].protocol)
    draws = bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed)
    metric = Metric.ACCURACY if runs[0].task == "classification" else Metric.DICE
    rows = []
    for (i, a), (j, b) in combinations(enumerate(columns), 2):
        paired = values[:, i] - values[:, j]
        half = None
        if count > 1:
            spread = float((draws[:, i] - draws[:, j]).std()) * np.sqrt(count / (count - 1))
            half = float(t.ppf(0.975, count - 1)) * spread
        mean = float(paired.mean())
        rows.append(
            DifferenceRow(
                dataset=runs[0].dataset,
                protocol=runs[0].protocol,
                seed=runs[0].seed,
                metric=metric,
                method_a=a,
                method_b=b,
                difference=mean,
                ci_low=None if half is None else mean - half,
                ci_high=None if half is None else mean + half,
                deviation=float(np.sqrt((paired**2).mean())),
                n_cases=len(paired),
                n_groups=count,
            )
        )
    return rows


def _scores(run: RunConfig) -> pd.Series:
    """Right or wrong of each image, or the mean Dice of each patient; indexed by group."""
    cases = read_cases(run_paths(run).cases(SELECTION), run)
    if run.task == "classification":
        right = (cases.label == cases.prediction).to_numpy(float)
        return pd.Series(right, index=cases.group.astype(str))
    values = dice(cases.tp, cases.fp, cases.fn, POLICY)
    return pd.Series(values, index=cases.index).groupby(cases.group).mean()
