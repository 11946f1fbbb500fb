"""How far seeds alone move a number: measured once, stored beside the reference.

A reference of one seed says nothing about the spread of its numbers. ``spread.csv`` holds what runs
of the same settings with several seeds gave; ``mednext results spread`` writes it, nobody types it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from mednext.errors import UserError
from mednext.gate.values import Key, key_of
from mednext.results import Metric, MetricRow, Row, grouped, read_rows

SPREAD = "spread.csv"
FEWEST_SEEDS = 3


class SpreadRow(Row):
    """One row of ``spread.csv``: one metric of one setting over seeds."""

    dataset: str
    protocol: str
    method: str
    selection: str
    metric: Metric
    target: str
    policy: str | None
    seeds: int
    mean: float
    deviation: float
    """Standard deviation over the seeds (n - 1)."""
    lowest: float
    highest: float
    setting_hash: str
    env_hash: str


def spread_rows(rows: Sequence[MetricRow]) -> list[SpreadRow]:
    """The spread of every metric that has a value for each of its seeds.

    Raises:
        UserError: a metric has too few seeds, or its rows are of different settings.
    """
    found = []
    for group in grouped((row for row in rows if row.status == "ok"), key_of).values():
        first = group[0]
        name = f"{first.dataset}/{first.protocol}/{first.method} {first.metric}"
        if len({row.seed for row in group}) < FEWEST_SEEDS or len(group) != len(
            {row.seed for row in group}
        ):
            raise UserError(
                "too few seeds to measure a spread",
                found=f"{name}: seeds {sorted(row.seed for row in group)}",
                expected=f"at least {FEWEST_SEEDS}, each once",
                remedy="use a profile with more seeds",
            )
        if len({(row.setting_hash, row.data_hash, row.split_hash) for row in group}) > 1:
            raise UserError("seeds of different settings or data", found=name)
        values = [row.value for row in group if row.value is not None]
        if len(values) < len(group) or first.metric is None or first.target is None:
            continue  # undefined for some seed: there is no spread to speak of
        found.append(
            SpreadRow(
                **SpreadRow.fields_of(first),
                seeds=len(values),
                mean=mean(values),
                deviation=stdev(values),
                lowest=min(values),
                highest=max(values),
            )
        )
    return found


def read_spread(folder: Path) -> dict[Key, SpreadRow]:
    """``spread.csv`` of a reference by what it is the spread of; empty without the file."""
    file = folder / SPREAD
    rows = read_rows(file, SpreadRow) if file.is_file() else []
    return {key_of(row): row for row in rows}
