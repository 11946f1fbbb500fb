"""Rows of what the data sets hold, and of what leaks between the subsets of a split."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from mednext.results.base import Row


class DatasetRow(Row):
    """One row of ``datasets.csv``: one class (or label) of one data set, as Table 1 lists them."""

    retired: ClassVar[dict[str, str]] = {"groups_on_two_sides": "groups_in_two_subsets"}

    dataset: str
    name: str
    source: str
    source_id: str
    stand_in: str | None = None
    """Why the data only stand in for the data set: its numbers are then not comparable."""
    protocol: str
    klass: str | None
    unit: Literal["images", "cases"]
    train: int
    val: int
    test: int
    unused: int
    total: int
    expected_total: int | None
    printed_train: int | None
    printed_val: int | None
    printed_test: int | None
    groups: int
    groups_in_two_subsets: int
    data_hash: str
    split_hash: str


class Leak(StrEnum):
    """How the subsets of a split may overlap, or what may give the label away."""

    SAME_BYTES = "same_bytes"
    SAME_PIXELS = "same_pixels"
    NEAR_DUPLICATE = "near_duplicate"
    NEXT_SLICE = "next_slice"
    SAME_PHOTOGRAPH = "same_photograph"
    SAME_PATIENT = "same_patient"
    ANY = "any"
    CUE_COLOUR_MODE = "cue_colour_mode"
    CUE_SIZE = "cue_size"
    CUE_FORMAT = "cue_format"
    CUE_FILE_BYTES = "cue_file_bytes"
    CUE_ALL = "cue_all"


class LeakageRow(Row):
    """One row of ``leakage.csv``: one kind of leak in one split of a data set."""

    retired: ClassVar[dict[str, str]] = {"test_with_partner": "test_overlap"}

    dataset: str
    name: str
    source: str
    source_id: str
    stand_in: str | None
    protocol: str
    kind: Leak
    unit: Literal["images", "volumes"]
    items: int
    """In the three subsets together."""
    test_items: int
    pairs: int | None = None
    """Of related items; None for ``any`` and for cues."""
    within_class: int | None = None
    across_classes: int | None = None
    train_val: int | None = None
    """Pairs with one item in each of these subsets."""
    train_test: int | None = None
    val_test: int | None = None
    clusters: int | None = None
    """Connected sets of at least two items."""
    largest_cluster: int | None = None
    test_overlap: int | None = None
    """Test items that overlap with train: a related item is there."""
    accuracy: float | None = None
    """Cues: of a classifier that sees nothing else, cross-validated by group."""
    ci_low: float | None = None
    ci_high: float | None = None
    baseline: float | None = None
    """Cues: share of the most frequent class."""
    groups: int | None = None
    """Cues: whole groups were held out."""
    note: str | None = None
    data_hash: str
    split_hash: str


class OverlapGroupRow(Row):
    """One row of ``overlap_groups.csv``: one group (of copies, near-duplicates, successive slices
    or images of one patient) with members in the test set of a split.
    """

    dataset: str
    protocol: str
    group: str
    test: int
    """Items of the group in test."""
    train: int
    """Items of the group in train."""
