"""Rows of what was asked beforehand: what a design can show, and what its runs say."""

from __future__ import annotations

from mednext.results.base import Outcome, Row
from mednext.results.metrics import Metric


class PlannedRow(Row):
    """One row of ``planned.csv``: what a contrast can show, before its runs are looked at."""

    part: str
    dataset: str
    metric: Metric
    condition: str | None
    """Of both arms, as in ``conditions.csv``; empty for the test set as it is."""
    a: str
    """``method`` or ``method/protocol``."""
    b: str
    primary: bool
    seeds: int
    trainings: int
    """Of each arm: seeds times folds."""
    n_cases: int
    n_groups: int
    pilot: str
    """Which runs the variances come from."""
    detectable: float
    """Smallest true difference that the joint interval shows with probability 0.8."""


class ContrastRow(Outcome):
    """One row of ``contrasts.csv``: what the runs say; ``pending`` where some are missing."""

    part: str
    dataset: str
    selection: str
    metric: Metric
    condition: str | None
    a: str
    b: str
    primary: bool
    seeds: int
    trainings: int
    n_cases: int | None
    n_groups: int | None
    value_a: float | None
    value_b: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_holm: float | None
    """Corrected for the primary contrasts of the part; empty for others."""
    p_overlapping: float | None
    """Of a cross-validation: each training one value, its overlap with the others' training sets
    allowed for; not corrected, and decides nothing."""
    most_frequent: float | None
    """Of an accuracy on test images of the data set: share of their most frequent class."""
