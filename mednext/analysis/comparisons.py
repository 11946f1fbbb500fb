"""comparisons.csv and ranking.csv: paired tests between the methods of a profile, and how stable
their order is, both from the counts per case of every run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.metrics import read_cases, stream_seed
from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.metrics.comparison import delong, holm, mcnemar_exact, rank_shares, wilcoxon_paired
from mednext.metrics.segmentation import dice
from mednext.metrics.statistics import bootstrap
from mednext.results import ComparisonRow, Metric, PairedTest, RankRow, read_run, write_rows
from mednext.runs.resolve import run_paths

POLICY = "transunet"
"""The empty-mask policy of the compared Dice: that of the tables."""
NOT_INDEPENDENT = "cases of one group are not independent, which the test takes them to be"


def compare(runs: Sequence[RunConfig], tests: Path, ranking: Path) -> None:
    """Write the paired tests and the shares of ranks of all methods that share a test set.

    Classification: McNemar's exact test of accuracy, DeLong's of AUC. Segmentation: Wilcoxon's of
    the mean Dice of each patient. Holm's adjustment is over all pairs of one data set, protocol,
    selection, seed and test.

    Raises:
        UserError: runs of one test set hold different cases.
    """
    rows: list[ComparisonRow] = []
    ranks: list[RankRow] = []

    def axes(run: RunConfig) -> tuple[str, str, int]:
        return run.dataset, run.protocol, run.seed

    for _, members in groupby(sorted(runs, key=axes), key=axes):
        peers = list(members)
        for selection in peers[0].selections:
            tables = _tables(peers, selection)
            if len(tables) < 2:
                continue
            base = _base(peers[0], selection)
            rows += _tests(peers[0], tables, base)
            ranks += _ranks(peers[0], tables, base)
    write_rows(tests, ComparisonRow, rows)
    write_rows(ranking, RankRow, ranks)


def _base(run: RunConfig, selection: str) -> dict[str, Any]:
    return {
        "profile": run.profile,
        "source": run.source,
        "source_id": run.source_id,
        "dataset": run.dataset,
        "protocol": run.protocol,
        "selection": selection,
        "seed": run.seed,
    }


def _tables(runs: Sequence[RunConfig], selection: str) -> dict[str, pd.DataFrame]:
    """Method -> its cases, of the runs that have weights of this selection."""
    found: dict[str, pd.DataFrame] = {}
    for run in runs:
        record = read_run(run_paths(run).run_json)
        if record.status != "ok" or selection not in record.weights:
            continue
        file = run_paths(run).cases(selection)
        table = read_cases(file, run)
        key = ["path"] if run.task == "classification" else ["case", "organ"]
        first = next(iter(found.values()), table)
        if table[key].to_numpy().tolist() != first[key].to_numpy().tolist():
            raise UserError(
                "two runs of one test set hold different cases",
                file=file,
                found=f"{len(table)} rows of {run.method}",
                expected=f"the same cases as {next(iter(found))}",
                remedy="evaluate both again",
            )
        found[run.method] = table
    return found


def _patients(table: pd.DataFrame) -> pd.Series:
    """Mean Dice of each patient over organs and frames."""
    values = dice(table.tp, table.fp, table.fn, POLICY)
    return pd.Series(values, index=table.index).groupby(table.group).mean()


def _tests(
    run: RunConfig, tables: dict[str, pd.DataFrame], base: dict[str, Any]
) -> list[ComparisonRow]:
    first = next(iter(tables.values()))
    groups = first.group.nunique()
    found: dict[PairedTest, list[dict[str, Any]]] = {}
    for a, b in combinations(tables, 2):
        pair = {"method_a": a, "method_b": b, "n_groups": groups}
        if run.task == "segmentation":
            ours, theirs = _patients(tables[a]), _patients(tables[b])
            row = {
                "metric": Metric.DICE,
                "value_a": ours.mean(),
                "value_b": theirs.mean(),
                "p": wilcoxon_paired(ours.to_numpy(), theirs.to_numpy()),
                "n_cases": len(ours),
                "note": None,
            }
            found.setdefault("wilcoxon", []).append(pair | row)
            continue
        right = [(tables[m].label == tables[m].prediction).to_numpy() for m in (a, b)]
        positive = (first.label == 1).to_numpy()
        scores = [tables[m].score_1.to_numpy() for m in (a, b)]
        area_a, area_b, p = delong(positive, *scores)
        pair |= {
            "n_cases": len(first),
            "note": NOT_INDEPENDENT if groups < len(first) else None,
        }
        accuracy = {
            "metric": Metric.ACCURACY,
            "value_a": right[0].mean(),
            "value_b": right[1].mean(),
            "p": mcnemar_exact(*right),
        }
        found.setdefault("mcnemar", []).append(pair | accuracy)
        area = {"metric": Metric.AUC, "value_a": area_a, "value_b": area_b, "p": p}
        found.setdefault("delong", []).append(pair | area)
    rows = []
    for test, family in found.items():
        for row, adjusted in zip(family, holm([r["p"] for r in family]), strict=True):
            values = {k: _known(v) for k, v in (row | {"p_holm": adjusted}).items()}
            rows.append(ComparisonRow(**base, test=test, **values))
    return rows


def _ranks(run: RunConfig, tables: dict[str, pd.DataFrame], base: dict[str, Any]) -> list[RankRow]:
    """Share of each rank over draws of whole groups, the same draws for all methods."""
    if run.task == "segmentation":
        columns = [_patients(t) for t in tables.values()]
        metric, groups = Metric.DICE, columns[0].index.tolist()
        values = np.stack([c.to_numpy() for c in columns], axis=1)
    else:
        metric, groups = Metric.ACCURACY, next(iter(tables.values())).group.tolist()
        right = [(t.label == t.prediction).to_numpy(float) for t in tables.values()]
        values = np.stack(right, axis=1)
    seed = stream_seed("ranking", run.dataset, run.protocol)
    shares = rank_shares(bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed))
    return [
        RankRow(
            **base,
            metric=metric,
            method=method,
            rank=rank + 1,
            share=float(shares[row, rank]),
            n_groups=len(set(groups)),
        )
        for row, method in enumerate(tables)
        for rank in range(len(tables))
    ]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
