"""What a reproduced value says about the printed one; the rules stand in ``docs/verdicts.md``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import mean, stdev
from typing import Literal

from pydantic import Field
from scipy.stats import t

from mednext.config import Strict, benchmarks_dir, parse, read_yaml
from mednext.metrics import intervals
from mednext.metrics.equivalence import Estimate, compare
from mednext.results import Metric, MetricRow, Verdict

Kind = Literal["fractions", "auc", "dice", "hd95"]
MOST_SEEDS = 30
MORE_CASES = (2, 3, 5, 10, 30, 100)
"""More seeds, and times as many test cases, are not proposed."""
HOPELESS = "nothing here: the printed value's own error is too large"


class Margin(Strict):
    """How far two values may lie apart and still be called equal."""

    equivalence: float = Field(gt=0)
    """In the unit of ``metrics.csv``."""
    words: str
    """The same in the printed unit, for readers."""
    why: str


class VerdictRules(Strict):
    """``benchmarks/verdicts.yaml``."""

    min_seeds: int = Field(ge=2)
    margins: dict[Kind, Margin]

    def margin(self, metric: Metric | None) -> float:
        """Margin of equivalence of a metric, in the unit of ``metrics.csv``."""
        return self.margins[_kind(metric)].equivalence

    @property
    def sentence(self) -> str:
        """The rules in words, for the legend of a table."""
        others = ", ".join(
            f"{m.words} for {k}" for k, m in self.margins.items() if k != "fractions"
        )
        return (
            f"= is within {self.margins['fractions'].words} ({others}) by two one-sided tests, "
            "▲ and ▼ another value by a test at 5 %, both with the error of the printed value, "
            f"too; ? is neither, or fewer than {self.min_seeds} seeds."
        )


def _kind(metric: Metric | None) -> Kind:
    if metric is Metric.AUC:
        return "auc"
    if metric is Metric.DICE:
        return "dice"
    return "hd95" if str(metric).startswith("hd95") else "fractions"


@cache
def load_rules() -> VerdictRules:
    """``benchmarks/verdicts.yaml``."""
    path = benchmarks_dir() / "verdicts.yaml"
    return parse(VerdictRules, read_yaml(path), path)


@dataclass(frozen=True)
class Judged:
    """A verdict, and what would decide it where it is ``undecided``."""

    verdict: Verdict
    needs: str | None = None


@dataclass(frozen=True)
class Ours:
    """What the runs gave, in the unit of ``metrics.csv``."""

    value: float
    of_cases: float
    """Standard error over test cases, which all seeds share."""
    between_seeds: float
    """Standard deviation; 0 with a single seed."""
    seeds: int
    n_cases: int
    n_groups: int

    def estimate(self, seeds: int | None = None, cases: float = 1.0) -> Estimate:
        """Value and error, as they are or with other seeds and ``cases`` times as many cases.

        The printed network is one training more. How far trainings differ is known from our seeds
        alone, so that both errors of it stand here, with the degrees of freedom of so few.
        """
        seeds = seeds or self.seeds
        return Estimate(
            self.value,
            self.of_cases / math.sqrt(cases),
            max(self.n_groups * cases - 1, 1),
            self.between_seeds * math.sqrt(1 + 1 / seeds),
            max(seeds - 1, 1),
        )


def ours_of(rows: Sequence[MetricRow]) -> Ours | None:
    """The rows of one metric, a seed each; None without an interval over test cases."""
    values = [row.value for row in rows if row.value is not None]
    errors = []
    for row in rows:
        if row.ci_low is None or row.ci_high is None or row.n_groups is None or row.n_groups < 2:
            return None
        errors.append((row.ci_high - row.ci_low) / 2 / float(t.ppf(0.975, row.n_groups - 1)))
    first = rows[0]
    assert first.n_cases is not None and first.n_groups is not None
    spread = stdev(values) if len(values) > 1 else 0.0
    return Ours(mean(values), mean(errors), spread, len(values), first.n_cases, first.n_groups)


def printed_error(printed: float, metric: Metric, ours: Ours, trials: int | None) -> float:
    """Standard error of a printed value over its own test cases.

    Args:
        printed: in the unit of ``metrics.csv``.
        metric: which it is of.
        ours: the same metric here.
        trials: cases behind a share (the test images for an accuracy, those called positive for a
            precision); None where the printed value is no share of cases: then ours is taken.
    """
    of_cases = ours.of_cases
    if trials is not None and _kind(metric) == "fractions":
        # Agresti and Coull's centre keeps the error of a perfect share above zero.
        share = (printed * trials + 2) / (trials + 4)
        of_cases = math.sqrt(share * (1 - share) / (trials + 4))
        singly = (ours.value * ours.n_cases + 2) / (ours.n_cases + 4)
        alone = math.sqrt(singly * (1 - singly) / (ours.n_cases + 4))
        of_cases *= max(1.0, ours.of_cases / alone)  # groups, as ours show them
    return of_cases


def judge(
    printed: float, error: float, ours: Ours | None, margin: float, min_seeds: int = 3
) -> Judged:
    """Verdict at the paper's scale, all in the unit of ``metrics.csv``.

    Args:
        printed: the printed value.
        error: its standard error over test cases.
        ours: what the runs gave; None decides nothing.
        margin: of equivalence.
        min_seeds: fewer decide nothing.
    """
    if ours is None:
        return Judged("undecided", "an interval over test cases")
    other = Estimate(printed, error)
    enough = max(ours.seeds, min_seeds)
    if ours.seeds >= min_seeds:
        found = compare(ours.estimate(), other, margin)
        if found != "undecided":
            return Judged(found)
    for seeds in range(enough, MOST_SEEDS + 1):
        if compare(ours.estimate(seeds), other, margin) != "undecided":
            return Judged("undecided", f"{seeds} seeds")
    for times in MORE_CASES:
        if compare(ours.estimate(enough, times), other, margin) != "undecided":
            return Judged(
                "undecided", f"{enough} seeds and {round(times * ours.n_cases)} test cases"
            )
    return Judged("undecided", HOPELESS)


def over_seeds(rows: Sequence[MetricRow]) -> tuple[float, float | None, float | None]:
    """Mean over seeds and its interval inside the metric's limits, in the unit of ``metrics.csv``;
    see :func:`mednext.metrics.intervals.over_seeds`.
    """
    values = [row.value for row in rows if row.value is not None]
    known = [
        (row.value - row.ci_low, row.ci_high - row.value)
        for row in rows
        if row.value is not None and row.ci_low is not None and row.ci_high is not None
    ]
    if len(known) < len(values):
        return sum(values) / len(values), None, None
    centre, (low, high) = intervals.over_seeds(values, known)
    low = max(-1.0 if rows[0].metric is Metric.MCC else 0.0, low)
    return centre, low, high if _kind(rows[0].metric) == "hd95" else min(1.0, high)
