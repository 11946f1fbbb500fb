"""What the speed scripts share: rounds that interleave, ratios with spread, results as CSV.

A round runs all candidates one after the other, so that a machine that slows down slows all of
them; a ratio is taken within a round. ``<name>.csv`` holds every round, ``<name>_summary.csv`` the
medians beside their targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.files import write_csv
from mednext.provenance import machine

RESULTS = Path("results/speed")


@dataclass(frozen=True)
class Figure:
    """One number that has a target: a ratio, seconds, a share."""

    name: str
    values: list[float]
    """One per round."""
    most: float | None = None
    least: float | None = None
    unit: str = "x"
    note: str = ""

    def row(self) -> dict[str, object]:
        """Median and quartiles over the rounds, and whether the median keeps the target."""
        low, median, high = np.quantile(self.values, (0.25, 0.5, 0.75))
        target = "none"
        kept = ""
        if self.most is not None:
            target, kept = f"at most {self.most:g}", "yes" if median <= self.most else "no"
        elif self.least is not None:
            target, kept = f"at least {self.least:g}", "yes" if median >= self.least else "no"
        return {
            "figure": self.name,
            "median": round(float(median), 4),
            "q1": round(float(low), 4),
            "q3": round(float(high), 4),
            "n": len(self.values),
            "unit": self.unit,
            "target": target,
            "kept": kept,
            "note": self.note,
            "cpu": machine()["cpu"],
        }


def interleave(
    candidates: dict[str, Callable[[], object]],
    rounds: int,
    repeats: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    untimed: int = 0,
) -> dict[str, list[float]]:
    """Seconds per call of each candidate, one value per round, after one round that does not count.

    Args:
        candidates: by name; called without arguments.
        rounds: how many count.
        repeats: calls per round, of which the mean is taken.
        clock: ``time.process_time`` for what is asked per core.
        untimed: calls before those of a round, for caches that the candidate before has filled.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, call in candidates.items():
            for _ in range(untimed):
                call()
            begun = clock()
            for _ in range(repeats):
                call()
            if number:
                seconds[name].append((clock() - begun) / repeats)
    return seconds


def ratios(seconds: dict[str, list[float]], of: str, to: str) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(seconds[of], seconds[to], strict=True)]


def publish(name: str, figures: list[Figure], rounds: list[dict[str, object]]) -> None:
    """Print every figure beside its target and write both files."""
    rows = [figure.row() for figure in figures]
    for row in rows:
        print(
            f"{row['figure']}: {row['median']:g} {row['unit']} "
            f"[{row['q1']:g}, {row['q3']:g}], n = {row['n']}; target: {row['target']}"
            + (f", kept: {row['kept']}" if row["kept"] else "")
            + (f" ({row['note']})" if row["note"] else ""),
            flush=True,
        )
    write_csv(RESULTS / f"{name}.csv", pd.DataFrame(rounds))
    write_csv(RESULTS / f"{name}_summary.csv", pd.DataFrame(rows))
