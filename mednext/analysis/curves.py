"""curves.csv: ROC, reliability and training curves of the runs that the figures show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, history, known, read, recorded
from mednext.config import RunConfig
from mednext.files import seed_of
from mednext.metrics.curves import reliability, roc_at
from mednext.metrics.statistics import interval, resample, wilson
from mednext.results import HEADLINE, CurveRow, write_rows

GRID = np.linspace(0, 1, 51)
CURVES = ("train_loss", "val_loss", "val_score")
REPEATS = 300


def curves(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the curves of protocol ``paper``, last weights and the first seed of each method.

    The positive class is the disease (:attr:`Cases.disease`); more than two classes have training
    curves alone. Bands of a ROC curve are 95 % intervals of the sensitivity
    at that false-positive rate over resampled groups; those of the reliability are Wilson's, which
    take the cases of a bin for independent.

    Raises:
        UserError: a run has not been trained.
    """
    rows: list[CurveRow] = []
    drawn: set[tuple[str, str]] = set()
    for run in runs:
        if run.protocol != HEADLINE.protocol or (run.dataset, run.method) in drawn:
            continue
        drawn.add((run.dataset, run.method))
        config, _ = recorded(run)
        base = CurveRow.fields_of(config) | {"selection": HEADLINE.selection}
        points = _history(history(run))
        two = len(config.classes) == 2 and config.task == "classification"
        if two and (cases := read(run)) is not None:
            points += _roc(cases) + _reliability(cases)
        rows += [CurveRow(**base, **point) for point in points]
    write_rows(path, CurveRow, rows)


def _history(epochs: pd.DataFrame) -> list[dict[str, Any]]:
    """Loss and score after each epoch; nothing where a data set has no validation set."""
    return [
        {"curve": curve, "x": int(row.epoch), "y": float(row[curve]), "n": 1}
        for curve in CURVES
        for _, row in epochs.iterrows()
        if not pd.isna(row[curve])
    ]


def _roc(cases: Cases) -> list[dict[str, Any]]:
    positive, score = cases.ill, cases.ill_scores
    values = roc_at(positive, score, GRID)
    resampled = resample(
        cases.groups,
        lambda rows: roc_at(positive[rows], score[rows], GRID),
        seed_of("roc", cases.run.dataset),
        REPEATS,
    )
    points = []
    for column, (x, y) in enumerate(zip(GRID, values, strict=True)):
        low, high = interval(float(y), resampled, column)
        band = {"y_low": known(low), "y_high": known(high)}
        points.append({"curve": "roc", "x": float(x), "y": known(y), **band, "n": len(positive)})
    return points


def _reliability(cases: Cases) -> list[dict[str, Any]]:
    points = []
    for mean, hits, count in reliability(cases.ill, cases.ill_scores):
        low, high = wilson(hits, count)
        band = {"y_low": low, "y_high": high}
        points.append({"curve": "reliability", "x": mean, "y": hits / count, **band, "n": count})
    return points
