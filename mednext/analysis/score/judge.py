"""Everything that is said of predictions: metrics, differences to runs, rank, worst cases."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, known
from mednext.analysis.differences import half_width
from mednext.analysis.metrics import values_of
from mednext.analysis.score.maps import read_maps
from mednext.analysis.score.table import read_predictions
from mednext.analysis.score.truth import Truth
from mednext.config import load_datasets
from mednext.files import hash_json, seed_of, sha256_file
from mednext.metrics.classification import auc
from mednext.metrics.clustered import obuchowski, sign_flip
from mednext.metrics.comparison import holm, rank_shares
from mednext.metrics.statistics import bootstrap
from mednext.results import CASE_KEYS, SCORE, Metric
from mednext.results.score import (
    YOURS,
    AgainstRow,
    PlaceRow,
    ScoreReport,
    ScoreRow,
    WorstRow,
)

OF_SCORES = (Metric.AUC, Metric.ECE, Metric.BRIER)
"""Metrics that classes alone do not give."""
WORST = 20


def judge(
    predictions: Path, truth: Truth, selection: str, against: Path | None, version: str
) -> tuple[ScoreReport, pd.DataFrame]:
    """Score predictions; the report, and the counts per case behind it.

    Args:
        predictions: CSV of a classifier, or label maps of a segmenter.
        truth: the test cases, and the runs to compare with.
        selection: which weights of the runs are compared.
        against: where the runs come from; None if there are none.
        version: of the suite, for the report.

    Raises:
        UserError: the predictions do not fit the test cases.
    """
    run = truth.run
    scored = True
    if run.task == "classification":
        table, scored, notes = read_predictions(predictions, truth)
    else:
        table, notes = read_maps(predictions, truth)
    ours = Cases(run, table)
    metrics = [row for row in values_of(ours) if scored or row["metric"] not in OF_SCORES]
    if not scored:
        notes = (*notes, "classes without scores: no AUC, ECE and Brier score")
    elif run.task == "classification" and (area := auc(ours.ill, ours.ill_scores)) < 0.5:
        notes = (*notes, f"AUC {area:.3f} is below chance, as if scores were of the other class")
    report = ScoreReport(
        name=predictions.name,
        sha256=_digest(predictions),
        version=version,
        task=run.task,
        dataset=run.dataset,
        dataset_name=load_datasets()[run.dataset].name,
        protocol=run.protocol,
        selection=selection,
        source_id=run.source_id,
        against=None if against is None else against.as_posix(),
        n_cases=len(truth.cases),
        n_groups=truth.cases.group.nunique(),
        notes=notes,
        metrics=tuple(ScoreRow(**row) for row in metrics),
        against_rows=tuple(_against(ours, truth, scored)),
        places=tuple(_places(ours, truth)),
        worst=tuple(_worst(ours, truth, scored)),
    )
    return report, table


def _digest(predictions: Path) -> str:
    files = [predictions]
    if predictions.is_dir():
        files = sorted(file for file in predictions.iterdir() if file.is_file())
    return hash_json([[file.name, sha256_file(file)] for file in files])


def _against(ours: Cases, truth: Truth, scored: bool) -> list[AgainstRow]:
    """Paired differences to every run; intervals from the draws of ``differences.csv``."""
    if not truth.peers:
        return []
    run, names = ours.run, list(truth.peers)
    mine = ours.scored()
    groups = [str(group) for group in mine.index]
    values = np.stack([mine, *(peer.scored() for peer in truth.peers.values())], axis=1)
    seed = seed_of("differences", run.dataset, run.protocol)
    draws = bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed)
    p = [sign_flip(values[:, 0] - other, groups, seed) for other in values[:, 1:].T]
    rows = _difference_rows(SCORE[run.task], names, values.mean(axis=0), draws, p, groups)
    if run.task == "classification" and scored:
        scores = np.stack([ours.ill_scores, *(c.ill_scores for c in truth.peers.values())])
        areas = bootstrap(
            groups, lambda rows: np.array([auc(ours.ill[rows], s[rows]) for s in scores]), seed
        )
        found = [obuchowski(ours.ill, scores[0], other, groups) for other in scores[1:]]
        points = np.array([auc(ours.ill, s) for s in scores])
        rows += _difference_rows(Metric.AUC, names, points, areas, [p for _, _, p in found], groups)
    return rows


def _difference_rows(
    metric: Metric,
    names: list[tuple[str, int]],
    points: np.ndarray,
    draws: np.ndarray,
    p: list[float],
    groups: list[str],
) -> list[AgainstRow]:
    """Column 0 of ``points`` and ``draws`` minus each of the others."""
    count = len(set(groups))
    rows = []
    for k, ((method, seed), adjusted) in enumerate(zip(names, holm(p), strict=True), start=1):
        difference = float(points[0] - points[k])
        half = half_width(draws[:, 0] - draws[:, k], count)
        rows.append(
            AgainstRow(
                method=method,
                seed=seed,
                metric=metric,
                value=float(points[0]),
                other=float(points[k]),
                difference=difference,
                ci_low=None if half is None else difference - half,
                ci_high=None if half is None else difference + half,
                p=known(p[k - 1]),
                p_holm=known(adjusted),
            )
        )
    return rows


def _places(ours: Cases, truth: Truth) -> list[PlaceRow]:
    """Ranks among the methods, each the mean over its seeds."""
    if not truth.peers:
        return []
    mine = ours.scored()
    by_method: dict[str, list[np.ndarray]] = defaultdict(list)
    by_method[YOURS].append(mine.to_numpy())
    for (method, _), peer in truth.peers.items():
        by_method[method].append(peer.scored().to_numpy())
    values = np.stack([np.mean(seeds, axis=0) for seeds in by_method.values()], axis=1)
    groups = [str(group) for group in mine.index]
    seed = seed_of("ranking", ours.run.dataset, ours.run.protocol)
    draws = bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed)
    means = values.mean(axis=0)
    rows = []
    for k, (method, shares) in enumerate(zip(by_method, rank_shares(draws), strict=True)):
        below = shares.cumsum()
        rows.append(
            PlaceRow(
                method=method,
                seeds=len(by_method[method]),
                value=float(means[k]),
                rank=int((means > means[k]).sum()) + 1,
                rank_low=int((below >= 0.025 - 1e-9).argmax()) + 1,
                rank_high=int((below >= 0.975 - 1e-9).argmax()) + 1,
                first=float(shares[0]),
            )
        )
    return sorted(rows, key=lambda row: row.rank)


def _worst(ours: Cases, truth: Truth, scored: bool) -> list[WorstRow]:
    if ours.run.task == "segmentation":
        return _worst_volumes(ours, truth)
    table, classes = ours.table, ours.run.classes
    right = [cases.row_scores() for cases in truth.peers.values()]
    others = np.mean(right, axis=0) if right else None
    rows: list[WorstRow] = []
    for n in np.flatnonzero((table.label != table.prediction).to_numpy()):
        row = table.iloc[n]
        rows.append(
            WorstRow(
                case=row.path,
                group=str(row.group),
                truth=classes[row.label],
                prediction=classes[row.prediction],
                score=float(row[f"score_{row.prediction}"]) if scored else None,
                others=None if others is None else float(others[n]),
            )
        )

    def badness(row: WorstRow) -> tuple[float, float, str]:
        return -(row.score or 0), -(row.others or 0), row.case

    return sorted(rows, key=badness)[:WORST]


def _worst_volumes(ours: Cases, truth: Truth) -> list[WorstRow]:
    mine = _by_case(ours)
    others = None
    if truth.peers:
        others = sum(_by_case(c).mean(axis=1) for c in truth.peers.values())
        others = others / len(truth.peers)
    means = mine.mean(axis=1)
    key = CASE_KEYS["segmentation"][0]
    groups: dict[str, Any] = dict(zip(truth.cases[key], truth.cases.group, strict=True))
    return [
        WorstRow(
            case=str(case),
            group=str(groups[str(case)]),
            truth=str(mine.loc[case].idxmin()),
            prediction=None,
            score=float(means[case]),
            others=None if others is None else float(others[case]),
        )
        for case in means.sort_values(kind="stable").index[:WORST]
    ]


def _by_case(cases: Cases) -> pd.DataFrame:
    """Dice of each case (rows) and organ (columns), with the headline's policy."""
    table = cases.table
    return table.assign(dice=cases.row_scores()).pivot(index="case", columns="organ", values="dice")
