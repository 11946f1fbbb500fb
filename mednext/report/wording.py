"""Words of metrics; and what may be said of a difference: chosen by its interval alone."""

from __future__ import annotations

from dataclasses import dataclass

from mednext.results import DifferenceRow, Metric

ALPHA = 0.05
METRIC_NAMES: dict[str, str] = {
    Metric.ACCURACY: "Accuracy",
    Metric.PRECISION: "Precision",
    Metric.RECALL: "Recall",
    Metric.F1: "F1",
    Metric.AUC: "AUC",
    Metric.SPECIFICITY: "Specificity",
    Metric.BALANCED_ACCURACY: "Balanced accuracy",
    Metric.MCC: "MCC",
    Metric.ECE: "ECE",
    Metric.BRIER: "Brier score",
    Metric.DICE: "Dice",
    Metric.HD95_POOLED_VOX: "HD95, pooled (voxels)",
    Metric.HD95_POOLED_MM: "HD95, pooled (mm)",
    Metric.HD95_MAX_VOX: "HD95, maximum (voxels)",
    Metric.HD95_MAX_MM: "HD95, maximum (mm)",
    Metric.TRAIN_LOSS: "Training loss",
}


@dataclass(frozen=True)
class Estimate:
    """A difference in percentage points with its 95 % interval, if there is one."""

    value: float
    low: float | None
    high: float | None
    p: float | None = None
    """Corrected for what else was compared, if it was: then it decides."""

    @property
    def told(self) -> bool:
        """Is the difference told from 0?"""
        if self.low is None or self.high is None:
            return False
        return not self.low <= 0 <= self.high if self.p is None else self.p < ALPHA

    @property
    def words(self) -> str:
        """``higher`` or ``lower`` where the difference is told from 0, else ``inconclusive``."""
        if self.low is None or self.high is None or not self.told:
            return f"inconclusive: {self.interval}"
        return f"{'higher' if self.low + self.high > 0 else 'lower'}: {self.interval}"

    @property
    def interval(self) -> str:
        """The difference and its interval in words."""
        if self.low is None or self.high is None:
            return "no interval"
        value, low, high = (signed(v) for v in (self.value, self.low, self.high))
        return f"{value} points, the interval is [{low}, {high}]"


def signed(value: float) -> str:
    """With its sign and one decimal; what rounds to nothing has a plus, never a minus."""
    return f"{round(value, 1) + 0.0:+.1f}"


def estimate(row: DifferenceRow, turned: bool = False) -> Estimate:
    """One pair of methods in one seed; ``turned`` gives the second method minus the first."""
    sign = -100 if turned else 100
    if row.ci_low is None or row.ci_high is None:
        return Estimate(sign * row.difference, None, None)
    low, high = sorted((sign * row.ci_low, sign * row.ci_high))
    return Estimate(sign * row.difference, low, high)
