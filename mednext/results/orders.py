"""Rows of ``orders.csv``: may one method be placed above another?"""

from __future__ import annotations

from typing import Literal

from mednext.results.base import Row
from mednext.results.metrics import Metric

FEWEST_SEEDS = 3
"""Fewer seeds of a method place it nowhere."""
Basis = Literal["seeds", "borrowed"]


class OrderRow(Row):
    """``method_a`` minus ``method_b``, with the error of other trainings and other groups of cases.

    ``seeds``: over the seeds that both have, at least three. ``borrowed``: of a single seed, with
    the variance between seeds of other methods on the data set.
    """

    dataset: str
    protocol: str
    metric: Metric
    method_a: str
    method_b: str
    basis: Basis
    seeds: str
    """Separated by blanks."""
    n_cases: int
    n_groups: int
    difference: float
    error: float
    df: float
    p: float
    """Two-sided, Student's with ``df`` degrees of freedom."""
    p_holm: float
    """Corrected for the ``family`` pairs of the data set, protocol and basis."""
    family: int
    design_effect: float
    """Variance of the difference between groups over that of as many independent cases."""
    detectable: float
    """Smallest true difference that this design finds with probability 0.8, in one comparison
    alone, ..."""
    detectable_holm: float
    """and as the first of all comparisons."""
    borrowed_from: str | None
    """Methods whose seeds the variance comes from, and their seeds."""


class CeilingRow(Row):
    """One row of ``ceiling.csv``: Dice of perfect masks that were resized there and back."""

    dataset: str
    protocol: str
    img_size: int
    target: str
    """An organ, or ``mean``."""
    dice: float
    """Fraction; mean over the test volumes, empty masks as in the headline."""
    n_cases: int
    n_groups: int
