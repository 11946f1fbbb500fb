"""Rows of ``subgroups.csv``: who is served worse."""

from __future__ import annotations

from mednext.results.base import Row
from mednext.results.metrics import Metric


class SubgroupRow(Row):
    """One level of one attribute, against all other cases; values are fractions."""

    dataset: str
    protocol: str
    """``cv`` where the five folds of a cross-validation are pooled."""
    method: str
    """Or ``all``: the mean over all methods, case by case."""
    seeds: int
    """Whose mean is taken, case by case."""
    metric: Metric
    attribute: str
    level: str
    n_cases: int
    n_groups: int
    value: float
    ci_low: float | None
    ci_high: float | None
    """Of the level: 95 % for all levels of the attribute together (Bonferroni), so that it holds
    for the worst of them, too."""
    worst: bool
    """Of the levels of its attribute."""
    difference: float
    """Minus all other cases."""
    diff_low: float | None
    diff_high: float | None
    p: float | None
    p_holm: float | None
    """Adjusted for all levels of all attributes of this method."""
    noticeable: float | None
    """Smallest deficit that such a test would find with probability 0.8, corrected for as many."""
    power: float | None
    """Probability to find a deficit of ten points."""
