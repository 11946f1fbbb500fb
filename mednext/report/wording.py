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

    @property
    def words(self) -> str:
        """``higher`` or ``lower`` where the interval excludes 0, else ``inconclusive``."""
        if self.low is None or self.high is None:
            return "inconclusive: no interval"
        value, low, high = (signed(v) for v in (self.value, self.low, self.high))
        interval = f"{value} points, the interval is [{low}, {high}]"
        if self.low > 0:
            return f"higher: {interval}"
        return f"lower: {interval}" if self.high < 0 else f"inconclusive: {interval}"


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
