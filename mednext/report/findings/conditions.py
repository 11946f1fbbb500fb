"""What repaired scores, worse images and data of others change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from scipy.stats import permutation_test, spearmanr

from mednext.report.findings.facts import Results, caption
from mednext.results import HEADLINE
from mednext.results.conditions import ConditionRow
from mednext.results.metrics import Metric

SHOWN = {
    "calibrated": {Metric.ECE, Metric.BRIER},
    "shifted": {Metric.ACCURACY, Metric.DICE},
    "external": {Metric.ACCURACY, Metric.AUC},
}
"""Kind of a condition -> the metrics that it is about."""
FEWEST = 4
"""Methods, below which a rank correlation says nothing."""


def conditions(results: Results) -> list[dict[str, Any]]:
    """Per data set and protocol a line per run and condition; of corruptions their mean alone."""
    found: dict[tuple[str, str], list[ConditionRow]] = defaultdict(list)
    for row in results.conditions:
        kind = row.condition.partition(":")[0]
        single = kind == "shifted" and row.condition != "shifted: mean"
        if row.metric in SHOWN[kind] and not single:
            found[row.dataset, row.protocol].append(row)
    stored = {name: record.weights.get(HEADLINE.selection, "") for name, record in results.runs}
    return [
        {
            "caption": caption(results, dataset, protocol, sorted({r.seed for r in rows})),
            "lines": [_line(row) for row in rows],
            "ranks": _ranks(rows),
            "again": sorted({_name(row) for row in rows if _again(row, stored)}),
        }
        for (dataset, protocol), rows in found.items()
    ]


def _name(row: ConditionRow) -> str:
    return f"{row.dataset}/{row.protocol}/{row.method}/seed{row.seed}"


def _again(row: ConditionRow, stored: dict[str, str]) -> bool:
    """Whether the weights are not those of the run that the other sections are about."""
    return not stored.get(_name(row), row.weights).startswith(row.weights)


def _line(row: ConditionRow) -> dict[str, Any]:
    interval = ""
    if row.ci_low is not None and row.ci_high is not None:
        interval = f" [{100 * row.ci_low:+.1f}, {100 * row.ci_high:+.1f}]"
    return {
        "method": row.method,
        "seed": row.seed,
        "condition": row.condition,
        "metric": row.metric,
        "cases": f"{row.n_cases}, {row.n_groups}",
        "before": 100 * row.before,
        "after": 100 * row.after,
        "change": f"{100 * row.change:+.1f}{interval}",
        "relative": "" if row.relative is None else f"{row.relative:.2f}",
    }


def _ranks(rows: list[ConditionRow]) -> dict[str, str]:
    """Outside set -> how the order of the methods (means over seeds) holds there."""
    pairs: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.condition.startswith("external") and row.metric is Metric.ACCURACY:
            pairs[row.condition][row.method].append((row.before, row.after))
    found = {}
    for name, methods in pairs.items():
        if len(methods) >= FEWEST:
            means = [
                tuple(sum(side) / len(side) for side in zip(*seeds, strict=True))
                for seeds in methods.values()
            ]
            here, there = zip(*means, strict=True)
            rho, p = spearmanr(here, there).statistic, _permuted(here, there)
            found[name] = f"{rho:.2f} ({len(methods)} methods; p = {p:.2g} over their permutations)"
    return found


def _permuted(here: Sequence[float], there: Sequence[float]) -> float:
    """Two-sided p of a rank correlation: of few methods Student's approximation does not hold."""
    return float(
        permutation_test(
            (here,),
            lambda values: spearmanr(values, there).statistic,
            permutation_type="pairings",
            rng=0,
        ).pvalue
    )
