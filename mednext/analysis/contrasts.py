"""contrasts.csv and planned.csv: questions that were asked before their runs were made.

A contrast is a mean paired difference with its error over trainings and groups of test cases
(:mod:`mednext.metrics.joint`); what it can show is known from the variances of a pilot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.cases import OUTSIDE, known, read, recorded, scored_under
from mednext.config import RunConfig, load_datasets
from mednext.config.questions import Arm, Contrast, Part, Questions
from mednext.errors import UserError
from mednext.metrics.comparison import holm
from mednext.metrics.joint import joint, p_of_overlapping
from mednext.metrics.power import Components, components, detectable, pooled
from mednext.results import HEADLINE, Metric
from mednext.results.contrasts import ContrastRow, PlannedRow


@dataclass(frozen=True)
class Scores:
    """One arm: right or wrong of each image, or the mean Dice of each patient."""

    seeds: tuple[int, ...]
    values: np.ndarray
    """(S, N): one row per training of the arm; of folds that test their own cases, per seed."""
    groups: list[str]
    folds: list[str]
    """Protocol under which each case was tested."""


Runs = Mapping[tuple[str, str, str, int], RunConfig]
"""(data set, protocol, method, seed) -> run."""


def by_axes(runs: Sequence[RunConfig]) -> Runs:
    """The runs by their axes."""
    return {(run.dataset, run.protocol, run.method, run.seed): run for run in runs}


def scores(
    runs: Runs,
    dataset: str,
    arm: Arm,
    seeds: Sequence[int],
    selection: str,
    under: str | None = None,
) -> Scores:
    """Scores of ``arm`` by these seeds, the folds one after the other; on outside data, which all
    folds are tested on, each fold of a seed is a row of its own.

    Raises:
        UserError: a run is missing or has no such weights, or the seeds hold different cases.
    """
    rows: list[np.ndarray] = []
    groups: list[str] = []
    folds: list[str] = []
    if not seeds:
        raise UserError("a contrast lacks a run", found=f"no {dataset}/{arm.method} at all")
    for seed in seeds:
        parts = []
        for protocol in arm.protocols:
            run = runs.get((dataset, protocol, arm.method, seed))
            found = _scored(run, selection, under) if run else None
            if found is None:
                raise UserError(
                    "a contrast lacks a run",
                    found=f"no {dataset}/{protocol}/{arm.method}/seed{seed} ({under or selection})",
                    expected="every seed of both arms",
                    remedy="finish the runs of the profile",
                )
            parts.append((protocol, found))
        shared = under is not None and under.startswith(OUTSIDE)
        for row in [[part] for part in parts] if shared else [parts]:
            names = [str(name) for _, part in row for name in part.index]
            if rows and names != groups:
                raise UserError(
                    "two seeds hold different cases", found=f"{dataset}/{arm.method}/seed{seed}"
                )
            groups = names
            folds = ["all" if shared else p for p, part in row for _ in part]
            rows.append(np.concatenate([part.to_numpy(float) for _, part in row]))
    return Scores(tuple(seeds), np.stack(rows), groups, folds)


def _scored(run: RunConfig, selection: str, under: str | None) -> pd.Series | None:
    if under is not None:
        return scored_under(run, under)
    cases = read(run, selection)
    return None if cases is None else cases.scored()


def contrast_rows(
    name: str,
    part: Part,
    runs: Sequence[RunConfig],
    seeds: Sequence[int],
    selection: str = HEADLINE.selection,
) -> list[ContrastRow]:
    """What the finished runs say to each contrast of a part; ``pending`` where one is missing.

    Args:
        name: of the part.
        part: what was asked.
        runs: of its profile; others may still be missing.
        seeds: that both arms of every contrast are to have.
        selection: the weights that are judged.

    Raises:
        UserError: the arms of a contrast were tested on different cases.
    """
    known_runs = by_axes(runs)
    rows = [_contrast(name, c, known_runs, seeds, selection) for c in part.contrasts]
    family = [i for i, row in enumerate(rows) if row.primary and row.status == "ok"]
    # A missing primary contrast still counts: what is not yet there must not lower the others.
    missing = sum(row.primary for row in rows) - len(family)
    there = [np.nan if (p := rows[i].p) is None else p for i in family]
    adjusted = holm([*there, *[1.0] * missing])
    for place, value in zip(family, adjusted, strict=False):
        rows[place] = rows[place].model_copy(update={"p_holm": known(value)})
    return rows


def _contrast(
    name: str, contrast: Contrast, runs: Runs, seeds: Sequence[int], selection: str
) -> ContrastRow:
    dataset = contrast.dataset
    base: dict[str, Any] = {
        **_named(name, contrast),
        "selection": selection,
        "seeds": len(seeds),
        "trainings": len(seeds) * len(contrast.a.protocols),
    }
    empty: dict[str, Any] = dict.fromkeys(
        ("n_cases", "n_groups", "value_a", "value_b", "difference", "ci_low", "ci_high", "p")
    ) | dict.fromkeys(("p_overlapping", "most_frequent"))
    try:
        a, b = (
            scores(runs, dataset, arm, seeds, selection, contrast.under)
            for arm in (contrast.a, contrast.b)
        )
    except UserError as error:
        pending: dict[str, Any] = {"status": "pending", "reason": error.found or str(error)}
        return ContrastRow(**base, **empty, p_holm=None, **pending)
    if a.groups != b.groups:
        raise UserError(
            "the arms of a contrast were tested on different cases",
            found=f"{dataset}: {base['a']} and {base['b']}",
            expected="one test set",
        )
    found = joint(a.values - b.values, a.groups, a.folds)
    low, high = found.interval()
    return ContrastRow(
        **base,
        n_cases=len(a.groups),
        n_groups=found.n_groups,
        value_a=float(a.values.mean()),
        value_b=float(b.values.mean()),
        difference=found.value,
        ci_low=known(low),
        ci_high=known(high),
        p=known(found.p_value()),
        p_holm=None,
        p_overlapping=None if contrast.under else _p_overlapping(runs, dataset, contrast, a, b),
        most_frequent=_most_frequent(runs, dataset, contrast, seeds[0]),
        status="ok",
    )


def _p_overlapping(
    runs: Runs, dataset: str, contrast: Contrast, a: Scores, b: Scores
) -> float | None:
    """Of arms over several folds, each fold of a seed as one value."""
    protocols = contrast.a.protocols
    if len(protocols) < 2:
        return None
    folds, values = np.asarray(a.folds), a.values - b.values
    differences = [row[folds == fold].mean() for row in values for fold in protocols]
    records = [recorded(runs[dataset, p, contrast.a.method, a.seeds[0]])[1] for p in protocols]
    tested, trained = (sum(getattr(r, name) for r in records) for name in ("n_test", "n_train"))
    return p_of_overlapping(np.array(differences), tested / trained)


def _most_frequent(runs: Runs, dataset: str, contrast: Contrast, seed: int) -> float | None:
    arm, outside = contrast.a, (contrast.under or "").startswith(OUTSIDE)
    if outside or load_datasets()[dataset].task != "classification":
        return None
    cases = [read(runs[dataset, protocol, arm.method, seed]) for protocol in arm.protocols]
    labels = pd.concat([found.table.label for found in cases if found is not None])
    return float(labels.value_counts(normalize=True).max())


def _named(name: str, contrast: Contrast) -> dict[str, Any]:
    task = load_datasets()[contrast.dataset].task
    arms = (contrast.a, contrast.b)
    alike = contrast.a.method == contrast.b.method
    a, b = (f"{arm.method}/{arm.protocols[0]}" if alike else arm.method for arm in arms)
    return {
        "part": name,
        "dataset": contrast.dataset,
        "metric": Metric.ACCURACY if task == "classification" else Metric.DICE,
        "condition": contrast.under,
        "a": a,
        "b": b,
        "primary": contrast.primary,
    }


def planned_rows(
    questions: Questions,
    designs: Mapping[str, Sequence[tuple[Contrast, int, int, int]]],
    pilot: Sequence[RunConfig],
) -> list[PlannedRow]:
    """What each contrast can show.

    Args:
        questions: the parts.
        designs: part -> (contrast, seeds, test cases, groups) of each of its contrasts.
        pilot: finished runs, for the variances: those of all pairs of methods that have several
            seeds of the data set. Where it has none, the variance between trainings is borrowed
            from the set that has, of the same task.
    """
    parts = _pilots(pilot)
    rows = []
    for name, contrasts in designs.items():
        for contrast, seeds, cases, groups in contrasts:
            variances, source = parts[contrast.dataset]
            if contrast.under is not None:
                source = f"{source}, of its own test set"
            folds = len(contrast.a.protocols)
            # Outside data are tested by every fold: as many trainings, one set of cases.
            outside = (contrast.under or "").startswith(OUTSIDE)
            design = (seeds * folds, 1) if outside else (seeds, folds)
            rows.append(
                PlannedRow(
                    **_named(name, contrast),
                    seeds=seeds,
                    trainings=seeds * folds,
                    n_cases=cases,
                    n_groups=groups,
                    pilot=f"{questions.pilot}: {source}",
                    detectable=detectable(variances, groups, *design),
                )
            )
    return rows


def _pilots(runs: Sequence[RunConfig]) -> dict[str, tuple[Components, str]]:
    """Data set -> variances of a paired difference, and in words where they come from."""
    found: dict[str, tuple[Components, str]] = {}
    single: dict[str, tuple[Components, str]] = {}
    tasks = {run.dataset: run.task for run in runs}
    for dataset in tasks:
        axes = by_axes([r for r in runs if r.dataset == dataset and r.protocol == "paper"])
        seeds = {
            method: tuple(sorted(s for (_, _, m, s) in axes if m == method))
            for method in dict.fromkeys(m for (_, _, m, _) in axes)
        }
        several = max(map(len, seeds.values()), default=0)
        used = [method for method, known_seeds in seeds.items() if len(known_seeds) == several]
        pairs = [_paired(axes, dataset, a, b, seeds[a]) for a, b in combinations(used, 2)]
        if not pairs:
            continue
        words = f"{len(pairs)} pairs of methods on {dataset}, {several} seeds"
        (found if several > 1 else single)[dataset] = pooled(pairs), words
    for dataset, (variances, words) in single.items():
        donor = next((d for d in found if tasks[d] == tasks[dataset]), None)
        if donor is not None:
            training = found[donor][0].training
            # One seed cannot part what a group always does from what it did this once.
            borrowed = Components(training, variances.group, 0.0)
            found[dataset] = borrowed, f"{words}; between trainings as on {donor}"
    return found


def _paired(axes: Runs, dataset: str, a: str, b: str, seeds: Sequence[int]) -> Components:
    arms = (Arm(method=method, protocols=("paper",)) for method in (a, b))
    first, second = (scores(axes, dataset, arm, seeds, HEADLINE.selection) for arm in arms)
    return components(joint(first.values - second.values, first.groups), len(seeds))
