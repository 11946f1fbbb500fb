"""metrics.csv from the counts per case of every run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.config import ClassSpec, RunConfig, load_datasets
from mednext.errors import UserError
from mednext.layout import RunPaths
from mednext.metrics.classification import binary_metrics
from mednext.metrics.segmentation import POLICIES, dice, hausdorff
from mednext.metrics.statistics import interval, resample
from mednext.results import Metric, MetricRow, RunRecord, read_run, write_rows

COUNTS = {"classification": ("row", "label", "prediction"), "segmentation": ("tp", "fp", "fn")}
"""Columns of ``cases.<selection>.csv`` without which nothing can be computed."""
DISTANCES = ("hd95_pooled_vox", "hd95_max_vox", "hd95_pooled_mm", "hd95_max_mm")


def collect(runs: Sequence[RunConfig], path: Path) -> None:
    """Write ``metrics.csv``: every metric of every run and selection, with 95 % intervals.

    Raises:
        UserError: a run has not been trained or evaluated.
    """
    rows: list[MetricRow] = []
    for run in runs:
        paths = RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)
        record = read_run(paths.run_json)
        for selection in run.selections:
            rows += _run_rows(run, record, selection, paths.cases(selection))
    write_rows(path, MetricRow, rows)


def _run_rows(run: RunConfig, record: RunRecord, selection: str, file: Path) -> list[MetricRow]:
    base: dict[str, Any] = {
        "profile": run.profile,
        "source": run.source,
        "source_id": run.source_id,
        "task": run.task,
        "dataset": run.dataset,
        "protocol": run.protocol,
        "selection": selection,
        "method": run.method,
        "seed": run.seed,
        "config_hash": record.config_hash,
        "setting_hash": RunConfig.model_validate(record.config).setting_hash,
        "data_hash": record.data_hash,
        "split_hash": record.split_hash,
        "code_hash": record.code_hash,
        "env_hash": record.env_hash,
    }
    nothing: dict[str, Any] = dict.fromkeys(
        ("metric", "target", "policy", "value", "ci_low", "ci_high", "n_cases", "n_groups")
    )
    if record.status != "ok":
        return [MetricRow(**base, **nothing, status=record.status, reason=record.reason)]
    if selection not in record.weights:
        reason = "the data set has no validation set"
        return [MetricRow(**base, **nothing, status="skipped", reason=reason)]
    cases = read_cases(file, run)
    values = _classification(run, cases) if run.task == "classification" else _overlap(cases)
    return [MetricRow(**base, **value, status="ok", reason=None) for value in values]


def read_cases(file: Path, run: RunConfig) -> pd.DataFrame:
    """The counts per case of one run and selection.

    Raises:
        UserError: the run has not been evaluated, or the file is not as it was written.
    """
    if not file.is_file():
        raise UserError("this run has not been evaluated", file=file, remedy="evaluate it first")
    numbers: tuple[str, ...] = COUNTS[run.task]
    if run.task == "classification":
        numbers = (*numbers, *(f"score_{k}" for k in range(len(run.classes))))
    try:
        cases = pd.read_csv(file, dtype={"group": str}, keep_default_na=True)
        lacking = {*numbers, "group"} - set(cases.columns)
        if lacking:
            raise ValueError(f"no column {', '.join(sorted(lacking))}")
        for name in numbers:
            cases[name] = pd.to_numeric(cases[name])
        empty = [name for name in numbers if cases[name].isna().any()]
        if empty:
            raise ValueError(f"empty cells in column {empty[0]}")
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise UserError(
            "the counts per case are damaged",
            file=file,
            found=str(error)[:200],
            expected="the file that 'mednext evaluate' wrote",
            remedy="run 'mednext evaluate' again",
        ) from None
    return cases


def stream_seed(*axes: object) -> int:
    """Seed of the random stream with these names."""
    digest = hashlib.sha256("\0".join(str(axis) for axis in axes).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def orientation(klass: ClassSpec) -> str:
    """Name of the view in which ``klass`` is the positive class."""
    if klass.disease is None:  # of a user's own set, where there may be more than two
        return klass.slug
    return "disease" if klass.disease else "non_disease"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _classification(run: RunConfig, cases: pd.DataFrame) -> list[dict[str, Any]]:
    """All metrics for both choices of the positive class."""
    classes = load_datasets()[run.dataset].classes
    label, prediction = cases.label.to_numpy(), cases.prediction.to_numpy()
    groups = cases.group.astype(str).tolist()
    out: list[dict[str, Any]] = []
    for index, klass in enumerate(classes):
        positive, predicted = label == index, prediction == index
        score = cases[f"score_{index}"].to_numpy()
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

        values = statistic(np.arange(len(cases)))
        resampled = resample(groups, statistic, stream_seed("bootstrap", run.dataset))
        for column, name in enumerate(names):
            limits = (-1.0, 1.0) if name == "mcc" else (0.0, 1.0)
            low, high = interval(values[column], resampled, column, limits)
            out.append(
                {
                    "metric": Metric(name),
                    "target": orientation(klass),
                    "policy": None,
                    "value": _number(values[column]),
                    "ci_low": _number(low),
                    "ci_high": _number(high),
                    "n_cases": len(cases),
                    "n_groups": resampled.n_groups,
                }
            )
    return out


def _overlap(cases: pd.DataFrame) -> list[dict[str, Any]]:
    """Dice and HD95 of each organ and their mean, under the three policies for empty masks.

    HD95 in millimetres only where every case has a spacing: a mean over the others alone would be
    one over other cases.
    """
    organs = list(dict.fromkeys(cases.organ))
    tables = {organ: cases[cases.organ == organ].reset_index(drop=True) for organ in organs}
    out: list[dict[str, Any]] = []
    for policy in POLICIES:
        columns = [dice(t.tp, t.fp, t.fn, policy) for t in tables.values()]
        out += _organ_rows(Metric.DICE, policy, np.stack(columns), organs, tables[organs[0]], 1.0)
        for name in DISTANCES:
            diagonal = f"diagonal_{name.rsplit('_', 1)[1]}"
            if cases[diagonal].isna().any():
                continue
            columns = [
                hausdorff(t[name], t.tp, t.fp, t.fn, t[diagonal], policy) for t in tables.values()
            ]
            values = np.stack(columns)
            farthest = float(cases[diagonal].max())
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
    groups = cases.group.astype(str).tolist()
    statistic = _means(values)
    points = statistic(np.arange(len(cases)))
    resampled = resample(groups, statistic, stream_seed("bootstrap", metric))
    bounds = [interval(p, resampled, k, (0.0, greatest)) for k, p in enumerate(points)]
    return [
        {
            "metric": metric,
            "target": target,
            "policy": policy,
            "value": _number(points[column]),
            "ci_low": _number(bounds[column][0]),
            "ci_high": _number(bounds[column][1]),
            "n_cases": len(cases),
            "n_groups": resampled.n_groups,
        }
        for column, target in enumerate([*organs, "mean"])
    ]


def _means(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def statistic(rows: np.ndarray) -> np.ndarray:
        counts = known[:, rows].sum(axis=1)
        means = np.where(counts > 0, filled[:, rows].sum(axis=1) / np.maximum(counts, 1), np.nan)
        return np.append(means, np.nanmean(means) if (counts > 0).any() else np.nan)

    return statistic
