"""Schemas of the small result files, their readers and writers.

Everything below ``report`` reads only these files. A row that does not fit its schema is refused
on writing and on reading, so that a table can never be drawn from something malformed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from mednext.errors import UserError
from mednext.files import write_csv, write_json

Status = Literal["ok", "failed", "skipped", "pending"]
CostVerdict = Literal["matches", "near", "off", "not printed"]
PairedTest = Literal["mcnemar", "delong", "wilcoxon"]
Verdict = Literal["reproduced", "higher", "lower", "inconclusive", "not comparable"]


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


class Row(BaseModel):
    """One row of a result file. An empty cell is None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Outcome(Row):
    """A row that may stand for something that did not come about."""

    status: Status
    reason: str | None = None

    @model_validator(mode="after")
    def _reason_given(self) -> Outcome:
        if self.status != "ok" and not self.reason:
            raise ValueError(f"status '{self.status}' needs a reason")
        return self


class MetricRow(Outcome):
    """One row of ``metrics.csv``; values are fractions (HD95: voxels or millimetres)."""

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
    """Classification: orientation (``disease``, ``non_disease``); segmentation: organ, ``mean``."""
    policy: str | None
    """Segmentation: the empty-mask policy (``transunet``, ``nan``, ``worst``)."""
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_cases: int | None
    n_groups: int | None
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


class CostRow(Row):
    """One row of ``cost.csv``: one method of one task with one head."""

    method: str
    task: str
    input_shape: str
    """``1x3x224x224``."""
    num_classes: int
    params: int
    gmacs_torch: float
    gmacs_fvcore: float | None
    gmacs_ptflops: float | None
    activations_m: float | None
    uncounted_ops: str | None
    """Counter -> the operations it left out: ``torch: add x3, gelu x2; fvcore: ...``."""
    reported_params_m: float | None
    reported_gmacs: float | None
    verdict_params: CostVerdict | None
    """None in the row of the head that does not carry the verdict."""
    verdict_gmacs: CostVerdict | None
    reason: str | None
    train_batch: int | None = None
    """The recipe's batch size."""
    train_memory_mib: float | None = None
    """Peak of one training step with that batch (fp32, AdamW), without the allocator's overhead."""


class LatencyRow(Outcome):
    """One row of ``latency.csv``: one method in one setting, over all rounds."""

    method: str
    device: Literal["cpu", "cuda"]
    mode: Literal["eager", "compiled"]
    threads: int
    dtype: Literal["fp32", "bf16"]
    memory_format: Literal["channels_last"]
    batch: int
    """Smaller than asked for where memory did not suffice; the reason says so."""
    input_shape: str
    median_ms: float | None
    iqr_ms: float | None
    p95_ms: float | None
    images_per_s: float | None
    peak_memory_mib: float | None
    """Of the device, or of the whole process on a CPU."""
    repeats: int
    busy: bool
    """Others took CPU time meanwhile."""
    env_hash: str


class SignalRow(Row):
    """One row of a dead-signal report: one part of one MED block (``mednext models signal``)."""

    method: str
    dataset: str
    """``noise`` for random images."""
    protocol: str | None
    seed: int
    weights: Literal["initial", "last"]
    images: int
    img_size: int
    module: str
    part: str
    channels: int
    positions: int
    branch_std: float
    """Of the part's output over the images; constants do not count."""
    stream_std: float
    """The same of the residual stream."""
    ratio: float
    grad_rms: float
    """Of the loss over the part's weights."""
    weight_rms: float


class DatasetRow(Row):
    """One row of ``datasets.csv``: one class (or label) of one data set, as Table 1 lists them."""

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
    groups_on_two_sides: int
    data_hash: str
    split_hash: str


class Leak(StrEnum):
    """What may tie the sides of a split together, or give the label away."""

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

    dataset: str
    name: str
    source: str
    source_id: str
    stand_in: str | None
    protocol: str
    kind: Leak
    unit: Literal["images", "volumes"]
    items: int
    """On the three sides together."""
    test_items: int
    pairs: int | None = None
    """Of related items; None for ``any`` and for cues."""
    within_class: int | None = None
    across_classes: int | None = None
    train_val: int | None = None
    """Pairs with one item on each of these sides."""
    train_test: int | None = None
    val_test: int | None = None
    clusters: int | None = None
    """Connected sets of at least two items."""
    largest_cluster: int | None = None
    test_with_partner: int | None = None
    """Test items that have a related item in train."""
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


class ComparisonRow(Row):
    """One row of ``comparisons.csv``: two methods on the same test cases."""

    profile: str
    source: str
    source_id: str
    dataset: str
    protocol: str
    selection: str
    seed: int
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


class ProbeRow(Row):
    """One row of ``probes.csv``: one sample of an untrained network's output."""

    method: str
    position: int
    value: float


