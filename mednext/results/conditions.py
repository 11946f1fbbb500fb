"""Rows of ``conditions.csv``, what other conditions change, and of the scores behind it."""

from __future__ import annotations

from mednext.results.base import Row
from mednext.results.metrics import Metric


class ConditionRow(Row):
    """One metric of one run under another condition, against its test set as it is; fractions."""

    dataset: str
    protocol: str
    method: str
    seed: int
    weights: str
    """First 12 digits of the SHA-256 of the weights' file: these may have been trained again, on
    another machine than the run that is exported under this name."""
    condition: str
    """As in ``metrics.csv``; ``shifted: mean`` is the mean over all corruptions and severities."""
    metric: Metric
    before: float
    after: float
    change: float
    """After minus before."""
    ci_low: float | None
    ci_high: float | None
    """95 %, paired case by case; of other data, joined as of independent sets."""
    relative: float | None
    """Of ``shifted: mean``: mean over corruptions of the error's sum over severities, over that of
    the baseline (ResNet-18 or U-Net of the same seed); below 1 is more robust."""
    n_cases: int
    n_groups: int


class ConditionScoreRow(Row):
    """One case of one run under another condition: what contrasts over trainings are made of."""

    condition: str
    """``external: <folder>``, or ``shifted: mean``: over all corruptions and severities."""
    weights: str
    """First 12 digits of the SHA-256 of the weights' file."""
    group: str
    score: float
    """Share of the images that are right, or mean Dice of the patient over organs and frames."""
