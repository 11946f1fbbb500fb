"""Is the order of methods one of the speed of learning? Part C of ``docs/protocol_wave2.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import spearmanr

from mednext.config.names import display_name
from mednext.report.findings.facts import Results, headlines
from mednext.report.findings.orders import placed
from mednext.report.findings.training import losses
from mednext.report.scale import scale_of
from mednext.report.wording import Estimate
from mednext.results.contrasts import ContrastRow


class Speed(NamedTuple):
    """Whether an order is one of the speed of learning, and which rule says so."""

    word: str
    why: str


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
    lines = [_line(results, row) for row in primary]
    return {
        "lines": lines,
        "answer": _answer(lines),
        "few": scale_of(results.profile, rows[0].dataset).words("epochs"),
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


def _answer(lines: Sequence[Mapping[str, Any]]) -> str:
    """*Yes* if any contrast says so, as the protocol has it; *no* if all of them say no."""
    words = [line["speed"].word for line in lines if line["speed"] is not None]
    of = [
        f"{display_name(x['a'])} − {display_name(x['b'])}: {x['speed'].why}"
        for x in lines
        if x["speed"] is not None
    ]
    if not words:
        return "not asked: no difference was told from 0 after few epochs"
    word = "yes" if "yes" in words else "no" if set(words) == {"no"} else "inconclusive"
    return f"{word} ({'; '.join(of)})"


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
    return {
        "a": row.a,
        "b": row.b,
        "few": few.words if few else "not measured",
        "basis": "over seeds" if over else "seed variance borrowed",
        "speed": None if few is None else _speed(few, row),
    }


def _speed(few: Estimate, row: ContrastRow) -> Speed | None:
    """Has the difference after few epochs turned round, or shrunk to less than half? None where
    it was not told from 0, which is not asked then."""
    assert row.difference is not None
    if not few.told or row.ci_low is None or row.ci_high is None:
        return None
    if few.value * row.difference < 0:
        return Speed("yes", "it has changed its sign")
    # As if the difference after few epochs were above 0.
    low, high = sorted(math.copysign(1, few.value) * v for v in (row.ci_low, row.ci_high))
    half = abs(few.value) / 200
    if high < half:
        return Speed("yes", "its interval lies below half of what it was")
    if low > half:
        return Speed("no", "its interval lies above half of what it was")
    return Speed("inconclusive", "its interval holds half of what it was")
