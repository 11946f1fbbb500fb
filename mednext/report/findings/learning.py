"""Is the order of methods one of the speed of learning? Part C of ``docs/protocol_wave2.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from mednext.report.findings.facts import Results, headlines
from mednext.report.findings.orders import placed
from mednext.report.findings.training import losses
from mednext.results.contrasts import ContrastRow


def learning_speed(
    results: Results, rows: Sequence[ContrastRow], folder: Path
) -> dict[str, Any] | None:
    """The contrasts after few epochs (the first wave's) beside those after many; None before all
    primary ones are there.

    Args:
        results: of the first wave.
        rows: the contrasts of this part, by the last weights.
        folder: of its exported runs.
    """
    primary = [row for row in rows if row.primary]
    if not primary or any(row.status != "ok" for row in primary):
        return None
    long = {
        method: value
        for row in primary
        for method, value in ((row.a, row.value_a), (row.b, row.value_b))
        if value is not None
    }
    short = {m: _score(results, rows[0].dataset, m) for m in long}
    methods = [m for m in long if short[m] is not None]
    before = losses(results, rows[0].dataset, results.profile.seeds[0])
    return {
        "lines": [_line(results, row) for row in primary],
        "methods": [
            (m, short[m], 100 * long[m], before[m][0] if m in before else None, _loss(folder, m))
            for m in methods
        ],
        "correlation": float(
            spearmanr([short[m] for m in methods], [long[m] for m in methods]).statistic
        )
        if len(methods) > 2
        else None,
    }


def _score(results: Results, dataset: str, method: str) -> float | None:
    values = [row.value for row in headlines(results, dataset, "paper", method).values()]
    return 100 * mean(v for v in values if v is not None) if values else None


def _loss(folder: Path, method: str) -> float:
    """Training loss of the last epoch, mean over seeds."""
    files = sorted(folder.glob(f"runs/*/*/{method}/seed*/history.csv"))
    return mean(float(pd.read_csv(file).train_loss.iloc[-1]) for file in files)


def _line(results: Results, row: ContrastRow) -> dict[str, Any]:
    over = placed(results, row.dataset, row.a, row.b, "seeds")
    few = over or placed(results, row.dataset, row.a, row.b, "borrowed")
    assert row.difference is not None
    line = {
        "a": row.a,
        "b": row.b,
        "few": few.words if few else "not measured",
        "basis": "over seeds" if over else "seed variance borrowed",
        "speed": None,
    }
    if few is None or row.ci_low is None or row.ci_high is None:
        return line
    turned = few.told and few.value * row.difference < 0
    half = few.value / 200
    shrunk = few.told and (row.ci_high < half if half > 0 else row.ci_low > half)
    return line | {"speed": turned or shrunk}
