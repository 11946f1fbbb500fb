"""What ``mednext score`` says of someone's predictions: rows of its CSVs, and ``score.json``."""

from __future__ import annotations

from mednext.results.base import Row
from mednext.results.metrics import Metric


class ScoreRow(Row):
    """One metric of the predictions; columns as in ``metrics.csv``."""

    metric: Metric
    target: str
    policy: str | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_cases: int
    n_groups: int


class AgainstRow(Row):
    """The predictions minus one run of the reference, on the same cases; values are fractions."""

    method: str
    seed: int
    metric: Metric
    value: float
    other: float
    difference: float
    ci_low: float | None
    ci_high: float | None
    """95 % interval, from draws of whole groups; None with a single group."""
    p: float | None
    """Two-sided, clustered: sign flips of whole groups, or Obuchowski's test of AUC."""
    p_holm: float | None
    """Adjusted for all runs of the reference and this metric."""


class PlaceRow(Row):
    """The rank of one method (mean over its seeds) among all, over draws of whole groups."""

    method: str
    seeds: int
    value: float
    rank: int
    rank_low: int
    rank_high: int
    """In 95 % of the draws."""
    first: float
    """Share of the draws in which it is the best; ties share."""


class WorstRow(Row):
    """One of the cases that the predictions get most wrong."""

    case: str
    group: str
    truth: str
    """Its class, or the organ that is found worst."""
    prediction: str | None
    """The class that was predicted."""
    score: float | None
    """Of the predicted class, or the mean Dice of the case."""
    others: float | None
    """Share of the reference's runs that get it right, or their mean Dice."""


class ScoreReport(Row):
    """``score.json``: everything that the page shows."""

    name: str
    sha256: str
    """Of the names and the content of the predictions."""
    version: str
    task: str
    dataset: str
    dataset_name: str
    protocol: str
    selection: str
    """Of the runs that the predictions are compared with."""
    source_id: str
    against: str | None
    n_cases: int
    n_groups: int
    notes: tuple[str, ...]
    metrics: tuple[ScoreRow, ...]
    against_rows: tuple[AgainstRow, ...]
    places: tuple[PlaceRow, ...]
    worst: tuple[WorstRow, ...]


YOURS = "yours"
"""In place of a method: the predictions that are scored."""
