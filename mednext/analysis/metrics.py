"""metrics.csv from the counts per case of every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, conditions, history, known, read, recorded
from mednext.config import RunConfig
from mednext.files import seed_of
from mednext.metrics.classification import binary_metrics
from mednext.metrics.segmentation import POLICIES, dice, hausdorff
from mednext.metrics.statistics import interval, resample
from mednext.results import DISTANCES, HEADLINE, Metric, MetricRow, write_rows

NO_INTERVAL = ("ece",)
"""Metrics whose estimate is biased, so that an interval around it would seldom hold the truth: bins
of few cases differ from their score by chance alone."""


def collect(runs: Sequence[RunConfig], path: Path) -> None:
    """Write ``metrics.csv``: every metric of every run and selection, with 95 % intervals.

    Raises:
        UserError: a run has not been trained or evaluated.
    """
    rows: list[MetricRow] = []
    for run in runs:
        for selection in run.selections:
            rows += _run_rows(run, selection)
    write_rows(path, MetricRow, rows)


def _run_rows(run: RunConfig, selection: str) -> list[MetricRow]:
    config, record = recorded(run)
    base = MetricRow.fields_of(record, config) | {"selection": selection}
    nothing: dict[str, Any] = dict.fromkeys(
        ("metric", "target", "policy", "value", "ci_low", "ci_high", "n_cases", "n_groups")
    )
    cases = read(run, selection)
    if cases is not None:
        base |= {"status": "ok", "reason": None}
        values = values_of(cases)
        if selection == HEADLINE.selection:
            loss = float(history(run).train_loss.iloc[-1])
            values.append(nothing | {"metric": Metric.TRAIN_LOSS, "target": "train", "value": loss})
        rows = [MetricRow(**base, **value) for value in values]
        return rows + (_conditions(run, base) if selection == HEADLINE.selection else [])
    if record.status == "ok":
        base |= {"status": "skipped", "reason": "the data set has no validation set"}
    return [MetricRow(**base, **nothing)]


def _conditions(run: RunConfig, base: dict[str, Any]) -> list[MetricRow]:
    """The same metrics under every other condition that the network was evaluated under."""
    return [
        MetricRow(**base, **value, condition=name)
        for name, cases in conditions(run)
        for value in values_of(cases)
    ]


def values_of(cases: Cases) -> list[dict[str, Any]]:
    """Every metric of these cases with its interval, as the columns of ``metrics.csv``."""
    return _classification(cases) if cases.run.task == "classification" else _overlap(cases)


def _classification(cases: Cases) -> list[dict[str, Any]]:
    """All metrics for both choices of the positive class."""
    table = cases.table
    label, prediction = table.label.to_numpy(), table.prediction.to_numpy()
    out: list[dict[str, Any]] = []
    for index, target in enumerate(cases.orientations):
        positive, predicted = label == index, prediction == index
        score = table[f"score_{index}"].to_numpy()
        names = list(binary_metrics(positive, predicted, score))

        def statistic(
            rows: np.ndarray,
            positive: np.ndarray = positive,
            predicted: np.ndarray = predicted,
            score: np.ndarray = score,
        ) -> np.ndarray:
            return np.asarray(
                list(binary_metrics(positive[rows], predicted[rows], score[rows]).values())
            )

        values = statistic(np.arange(len(table)))
        seed = seed_of("bootstrap", cases.run.dataset)
        resampled = resample(cases.groups, statistic, seed)
        for column, name in enumerate(names):
            limits = (-1.0, 1.0) if name == "mcc" else (0.0, 1.0)
            low, high = interval(values[column], resampled, column, limits)
            out.append(
                {
                    "metric": Metric(name),
                    "target": target,
                    "policy": None,
                    "value": known(values[column]),
                    "ci_low": None if name in NO_INTERVAL else known(low),
                    "ci_high": None if name in NO_INTERVAL else known(high),
                    "n_cases": len(table),
                    "n_groups": resampled.n_groups,
                }
            )
    return out


def _overlap(cases: Cases) -> list[dict[str, Any]]:
    """Dice and HD95 of each organ and their mean, under the three policies for empty masks.

    HD95 in millimetres only where every case has a spacing: a mean over the others alone would be
    one over other cases.
    """
    table = cases.table
    organs = list(dict.fromkeys(table.organ))
    tables = {organ: table[table.organ == organ].reset_index(drop=True) for organ in organs}
    out: list[dict[str, Any]] = []
    for policy in POLICIES:
        columns = [dice(t.tp, t.fp, t.fn, policy) for t in tables.values()]
        out += _organ_rows(Metric.DICE, policy, np.stack(columns), organs, tables[organs[0]], 1.0)
        for name in DISTANCES:
            diagonal = f"diagonal_{name.rsplit('_', 1)[1]}"
            if table[diagonal].isna().any():
                continue
            columns = [
                hausdorff(t[name], t.tp, t.fp, t.fn, t[diagonal], policy) for t in tables.values()
            ]
            values = np.stack(columns)
            farthest = float(table[diagonal].max())
            out += _organ_rows(Metric(name), policy, values, organs, tables[organs[0]], farthest)
    return out


def _organ_rows(
    metric: Metric,
    policy: str,
    values: np.ndarray,
    organs: list[str],
    cases: pd.DataFrame,
    greatest: float,
) -> list[dict[str, Any]]:
    """Rows of (organs, cases) values from 0 to ``greatest``: the mean over cases of each organ, and
    the mean of those.
    """
    groups = list(cases.group)
    statistic = _means(values)
    points = statistic(np.arange(len(cases)))
    resampled = resample(groups, statistic, seed_of("bootstrap", metric))
    bounds = [interval(p, resampled, k, (0.0, greatest)) for k, p in enumerate(points)]
    return [
        {
            "metric": metric,
            "target": target,
            "policy": policy,
            "value": known(points[column]),
            "ci_low": known(bounds[column][0]),
            "ci_high": known(bounds[column][1]),
            "n_cases": len(cases),
            "n_groups": resampled.n_groups,
        }
        for column, target in enumerate([*organs, "mean"])
    ]


def _means(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    defined = ~np.isnan(values)
    filled = np.where(defined, values, 0.0)

    def statistic(rows: np.ndarray) -> np.ndarray:
        counts = defined[:, rows].sum(axis=1)
        means = np.where(counts > 0, filled[:, rows].sum(axis=1) / np.maximum(counts, 1), np.nan)
        return np.append(means, np.nanmean(means) if (counts > 0).any() else np.nan)

    return statistic
