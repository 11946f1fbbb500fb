"""``agreement.csv``: how the results of two methods on the same test cases go together.

Measured from the committed counts per case; the audit reads it to say how likely a printed lead is
none. Protocol and selection are those of the tables' headline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, check_same_cases
from mednext.config import RunConfig, parse
from mednext.errors import UserError
from mednext.results import HEADLINE, SCORE, AgreementRow, Metric, read_cases, read_run, write_rows

CASES = f"*/{HEADLINE.protocol}/*/seed*/cases.{HEADLINE.selection}.csv*"
"""Below the folder of runs: data set, protocol, method, seed."""


def write_agreement(results: Path, out: Path) -> None:
    """Write the agreement of every two methods that share a test set and a seed.

    Args:
        results: a folder with ``runs/`` as ``mednext results export`` writes it.
        out: the file to write.

    Raises:
        UserError: there are no runs, or two of one test set hold different cases.
    """
    rows = list(agreement(results / "runs"))
    if not rows:
        raise UserError("no two runs share a test set", file=results, expected=f"runs/{CASES}")
    write_rows(out, AgreementRow, rows)


def agreement(runs: Path) -> Iterator[AgreementRow]:
    """The rows of ``agreement.csv``, by data set, seed and pair."""
    peers: dict[tuple[str, int], dict[str, Path]] = defaultdict(dict)
    for file in sorted(runs.glob(CASES)):
        dataset, _, method, folder = file.relative_to(runs).parts[:4]
        peers[dataset, int(folder.removeprefix("seed"))][method] = file
    for (dataset, seed), files in sorted(peers.items()):
        cases = {method: _cases(file) for method, file in files.items()}
        for method, file in files.items():
            check_same_cases(next(iter(cases.values())), cases[method], file)
        # Per image whether it is right, or per patient the mean Dice.
        scored = {method: c.scored().rename(SCORE[c.run.task]) for method, c in cases.items()}
        for first, second in combinations(scored, 2):
            yield _pair(dataset, seed, first, second, scored[first], scored[second])


def _cases(file: Path) -> Cases:
    record = read_run(file.parent / "run.json")
    run = parse(RunConfig, record.config, file.parent / "run.json")
    return Cases(run, read_cases(file, run))


def _pair(
    dataset: str, seed: int, first: str, second: str, a: pd.Series, b: pd.Series
) -> AgreementRow:
    counts: list[int | None] = [None] * 4
    spread = None
    if a.name == Metric.ACCURACY:
        x, y = a.to_numpy(bool), b.to_numpy(bool)
        counts = [int(np.sum(cell)) for cell in (x & y, x & ~y, ~x & y, ~x & ~y)]
    else:
        spread = round(float(np.std(a - b, ddof=1)), 6)
    return AgreementRow(
        dataset=dataset,
        kind="accuracy" if a.name == Metric.ACCURACY else "dice",
        first=first,
        second=second,
        seed=seed,
        cases=len(a),
        both=counts[0],
        only_first=counts[1],
        only_second=counts[2],
        neither=counts[3],
        mean_first=round(float(a.mean()), 6),
        mean_second=round(float(b.mean()), 6),
        sd_difference=spread,
    )
