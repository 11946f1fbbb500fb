"""conditions.csv: finished runs under other conditions, against their test sets as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.analysis.cases import OUTSIDE, Cases, conditions, known, read, recorded
from mednext.analysis.differences import half_width
from mednext.analysis.metrics import NO_INTERVAL
from mednext.config import RunConfig
from mednext.files import seed_of
from mednext.metrics.classification import auc, expected_calibration_error
from mednext.metrics.intervals import mover
from mednext.metrics.statistics import bootstrap, interval, resample
from mednext.results import CASE_KEYS, HEADLINE, SCORE, Metric, write_rows
from mednext.results.conditions import ConditionRow, ConditionScoreRow
from mednext.runs.resolve import run_name, run_paths

BASELINES = {"classification": "resnet18", "segmentation": "unet"}
WORSE = "shifted: "
MEAN = f"{WORSE}mean"
Statistic = Callable[[np.ndarray], np.ndarray]
"""Rows of cases -> a value of each metric."""


def changes(
    runs: Sequence[RunConfig], path: Path, worse: Callable[[RunConfig], Collection[str]]
) -> list[str]:
    """Write ``conditions.csv`` of the runs that were evaluated under any condition, and into each
    run ``condition_scores.csv``, its score of every case.

    Args:
        runs: of a profile.
        path: of the file.
        worse: the names of all corruptions and severities of a run. A run that lacks some of them
            has no row of any: its mean would be one of whatever came first.

    Returns:
        In words each run whose evaluation on worse images was not finished.

    Raises:
        UserError: a run has not been evaluated, or a file is damaged.
    """
    rows: list[ConditionRow] = []
    unfinished = []
    errors: dict[tuple[str, str, int, str], dict[str, float]] = {}
    for run in runs:
        plain = read(run)
        if plain is None:
            continue
        sums: dict[str, list[float]] = defaultdict(list)
        shifted = []
        weights = recorded(run)[1].weights[HEADLINE.selection][:12]
        found, wanted = dict(conditions(run)), {f"{WORSE}{name}" for name in worse(run)}
        if (there := wanted & found.keys()) and there != wanted:
            said = f"{len(there)} of {len(wanted)} corruptions and severities"
            unfinished.append(f"{run_name(run)}: {said}")
            found = {name: cases for name, cases in found.items() if name not in wanted}
        scores: dict[str, list[pd.Series]] = defaultdict(list)
        for name, other in found.items():
            rows += _change(plain, other, weights, name)
            if name.startswith(WORSE):
                shifted.append(other)
                scores[MEAN].append(other.scored())
                corruption = name.removeprefix(WORSE).rsplit(" ", 1)[0]
                sums[corruption].append(1 - float(other.row_scores().mean()))
            elif name.startswith(OUTSIDE):
                scores[name].append(other.scored())
        if scores:
            _write_scores(run, weights, scores)
        if shifted:
            rows.append(_mean(plain, shifted, weights))
            errors[run.dataset, run.protocol, run.seed, run.method] = {
                name: sum(parts) for name, parts in sums.items()
            }
    write_rows(path, ConditionRow, [_relative(row, errors, runs) for row in rows])
    return unfinished


def _write_scores(run: RunConfig, weights: str, scores: dict[str, list[pd.Series]]) -> None:
    rows = [
        ConditionScoreRow(condition=name, weights=weights, group=str(group), score=float(score))
        for name, parts in sorted(scores.items())
        for group, score in zip(parts[0].index, np.mean(parts, axis=0), strict=True)
    ]
    write_rows(run_paths(run).condition_scores, ConditionScoreRow, rows)


def _statistic(cases: Cases) -> tuple[list[Metric], Statistic]:
    scores = cases.row_scores()
    if cases.run.task == "segmentation":
        return [Metric.DICE], lambda rows: np.array([scores[rows].mean()])
    ill, of_ill = cases.ill, cases.ill_scores

    def values(rows: np.ndarray) -> np.ndarray:
        positive, score = ill[rows], of_ill[rows]
        return np.array(
            [
                scores[rows].mean(),
                auc(positive, score),
                expected_calibration_error(positive, score),
                ((score - positive) ** 2).mean(),
            ]
        )

    return [Metric.ACCURACY, Metric.AUC, Metric.ECE, Metric.BRIER], values


def _change(plain: Cases, other: Cases, weights: str, name: str) -> list[ConditionRow]:
    metrics, before = _statistic(plain)
    _, after = _statistic(other)
    run = plain.run
    seed = seed_of("conditions", run.dataset, run.protocol)
    key = CASE_KEYS[run.task]
    everything = [np.arange(len(cases.table)) for cases in (plain, other)]
    points = [f(rows) for f, rows in zip((before, after), everything, strict=True)]
    groups = [[str(g) for g in cases.groups] for cases in (plain, other)]
    if pd.DataFrame(plain.table[key]).equals(pd.DataFrame(other.table[key])):
        halves = _paired(lambda rows: after(rows) - before(rows), groups[0], seed)
        moved = points[1] - points[0]
        bounds = [(m + low, m + high) for m, (low, high) in zip(moved, halves, strict=True)]
    else:
        drawn = [resample(g, f, seed) for g, f in zip(groups, (before, after), strict=True)]
        bounds = []
        for column in range(len(metrics)):
            ends = [interval(p[column], r, column) for p, r in zip(points, drawn, strict=True)]
            values = (float(points[1][column]), float(points[0][column]))
            bounds.append(mover(values, (ends[1], ends[0]), (1, -1)))
    return [
        ConditionRow(
            **ConditionRow.fields_of(run),
            weights=weights,
            condition=name,
            metric=metric,
            before=float(points[0][k]),
            after=float(points[1][k]),
            change=float(points[1][k] - points[0][k]),
            ci_low=None if metric in NO_INTERVAL else known(bounds[k][0]),
            ci_high=None if metric in NO_INTERVAL else known(bounds[k][1]),
            relative=None,
            n_cases=len(other.table),
            n_groups=len(set(groups[1])),
        )
        for k, metric in enumerate(metrics)
    ]


def _paired(statistic: Statistic, groups: list[str], seed: int) -> list[tuple[float, float]]:
    """Half-widths of the intervals of paired differences, from draws of whole groups."""
    count = len(set(groups))
    draws = bootstrap(groups, statistic, seed)
    halves = [half_width(column, count) for column in draws.T]
    return [(np.nan, np.nan) if half is None else (-half, half) for half in halves]


def _mean(plain: Cases, shifted: list[Cases], weights: str) -> ConditionRow:
    """Mean over all corruptions and severities, case by case."""
    before = plain.row_scores()
    after = np.mean([cases.row_scores() for cases in shifted], axis=0)
    run = plain.run
    groups = [str(group) for group in plain.groups]
    seed = seed_of("conditions", run.dataset, run.protocol)
    change = after - before
    ((low, high),) = _paired(lambda rows: np.array([change[rows].mean()]), groups, seed)
    return ConditionRow(
        **ConditionRow.fields_of(run),
        weights=weights,
        condition=MEAN,
        metric=SCORE[run.task],
        before=float(before.mean()),
        after=float(after.mean()),
        change=float(change.mean()),
        ci_low=known(float(change.mean()) + low),
        ci_high=known(float(change.mean()) + high),
        relative=None,
        n_cases=len(before),
        n_groups=len(set(groups)),
    )


def _relative(
    row: ConditionRow,
    errors: dict[tuple[str, str, int, str], dict[str, float]],
    runs: Sequence[RunConfig],
) -> ConditionRow:
    """With its errors over the baseline's (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""
    if row.condition != MEAN:
        return row
    task = next(run.task for run in runs if run.dataset == row.dataset)
    baseline = errors.get((row.dataset, row.protocol, row.seed, BASELINES[task]))
    ours = errors[row.dataset, row.protocol, row.seed, row.method]
    if baseline is None or baseline.keys() != ours.keys() or not all(baseline.values()):
        return row
    ratios = [ours[name] / baseline[name] for name in ours]
    return row.model_copy(update={"relative": float(np.mean(ratios))})
