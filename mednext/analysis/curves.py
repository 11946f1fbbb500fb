"""curves.csv: ROC, reliability and training curves of the runs that the figures show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.metrics import stream_seed
from mednext.config import RunConfig
from mednext.metrics.curves import reliability, roc_at
from mednext.metrics.statistics import interval, resample, wilson
from mednext.results import CurveRow, read_run, write_rows
from mednext.runs.resolve import run_paths

GRID = np.linspace(0, 1, 51)
HISTORY = {"train_loss": "train_loss", "val_loss": "val_loss", "val_score": "val_score"}
REPEATS = 300


def curves(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the curves of protocol ``paper``, last weights and the first seed of each method.

    The positive class is the second, in the paper's data sets the disease; more than two classes
    have training curves alone. Bands of a ROC curve are 95 % intervals of the sensitivity
    at that false-positive rate over resampled groups; those of the reliability are Wilson's, which
    take the cases of a bin for independent.

    Raises:
        UserError: a run has not been trained.
    """
    rows: list[CurveRow] = []
    seen: set[tuple[str, str]] = set()
    for run in runs:
        if run.protocol != "paper" or (run.dataset, run.method) in seen:
            continue
        seen.add((run.dataset, run.method))
        record = read_run(run_paths(run).run_json)
        base: dict[str, Any] = {
            "profile": run.profile,
            "source": run.source,
            "source_id": run.source_id,
            "dataset": run.dataset,
            "protocol": run.protocol,
            "selection": "last",
            "method": run.method,
            "seed": run.seed,
        }
        points = _history(pd.read_csv(run_paths(run).history))
        if len(run.classes) == 2 and run.task == "classification" and "last" in record.weights:
            cases = pd.read_csv(run_paths(run).cases("last"), dtype={"group": str})
            points += _roc(cases, run.dataset) + _reliability(cases)
        rows += [CurveRow(**base, **point) for point in points]
    write_rows(path, CurveRow, rows)


def _history(history: pd.DataFrame) -> list[dict[str, Any]]:
    """Loss and score after each epoch; nothing where a data set has no validation set."""
    return [
        {"curve": curve, "x": int(row.epoch), "y": float(row[column]), "n": 1}
        for curve, column in HISTORY.items()
        for _, row in history.iterrows()
        if not pd.isna(row[column])
    ]


def _roc(cases: pd.DataFrame, dataset: str) -> list[dict[str, Any]]:
    positive, score = (cases.label == 1).to_numpy(), cases.score_1.to_numpy()
    groups = cases.group.tolist()
    values = roc_at(positive, score, GRID)
    resampled = resample(
        groups,
        lambda rows: roc_at(positive[rows], score[rows], GRID),
        stream_seed("roc", dataset),
        REPEATS,
    )
    points = []
    for column, (x, y) in enumerate(zip(GRID, values, strict=True)):
        low, high = interval(float(y), resampled, column)
        band = {"y_low": _known(low), "y_high": _known(high)}
        points.append({"curve": "roc", "x": float(x), "y": _known(y), **band, "n": len(cases)})
    return points


def _reliability(cases: pd.DataFrame) -> list[dict[str, Any]]:
    positive, score = (cases.label == 1).to_numpy(), cases.score_1.to_numpy()
    points = []
    for mean, hits, count in reliability(positive, score):
        low, high = wilson(hits, count)
        band = {"y_low": low, "y_high": high}
        points.append({"curve": "reliability", "x": mean, "y": hits / count, **band, "n": count})
    return points


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
