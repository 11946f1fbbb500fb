"""What a reproduced value says about the printed one; the rules stand in ``docs/verdicts.md``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import Field

from mednext.config import Strict, benchmarks_dir, parse, read_yaml
from mednext.metrics import intervals
from mednext.results import Metric, MetricRow, Verdict

Kind = Literal["fractions", "auc", "dice", "hd95"]


class Margin(Strict):
    """How wide an interval may be that still says something."""

    half_width: float = Field(gt=0)
    """Greatest half-width of the 95 % interval, in the unit of ``metrics.csv``."""
    words: str
    """The same in the printed unit, for readers."""
    why: str


class VerdictRules(Strict):
    """``benchmarks/verdicts.yaml``."""

    min_seeds: int = Field(ge=2)
    margins: dict[Kind, Margin]

    def margin(self, metric: Metric | None) -> float:
        """Greatest half-width of the intervals of a metric, in the unit of ``metrics.csv``."""
        return self.margins[_kind(metric)].half_width

    @property
    def sentence(self) -> str:
        """The rules in words, for the legend of a table."""
        others = ", ".join(
            f"{m.words} for {k}" for k, m in self.margins.items() if k != "fractions"
        )
        return (
            f"✓, ▲ and ▼ need at least {self.min_seeds} seeds and an interval of at most ± "
            f"{self.margins['fractions'].words} ({others}); ? is anything less certain."
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


def judge(
    printed: float,
    value: float,
    low: float | None,
    high: float | None,
    seeds: int,
    margin: float,
    min_seeds: int = 3,
) -> Verdict:
    """Verdict of a reproduced value at the paper's scale, all in the printed unit.

    ``margin`` is the greatest half-width of an interval that decides anything. Without an interval
    nothing is decided.
    """
    if low is None or high is None or seeds < min_seeds:
        return "inconclusive"
    if (high - low) / 2 > margin * (1 + 1e-9):  # a width that is just the margin has rounding in it
        return "inconclusive"
    if low <= printed <= high:
        return "reproduced"
    return "higher" if value > printed else "lower"


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
    mean, (low, high) = intervals.over_seeds(values, known)
    low = max(-1.0 if rows[0].metric is Metric.MCC else 0.0, low)
    return mean, low, high if _kind(rows[0].metric) == "hd95" else min(1.0, high)