class RankRow(Row):
    """One row of ``ranking.csv``: how often a method has a rank over resampled groups."""

    profile: str
    source: str
    source_id: str
    dataset: str
    protocol: str
    selection: str
    seed: int
    metric: Metric
    method: str
    rank: int
    share: float
    n_groups: int


class PlanRow(Row):
    """One row of a plan: one method on one split, all seeds."""

    dataset: str
    protocol: str
    method: str
    runs: int
    trained: int
    """Of the runs those that train; the others take over what a protocol with the same split
    trained."""
    params: int
    gmacs: float
    """Of one image at the profile's size."""
    n_train: int
    n_val: int
    n_test: int
    counts: Literal["prepared", "typical"]
    """Were images counted in the split, or taken from Table 1 and typical sizes?"""
    epochs: int
    train_seconds: float
    """Of one run, its validation included."""
    predict_seconds: float
    """Of the test side, all selections."""
    basis: str
    """How the seconds were found."""


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


class RunRecord(Outcome):
    """``run.json``: everything that is needed to repeat one training run."""

    config: dict[str, Any]
    config_hash: str
    data_hash: str
    split_hash: str
    code_hash: str
    env_hash: str
    git_commit: str | None
    git_dirty: bool | None
    device: str
    machine: dict[str, Any]
    versions: dict[str, str]
    threads: int
    epochs_done: int
    best_epochs: dict[str, int]
    """Selection -> the epoch (from 1) whose weights it holds; ``last`` is not listed."""
    micro_batch: int
    """Images per forward pass; gradients were summed up to the batch size."""
    memory_halvings: int
    """How often the micro-batch was halved because the device was out of memory."""
    n_train: int
    n_val: int
    n_test: int
    wall_seconds: float
    """Training time summed over all continued parts."""
    epoch_seconds: list[float]
    """Of each epoch, its validation included."""
    weights: dict[str, str]
    """Selection -> SHA-256 of its weights file."""
    trained_as: str | None = None
    """The protocol whose training this is, where another one has the same split; None: its own."""


R = TypeVar("R", bound=Row)


def write_rows(path: Path, model: type[R], rows: Sequence[R]) -> None:
    """Write ``rows`` as CSV with exactly the columns of ``model``, atomically."""
    columns = list(model.model_fields)
    records = [row.model_dump(mode="json") for row in rows]
    # As objects, so that whole numbers with gaps stay whole: pandas would turn them into floats.
    frame = pd.DataFrame(records, columns=columns, dtype=object)
    write_csv(path, frame)


def read_rows(path: Path, model: type[R]) -> list[R]:
    """Read a CSV written by :func:`write_rows`.

    Raises:
        UserError: the file is missing, or a row does not fit the schema.
    """
    if not path.is_file():
        raise UserError(
            "a result file is missing", file=path, remedy="run the workflow that makes it first"
        )
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    unknown = set(frame.columns) ^ set(model.model_fields)
    if unknown:
        raise UserError(
            "a result file has the wrong columns",
            file=path,
            found=", ".join(sorted(unknown)) + " (missing or unknown)",
            expected=", ".join(model.model_fields),
        )
    records = ({k: (v if v != "" else None) for k, v in r.items()} for r in _records(frame))
    return [_validate(model, record, path, n) for n, record in enumerate(records, start=2)]


def _records(frame: pd.DataFrame) -> Iterable[dict[str, str]]:
    yield from frame.to_dict(orient="records")


def _validate(model: type[R], record: dict[str, Any], path: Path, line: int) -> R:
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"line {line}, column '{'.'.join(map(str, first['loc'])) or 'row'}' is not valid",
            file=path,
            found=repr(first["input"])[:200],
            expected=first["msg"],
        ) from None


def write_run(path: Path, record: RunRecord) -> None:
    """Write ``run.json``, atomically."""
    write_json(path, record.model_dump(mode="json"))


def read_run(path: Path) -> RunRecord:
    """Read ``run.json``.

    Raises:
        UserError: missing, not JSON, or not of the schema.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("this run has not been made", file=path, remedy="train it first") from None
    except json.JSONDecodeError as error:
        raise UserError("not valid JSON", file=path, found=str(error)) from None
    return _validate(RunRecord, value, path, 1)


def cost_verdict(measured: float, printed: float | None, digits: int) -> CostVerdict:
    """How a measured cost relates to the printed one.

    ``matches``: rounds or truncates to the printed digits; ``near``: within 0.5 %; else ``off``.
    Both are in the printed unit (millions of parameters, GMACs).
    """
    if printed is None:
        return "not printed"
    scale = 10**digits
    printed_units = round(printed * scale)
    if printed_units in (round(measured * scale), math.floor(measured * scale + 1e-9)):
        return "matches"
    return "near" if abs(measured - printed) <= 0.005 * printed else "off"
