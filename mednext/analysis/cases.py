"""The evaluated runs behind every analysis: their cases, and what is computed case by case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.config import ClassSpec, RunConfig, load_datasets, parse
from mednext.errors import UserError
from mednext.files import read_csv
from mednext.metrics.segmentation import dice
from mednext.results import (
    CASE_KEYS,
    HEADLINE,
    HISTORY,
    RunRecord,
    policy_of,
    read_cases,
    read_rows,
    read_run,
)
from mednext.results.conditions import ConditionScoreRow
from mednext.runs.resolve import run_paths

OUTSIDE = "external: "


@dataclass(frozen=True)
class Cases:
    """One run and selection with its counts per case."""

    run: RunConfig
    """As recorded; ``profile`` is the one that asks."""
    table: pd.DataFrame

    @property
    def groups(self) -> list[str]:
        """Group of each row: rows of one group are not independent."""
        return list(self.table.group)

    @property
    def orientations(self) -> list[str]:
        """Of each recorded class the name of the view in which it is the positive one."""
        specs = {spec.slug: spec for spec in load_datasets()[self.run.dataset].classes}
        return [orientation(slug, specs.get(slug)) for slug in self.run.classes]

    @property
    def disease(self) -> int:
        """Place of the class that is the disease; where a custom set names none, of the second."""
        names = self.orientations
        return names.index("disease") if "disease" in names else 1

    @property
    def ill(self) -> np.ndarray:
        """(N,) whether an image shows the disease."""
        return (self.table.label == self.disease).to_numpy()

    @property
    def ill_scores(self) -> np.ndarray:
        """(N,) score of the disease."""
        return self.table[f"score_{self.disease}"].to_numpy()

    def row_scores(self, policy: str = HEADLINE.policy) -> np.ndarray:
        """(N,) whether an image is right, or the Dice of an organ."""
        table = self.table
        if self.run.task == "classification":
            return (table.label == table.prediction).to_numpy(float)
        return dice(table.tp, table.fp, table.fn, policy)

    def scored(self) -> pd.Series:
        """Per case by its group: whether an image is right, or the mean Dice of a patient over
        organs and frames; of a custom set a patient without organs, in whom none is found, is
        right."""
        values = self.row_scores(policy_of(self.run.dataset))
        if self.run.task == "classification":
            return pd.Series(values, index=self.groups)
        by_row = pd.Series(values, index=self.table.index)
        return by_row.groupby(self.table.group).mean().fillna(1.0)


def recorded(run: RunConfig) -> tuple[RunConfig, RunRecord]:
    """A run as its ``run.json`` has it, whatever the profile and the benchmarks say today.

    Raises:
        UserError: it has not been trained, or the record is malformed.
    """
    record = read_run(run_paths(run).run_json)
    config = parse(RunConfig, record.config, run_paths(run).run_json)
    return config.model_copy(update={"profile": run.profile}), record


def read(run: RunConfig, selection: str = HEADLINE.selection) -> Cases | None:
    """The cases of one run; None if it failed or has no weights of this selection.

    Raises:
        UserError: it has not been trained or evaluated, or a file is malformed.
    """
    config, record = recorded(run)
    if record.status != "ok" or selection not in record.weights:
        return None
    return Cases(config, read_cases(run_paths(run).cases(selection), config))


def conditions(run: RunConfig) -> Iterator[tuple[str, Cases]]:
    """What the headline's weights of a run were evaluated under besides its test set as it is, by
    the name that it has in ``metrics.csv``.

    Raises:
        UserError: a file is damaged.
    """
    config, record = recorded(run)
    digest = record.weights.get(HEADLINE.selection)
    if record.status != "ok" or digest is None:
        return
    for file in sorted(run_paths(run).conditions(digest).glob("*.csv")):
        kind, _, detail = file.stem.partition(".")
        name = f"{kind}: {detail.replace('.', ' ') if kind == 'shifted' else detail}"
        yield name, Cases(config, read_cases(file, config))


def scored_under(run: RunConfig, condition: str) -> pd.Series | None:
    """Per case by its group what the headline's weights score under ``condition``; None without.

    Raises:
        UserError: the run has not been trained, a file is damaged, or the scores are those of other
            weights.
    """
    _, record = recorded(run)
    digest, file = record.weights.get(HEADLINE.selection), run_paths(run).condition_scores
    if record.status != "ok" or digest is None or not file.is_file():
        return None
    rows = [row for row in read_rows(file, ConditionScoreRow) if row.condition == condition]
    if others := {row.weights for row in rows} - {digest[:12]}:
        raise UserError(
            "scores under other conditions are not of this run's weights",
            file=file,
            found=min(others),
            expected=digest[:12],
            remedy="run 'mednext evaluate --under' and 'mednext results conditions' again",
        )
    return pd.Series([r.score for r in rows], index=[r.group for r in rows]) if rows else None


def history(run: RunConfig) -> pd.DataFrame:
    """Losses and scores of a finished run, one row per epoch.

    Raises:
        UserError: the file is missing or malformed.
    """
    return read_csv(run_paths(run).history, HISTORY, remedy="train the run again")


def test_sets(runs: Sequence[RunConfig]) -> Iterator[list[RunConfig]]:
    """The runs of each data set, protocol and seed: methods that are judged on the same cases."""

    def axes(run: RunConfig) -> tuple[str, str, int]:
        return run.dataset, run.protocol, run.seed

    for _, members in groupby(sorted(runs, key=axes), key=axes):
        yield list(members)


def by_method(runs: Sequence[RunConfig], selection: str = HEADLINE.selection) -> dict[str, Cases]:
    """Method -> its cases, of the runs of one test set that have weights of this selection.

    Raises:
        UserError: two of them hold different cases.
    """
    found: dict[str, Cases] = {}
    for run in runs:
        cases = read(run, selection)
        if cases is None:
            continue
        check_same_cases(next(iter(found.values()), cases), cases, run_paths(run).cases(selection))
        found[run.method] = cases
    return found


def check_same_cases(first: Cases, other: Cases, file: Path | None = None) -> None:
    """Refuse runs that were not tested on the same cases in the same order.

    Raises:
        UserError: they are others; ``file`` is where those of ``other`` stand.
    """
    key = CASE_KEYS[first.run.task]
    if other.table[key].to_numpy().tolist() != first.table[key].to_numpy().tolist():
        raise UserError(
            "two runs of one test set hold different cases",
            file=file,
            found=f"{len(other.table)} rows of {other.run.method}/seed{other.run.seed}",
            expected=f"the same cases as {first.run.method}/seed{first.run.seed}",
            remedy="evaluate both again",
        )


def orientation(slug: str, klass: ClassSpec | None) -> str:
    """Name of the view in which the class ``slug`` is the positive one."""
    if klass is None or klass.disease is None:  # of a custom set, where there may be more than two
        return slug
    return "disease" if klass.disease else "non_disease"


def known(value: float) -> float | None:
    """``value``, None for NaN: an empty cell of a result file."""
    return None if np.isnan(value) else float(value)
