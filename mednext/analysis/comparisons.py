"""comparisons.csv and ranking.csv: paired tests between the methods of a profile, and how stable
their order is, both from the counts per case of every run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mednext.analysis.cases import Cases, by_method, known, test_sets
from mednext.config import RunConfig
from mednext.files import seed_of
from mednext.metrics.clustered import obuchowski, sign_flips
from mednext.metrics.comparison import delong, holm, mcnemar_exact, rank_shares, wilcoxon_paired
from mednext.metrics.statistics import bootstrap
from mednext.results import SCORE, ComparisonRow, Metric, PairedTest, RankRow, write_rows
from mednext.results.metrics import OfOneSeed

NOT_INDEPENDENT = "cases of one group are not independent, which the test takes them to be"


def compare(runs: Sequence[RunConfig], tests: Path, ranking: Path) -> None:
    """Write the paired tests and the shares of ranks of all methods that share a test set.

    Of single cases: McNemar's exact test of accuracy, DeLong's of AUC. Of whole groups: sign flips
    of accuracy and of the patients' mean Dice, Obuchowski's test of AUC; Wilcoxon's of that Dice.
    Holm's adjustment is over all pairs of one data set, protocol, selection, seed and test.

    Raises:
        UserError: runs of one test set hold different cases.
    """
    rows: list[ComparisonRow] = []
    ranks: list[RankRow] = []
    for peers in test_sets(runs):
        for selection in peers[0].selections:
            found = by_method(peers, selection)
            if len(found) < 2:
                continue
            base = OfOneSeed.fields_of(peers[0]) | {"selection": selection}
            rows += _tests(found, base)
            ranks += _ranks(found, base)
    write_rows(tests, ComparisonRow, rows)
    write_rows(ranking, RankRow, ranks)


def _tests(cases: dict[str, Cases], base: dict[str, Any]) -> list[ComparisonRow]:
    first = next(iter(cases.values()))
    groups = len(set(first.groups))
    scored = {method: found.scored() for method, found in cases.items()}
    pairs = list(combinations(cases, 2))
    names = list(next(iter(scored.values())).index)
    values = {method: column.to_numpy(float) for method, column in scored.items()}
    flipped = sign_flips(
        np.stack([values[a] - values[b] for a, b in pairs]),
        names,
        seed_of("sign flips", first.run.dataset, first.run.protocol),
    )
    found: dict[PairedTest, list[dict[str, Any]]] = {}
    for (a, b), by_group in zip(pairs, flipped, strict=True):
        pair: dict[str, Any] = {
            "metric": SCORE[first.run.task],
            "method_a": a,
            "method_b": b,
            "value_a": values[a].mean(),
            "value_b": values[b].mean(),
            "n_cases": len(names),
            "n_groups": groups,
            "note": None,
        }
        found.setdefault("sign_flip", []).append(pair | {"p": float(by_group)})
        if first.run.task == "segmentation":
            p = wilcoxon_paired(values[a], values[b])
            found.setdefault("wilcoxon", []).append(pair | {"p": p})
            continue
        singly = pair | {"note": NOT_INDEPENDENT if groups < len(names) else None}
        p = mcnemar_exact(values[a] == 1, values[b] == 1)
        found.setdefault("mcnemar", []).append(singly | {"p": p})
        scores = cases[a].ill_scores, cases[b].ill_scores
        area_a, area_b, p = delong(first.ill, *scores)
        area = {"metric": Metric.AUC, "value_a": area_a, "value_b": area_b}
        found.setdefault("delong", []).append(singly | area | {"p": p})
        p = obuchowski(first.ill, *scores, first.groups)[2]
        found.setdefault("obuchowski", []).append(pair | area | {"p": p})
    rows = []
    for test, family in found.items():
        for row, adjusted in zip(family, holm([r["p"] for r in family]), strict=True):
            numbers = ("value_a", "value_b", "p")
            row |= {name: known(row[name]) for name in numbers} | {"p_holm": known(adjusted)}
            rows.append(ComparisonRow(**base, test=test, **row))
    return rows


def _ranks(cases: dict[str, Cases], base: dict[str, Any]) -> list[RankRow]:
    """Share of each rank over draws of whole groups, the same draws for all methods."""
    run = next(iter(cases.values())).run
    columns = [found.scored() for found in cases.values()]
    groups = list(columns[0].index)
    values = np.stack([column.to_numpy() for column in columns], axis=1)
    seed = seed_of("ranking", run.dataset, run.protocol)
    shares = rank_shares(bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed))
    return [
        RankRow(
            **base,
            metric=SCORE[run.task],
            method=method,
            rank=rank + 1,
            share=float(shares[row, rank]),
            n_groups=len(set(groups)),
        )
        for row, method in enumerate(cases)
        for rank in range(len(cases))
    ]
