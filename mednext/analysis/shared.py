"""shared.csv: test cases that two protocols have in common, and how that ties their scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mednext.analysis.cases import read
from mednext.config import RunConfig
from mednext.metrics.clustered import correlation_of_means
from mednext.results import CASE_KEYS, HEADLINE, write_rows
from mednext.results.protocols import SharedRow


def shared(runs: Sequence[RunConfig], path: Path) -> None:
    """Write ``shared.csv``: the protocol of the paper beside each other one, per method and seed.

    Raises:
        UserError: a run has not been trained or evaluated.
    """
    paper = {
        (run.dataset, run.method, run.seed): run
        for run in runs
        if run.protocol == HEADLINE.protocol
    }
    rows = []
    for run in runs:
        first = paper.get((run.dataset, run.method, run.seed))
        if first is None or run is first:
            continue
        one, other = read(first), read(run)
        if one is None or other is None:
            continue
        keys = [set(cases.table[CASE_KEYS[run.task][0]]) for cases in (one, other)]
        left, right = one.scored(), other.scored()
        rows.append(
            SharedRow(
                **SharedRow.fields_of(run),
                n_paper=len(keys[0]),
                n_other=len(keys[1]),
                shared=len(keys[0] & keys[1]),
                shared_groups=len(set(left.index) & set(right.index)),
                correlation=correlation_of_means(
                    left.to_numpy(), list(left.index), right.to_numpy(), list(right.index)
                ),
            )
        )
    write_rows(path, SharedRow, rows)
