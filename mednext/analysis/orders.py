"""orders.csv: which methods stand above which, over seeds and groups of test cases.

A single training places no method: another seed may turn the order round. Where both methods have
three seeds or more, trainings and groups are both random (:mod:`mednext.metrics.joint`). Beside it
the order of single seeds is judged with the variance between seeds of *other* methods of the data
set, as a labelled guess of what more seeds would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mednext.analysis.cases import read
from mednext.analysis.contrasts import Scores, by_axes, scores
from mednext.config import RunConfig
from mednext.config.questions import Arm
from mednext.metrics.comparison import holm
from mednext.metrics.joint import joint
from mednext.metrics.power import components, detectable, detectable_by
from mednext.results import HEADLINE, SCORE, write_rows
from mednext.results.orders import FEWEST_SEEDS, OrderRow


@dataclass(frozen=True)
class SeedVariance:
    """How far another training moves a score: the variance between seeds of one method, pooled."""

    value: float
    df: int
    words: str


def orders(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the order of every pair of methods of each data set and protocol, where seeds allow.

    Raises:
        UserError: the seeds of a method hold different cases.
    """
    rows: list[OrderRow] = []
    for dataset, protocol in dict.fromkeys((run.dataset, run.protocol) for run in runs):
        peers = [r for r in runs if (r.dataset, r.protocol) == (dataset, protocol)]
        known = _scores(peers)
        if len(known) < 2 or len(set(next(iter(known.values())).groups)) < 2:
            continue
        for part in (_over_seeds(known), borrowed(known, seed_variance(known))):
            corrected = holm([row["p"] for row in part])
            base: dict[str, Any] = {
                "dataset": dataset,
                "protocol": protocol,
                "metric": SCORE[peers[0].task],
            }
            rows += [
                OrderRow(**base, **row, p_holm=float(p), family=len(part))
                for row, p in zip(part, corrected, strict=True)
            ]
    write_rows(path, OrderRow, rows)


def _scores(peers: Sequence[RunConfig]) -> dict[str, Scores]:
    """Method -> scores by its seeds, of the headline's weights."""
    done = [run for run in peers if read(run) is not None]
    axes = by_axes(done)
    return {
        method: scores(
            axes,
            done[0].dataset,
            Arm(method=method, protocols=(done[0].protocol,)),
            sorted(run.seed for run in done if run.method == method),
            HEADLINE.selection,
        )
        for method in dict.fromkeys(run.method for run in done)
    }


def seed_variance(known: Mapping[str, Scores]) -> SeedVariance | None:
    """Variance of a method's score between its seeds, pooled over the methods with several."""
    several = {method: s for method, s in known.items() if len(s.seeds) > 1}
    if not several:
        return None
    freedom = [len(s.seeds) - 1 for s in several.values()]
    single = [s.values.mean(axis=1).var(ddof=1) for s in several.values()]
    words = ", ".join(f"{method} ({len(s.seeds)} seeds)" for method, s in several.items())
    return SeedVariance(float(np.average(single, weights=freedom)), sum(freedom), words)


def _over_seeds(known: Mapping[str, Scores]) -> list[dict[str, Any]]:
    rows = []
    pairs = [
        (a, b, seeds)
        for a, b in combinations(known, 2)
        if len(seeds := sorted(set(known[a].seeds) & set(known[b].seeds))) >= FEWEST_SEEDS
    ]
    for a, b, seeds in pairs:
        values = _of(known[a], seeds) - _of(known[b], seeds)
        found = joint(values, known[a].groups)
        parts = components(found, len(seeds))
        least, with_holm = (
            detectable(parts, found.n_groups, len(seeds), level=1 - 0.05 / tests)
            for tests in (1, len(pairs))
        )
        rows.append(
            _row(a, b, "seeds", seeds, values, known[a].groups)
            | {"error": found.error, "df": found.df, "p": found.p_value()}
            | {"detectable": least, "detectable_holm": with_holm, "borrowed_from": None}
        )
    return rows


def borrowed(known: Mapping[str, Scores], between: SeedVariance | None) -> list[dict[str, Any]]:
    """Of the first seed of each. The cases of that seed are counted in both variances: simulated
    (tests), the test is at its level or below it.
    """
    if between is None:
        return []
    rows = []
    pairs = [(a, b) for a, b in combinations(known, 2) if known[a].seeds[0] == known[b].seeds[0]]
    for a, b in pairs:
        seeds = known[a].seeds[:1]
        values = _of(known[a], seeds) - _of(known[b], seeds)
        by_group = joint(values, known[a].groups)
        parts = by_group.between_groups, 2 * between.value
        error = float(np.sqrt(sum(parts)))
        squares = parts[0] ** 2 / (by_group.n_groups - 1) + parts[1] ** 2 / between.df
        # Two methods may err on the same cases, and no seed move anything.
        df = sum(parts) ** 2 / squares if squares else float(between.df)
        found = replace(by_group, error=error, df=df)
        least, with_holm = (detectable_by(error, df, 1 - 0.05 / n) for n in (1, len(pairs)))
        rows.append(
            _row(a, b, "borrowed", seeds, values, known[a].groups)
            | {"error": error, "df": df, "p": found.p_value()}
            | {"detectable": least, "detectable_holm": with_holm, "borrowed_from": between.words}
        )
    return rows


def _of(scored: Scores, seeds: Sequence[int]) -> np.ndarray:
    return scored.values[[scored.seeds.index(seed) for seed in seeds]]


def _row(
    a: str, b: str, basis: str, seeds: Sequence[int], values: np.ndarray, groups: Sequence[str]
) -> dict[str, Any]:
    mean = values.mean(axis=0)
    singly = joint(mean[None], [str(case) for case in range(len(mean))])
    grouped = joint(mean[None], groups)
    effect = grouped.between_groups / singly.between_groups if singly.between_groups else 1.0
    return {
        "method_a": a,
        "method_b": b,
        "basis": basis,
        "seeds": " ".join(map(str, seeds)),
        "n_cases": len(mean),
        "n_groups": grouped.n_groups,
        "difference": float(values.mean()),
        "design_effect": effect,
    }
