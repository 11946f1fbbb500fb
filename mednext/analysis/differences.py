"""differences.csv: how far apart two methods are on the same test cases, with an interval.

What the paired tests of comparisons.csv leave open: how large the difference is, and how small a
one the design could have shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import t

from mednext.analysis.cases import by_method, test_sets
from mednext.config import RunConfig
from mednext.files import seed_of
from mednext.metrics.statistics import NOTHING, bootstrap, wilson
from mednext.results import SCORE, DifferenceRow, write_rows


def differences(runs: Sequence[RunConfig], path: Path) -> None:
    """Write the paired differences of accuracy, or of the mean Dice of each patient."""
    rows = [row for peers in test_sets(runs) for row in _of_one_test_set(peers)]
    write_rows(path, DifferenceRow, rows)


def half_width(draws: np.ndarray, count: int) -> float | None:
    """Half the 95 % interval of a paired difference of shares; None with a single group.

    Args:
        draws: (R,) differences over draws of whole groups; NaN where one is undefined.
        count: number of groups.
    """
    if count < 2:
        return None
    spread = float(np.nanstd(draws)) * np.sqrt(count / (count - 1))
    if spread < NOTHING:
        # Equal on every group: more groups might not be, up to what none of them leaves open of a
        # share, times the greatest difference of one case.
        return wilson(0, count)[1]
    return float(t.ppf(0.975, count - 1)) * spread


def _of_one_test_set(runs: Sequence[RunConfig]) -> list[DifferenceRow]:
    columns = {method: cases.scored() for method, cases in by_method(runs).items()}
    if len(columns) < 2:
        return []
    groups = list(next(iter(columns.values())).index)
    values = np.stack(list(columns.values()), axis=1)
    count = len(set(groups))
    seed = seed_of("differences", runs[0].dataset, runs[0].protocol)
    draws = bootstrap(groups, lambda rows: values[rows].mean(axis=0), seed)
    rows = []
    for (i, a), (j, b) in combinations(enumerate(columns), 2):
        paired = values[:, i] - values[:, j]
        half = half_width(draws[:, i] - draws[:, j], count)
        mean = float(paired.mean())
        rows.append(
            DifferenceRow(
                **DifferenceRow.fields_of(runs[0]),
                metric=SCORE[runs[0].task],
                method_a=a,
                method_b=b,
                difference=mean,
                ci_low=None if half is None else mean - half,
                ci_high=None if half is None else mean + half,
                deviation=float(np.sqrt((paired**2).mean())),
                n_cases=len(paired),
                n_groups=count,
            )
        )
    return rows
