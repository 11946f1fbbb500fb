"""Losses of the first steps of a training, compared at the same seed.

Between the output of the untrained network and the metrics of the trained one: data, labels,
augmentation, loss, optimiser and rate all act within the first steps, where seeds cannot hide what
they do. At the same seed two trainings of one code differ by rounding alone: by the order in which
sums are made, which hangs on threads and instruction sets. How much that is at each step is
measured (:mod:`mednext.gate.rounding`); the tolerance is a multiple of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from mednext.config import RunConfig, parse
from mednext.gate.findings import Finding, Outcome
from mednext.gate.rules import FirstLosses
from mednext.gate.subset import chosen
from mednext.results import Row, grouped, read_rows, read_run

FIRST_LOSSES, ROUNDING = "first_losses.csv", "rounding.csv"
CONFIGURED = "as configured"


class FirstLossRow(Row):
    """One row of ``first_losses.csv``: the loss of one of the first steps of a training."""

    dataset: str
    protocol: str
    method: str
    seed: int
    step: int
    """From 1."""
    loss: float
    setting_hash: str
    data_hash: str
    split_hash: str


class RoundingRow(FirstLossRow):
    """One row of ``rounding.csv``: the same step computed in another way."""

    variant: str
    """What differs: threads, instruction sets, the order of sums; or ``as configured``."""


Cell = tuple[str, str, str]
"""Data set, protocol, method."""


def cell_of(row: FirstLossRow | RunConfig) -> Cell:
    """What the losses are of, whatever the seed."""
    return row.dataset, row.protocol, row.method


def rows_of(
    run: RunConfig, losses: Sequence[float], data_hash: str, split_hash: str
) -> list[FirstLossRow]:
    """The first losses of a run as rows; none if it was trained before they were recorded."""
    base = FirstLossRow.fields_of(run) | {"data_hash": data_hash, "split_hash": split_hash}
    return [FirstLossRow(**base, step=step, loss=loss) for step, loss in enumerate(losses, start=1)]


def recorded(folder: Path) -> list[FirstLossRow]:
    """The first losses in the records of a folder of results, or in the file of a reference.

    Raises:
        UserError: a record or the file is malformed.
    """
    if (folder / FIRST_LOSSES).is_file():
        return read_rows(folder / FIRST_LOSSES, FirstLossRow)
    rows: list[FirstLossRow] = []
    for file in sorted(folder.glob("runs/*/*/*/seed*/run.json")):
        record = read_run(file)
        run = parse(RunConfig, record.config, file)
        rows += rows_of(run, record.first_losses, record.data_hash, record.split_hash)
    return rows


def tolerances(rows: Iterable[RoundingRow], rule: FirstLosses) -> dict[str, list[float]]:
    """Per data set the tolerance of each step: the largest change of a loss, or of one before, that
    any other way of computing made with any method and seed, times the safety factor.

    One for all methods of a data set: how soon rounding grows is chance, and a method measured at
    one seed may have been lucky.
    """
    values: dict[tuple[Cell, int, int], dict[str, float]] = defaultdict(dict)
    for row in rows:
        values[cell_of(row), row.seed, row.step][row.variant] = row.loss
    largest: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for ((dataset, *_), _, step), losses in values.items():
        change = max(abs(loss - losses[CONFIGURED]) for loss in losses.values())
        largest[dataset][step] = max(largest[dataset][step], change)
    return {
        dataset: [
            max(rule.absolute, rule.factor * change)
            for change in accumulate((changes[step] for step in sorted(changes)), max)
        ]
        for dataset, changes in largest.items()
    }


def compare_first_losses(
    reference: Path, new: Path, rule: FirstLosses, factor: float = 1.0, only: Sequence[str] = ()
) -> list[Finding]:
    """One finding per training of the reference; none where it has no ``first_losses.csv``.

    Raises:
        UserError: a file is malformed, or the reference lacks ``rounding.csv``.
    """
    if not (reference / FIRST_LOSSES).is_file():
        return []
    before = chosen(read_rows(reference / FIRST_LOSSES, FirstLossRow), only)
    return compare_rows(
        before, recorded(new), read_rows(reference / ROUNDING, RoundingRow), rule, factor
    )


def compare_rows(
    before: Sequence[FirstLossRow],
    after: Sequence[FirstLossRow],
    rounding: Sequence[RoundingRow],
    rule: FirstLosses,
    factor: float = 1.0,
) -> list[Finding]:
    """One finding per training of ``before``."""
    allowed, others = tolerances(rounding, rule), _by_training(after)
    return [
        _training(rows, others, [factor * t for t in allowed.get(rows[0].dataset, [])], rule)
        for rows in _by_training(before).values()
    ]


Training = tuple[str, str, str, int]
"""Data set, protocol, method, seed."""


def _by_training(rows: Iterable[FirstLossRow]) -> dict[Training, list[FirstLossRow]]:
    ordered = sorted(rows, key=lambda row: row.step)
    return grouped(ordered, lambda row: (*cell_of(row), row.seed))


def _training(
    rows: Sequence[FirstLossRow],
    after: Mapping[Training, Sequence[FirstLossRow]],
    allowed: Sequence[float],
    rule: FirstLosses,
) -> Finding:
    cell, seed = cell_of(rows[0]), rows[0].seed
    name = f"first losses of {'/'.join(cell)}/seed{seed}"

    def without(outcome: Outcome, note: str) -> Finding:
        return Finding(name, outcome, None, None, None, note)

    others = after.get((*cell, seed), [])
    if not others:
        if any(training[:3] == cell for training in after):
            return without("informational", "the new results have other seeds")
        return without("not comparable", "no run.json of the new results holds first losses")
    for field in ("setting_hash", "data_hash", "split_hash"):
        left, right = getattr(rows[0], field), getattr(others[0], field)
        if left != right:
            return without("not comparable", f"{field} differs: {left} and {right}")
    if len(others) != len(rows):
        return without("not comparable", f"{len(others)} steps instead of {len(rows)}")
    if len(allowed) < len(rows):
        return without("not comparable", f"{ROUNDING} has fewer steps: make rounding")
    if not all(math.isfinite(row.loss) for row in (*rows, *others)):
        return without("not comparable", "a loss is not finite")
    far = [
        abs(a.loss - b.loss) / tolerance
        for a, b, tolerance in zip(rows, others, allowed, strict=False)
    ]
    worst = max(range(len(far)), key=far.__getitem__)
    note = f"step {worst + 1} of {len(far)}; {rule.factor:g} x what rounding does there"
    outcome: Outcome = "ok" if far[worst] <= 1 else "worse"
    return Finding(name, outcome, rows[worst].loss, others[worst].loss, allowed[worst], note)
