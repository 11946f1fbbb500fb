"""Rows of what was computed from the test cases of runs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import model_validator

from mednext.results.base import Outcome, Row

PairedTest = Literal["mcnemar", "delong", "wilcoxon", "sign_flip", "obuchowski"]
Verdict = Literal["equivalent", "higher", "lower", "undecided", "not comparable"]


class Metric(StrEnum):
    """Every metric name that may occur in ``metrics.csv``."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    AUC = "auc"
    SPECIFICITY = "specificity"
    BALANCED_ACCURACY = "balanced_accuracy"
    MCC = "mcc"
    ECE = "ece"
    BRIER = "brier"
    DICE = "dice"
    HD95_POOLED_VOX = "hd95_pooled_vox"
    HD95_POOLED_MM = "hd95_pooled_mm"
    HD95_MAX_VOX = "hd95_max_vox"
    HD95_MAX_MM = "hd95_max_mm"
    TRAIN_LOSS = "train_loss"
    """Mean over the batches of the last epoch: no score of test cases."""


class MetricRow(Outcome):
    """One row of ``metrics.csv``; values are fractions (HD95: voxels or millimetres)."""

    later: ClassVar[frozenset[str]] = frozenset({"condition"})

    profile: str
    source: str
    source_id: str
    task: str
    dataset: str
    protocol: str
    selection: str
    method: str
    seed: int
    metric: Metric | None
    """None only in a row that is not ``ok``."""
    target: str | None
    """Classification: orientation (``disease``, ``non_disease``); segmentation: organ, ``mean``.
    ``train`` for the training loss."""
    policy: str | None
    """Segmentation: the empty-mask policy (``transunet``, ``nan``, ``worst``)."""
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_cases: int | None
    n_groups: int | None
    condition: str | None = None
    """None: the test set as it is. Else what was done to the images or the scores, or which other
    data were taken."""
    config_hash: str
    setting_hash: str
    """As ``config_hash``, without seed, threads and device: equal for runs that should agree."""
    data_hash: str | None
    split_hash: str | None
    code_hash: str
    env_hash: str

    @model_validator(mode="after")
    def _ok_rows_name_a_metric(self) -> MetricRow:
        if self.status == "ok" and (self.metric is None or self.target is None):
            raise ValueError("a row with status 'ok' needs a metric and a target")
        return self


def unconditional(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """The rows of the test sets as they are: what tables, figures and the gate judge."""
    return [row for row in rows if row.condition is None]


class OfOneSeed(Row):
    """What methods of one seed are compared on."""

    profile: str
    source: str
    source_id: str
    dataset: str
    protocol: str
    selection: str
    seed: int


class ComparisonRow(OfOneSeed):
    """One row of ``comparisons.csv``: two methods on the same test cases."""

    test: PairedTest
    metric: Metric
    method_a: str
    method_b: str
    value_a: float | None
    value_b: float | None
    p: float | None
    """Two-sided, of this pair alone; None where the test is not defined."""
    p_holm: float | None
    """Adjusted for all pairs of the data set, protocol, selection, seed and test."""
    n_cases: int
    n_groups: int
    note: str | None


class AgreementRow(Row):
    """One row of ``agreement.csv``: how two methods' results on the same test cases go together.

    Of a classification the images that both, one or none of them get right; of a segmentation the
    patients' mean Dice (fractions) and the SD over patients of the paired difference.
    """

    dataset: str
    kind: Literal["accuracy", "dice"]
    first: str
    second: str
    seed: int
    cases: int
    both: int | None
    only_first: int | None
    only_second: int | None
    neither: int | None
    mean_first: float
    mean_second: float
    sd_difference: float | None


class RankRow(OfOneSeed):
    """One row of ``ranking.csv``: how often a method has a rank over resampled groups."""

    metric: Metric
    method: str
    rank: int
    share: float
    n_groups: int


class CurveRow(Row):
    """One row of ``curves.csv``: one point of one curve of one run."""

    profile: str
    source: str
    source_id: str
    dataset: str
    protocol: str
    selection: str
    method: str
    seed: int
    curve: Literal["roc", "reliability", "train_loss", "val_loss", "val_score"]
    x: float
    """False-positive rate, mean score of a bin, or epoch (from 1)."""
    y: float | None
    """Sensitivity, share of the disease, loss or score; None where it is not defined."""
    y_low: float | None = None
    """95 % interval, where there is one."""
    y_high: float | None = None
    n: int
    """Cases behind the point; 1 for a value of the training."""


class DifferenceRow(Row):
    """One row of ``differences.csv``: ``method_a`` minus ``method_b``; values are fractions."""

    dataset: str
    protocol: str
    seed: int
    metric: Metric
    method_a: str
    method_b: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    """95 % interval, from draws of whole groups; None with a single group."""
    deviation: float
    """Root mean square of the paired difference of one case; squared, the discordance of two
    classifiers."""
    n_cases: int
    n_groups: int


ALL_METHODS = "all"
"""In place of a method: the mean over all methods, image by image."""
ALL_CLASSES, STANDARDISED = "all", "standardised"
"""In place of a class: images of all classes, as they are or with the weights of the test set."""


class OverlapRow(Row):
    """One row of ``train_overlap.csv``: one classifier on the test images whose group has members
    in train (overlap) and on the others (clean); values are fractions.
    """

    dataset: str
    protocol: str
    seed: int
    method: str
    """Or :data:`ALL_METHODS`, over all methods of this seed."""
    klass: str = ALL_CLASSES
    """A class, :data:`ALL_CLASSES`, or :data:`STANDARDISED`: each class with its share of the whole
    test set, so that the two kinds of images do not differ by their classes."""
    methods: int
    n_overlap: int
    n_clean: int
    groups_overlap: int
    groups_clean: int
    accuracy_overlap: float
    accuracy_clean: float
    difference: float
    """Overlap minus clean."""
    ci_low: float
    ci_high: float
    """95 % interval, from draws of whole groups."""
