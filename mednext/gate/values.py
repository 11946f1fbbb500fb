"""The numbers that the gate compares: every metric, and the loss that each training ended with.

Test metrics of a small profile move much with the seed. The training loss of the last epoch moves
little, and sees at once that labels were swapped or that a network learns worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mednext.config import RunConfig
from mednext.files import read_csv
from mednext.layout import RunPaths
from mednext.results import (
    HISTORY,
    Metric,
    MetricRow,
    Outcome,
    Status,
    read_rows,
    read_run,
    write_rows,
)

LOSSES = "losses.csv"
TRAIN_LOSS: Literal["train_loss"] = "train_loss"
Gated = Metric | Literal["train_loss"]
Key = tuple[str, str, str, str, str, str | None, str | None]
"""Data set, protocol, method, selection, metric, target, policy."""


class LossRow(Outcome):
    """One row of ``losses.csv``: how one training ended."""

    profile: str
    source_id: str
    dataset: str
    protocol: str
    method: str
    seed: int
    epochs: int
    train_loss: float | None
    """Mean loss over the batches of the last epoch."""
    setting_hash: str
    data_hash: str
    split_hash: str
    env_hash: str


@dataclass(frozen=True)
class Value:
    """One number of one run; the names are those of ``metrics.csv``."""

    dataset: str
    protocol: str
    method: str
    selection: str
    metric: Gated | None
    target: str | None
    policy: str | None
    seed: int
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_cases: int | None
    source_id: str
    setting_hash: str
    data_hash: str | None
    split_hash: str | None
    env_hash: str
    status: Status
    reason: str | None

    @property
    def run(self) -> str:
        """The run, whatever the seed."""
        return f"{self.dataset}/{self.protocol}/{self.method}/{self.selection}"

    @property
    def key(self) -> Key:
        """What names the number, whatever the seed."""
        where = (self.dataset, self.protocol, self.method, self.selection)
        return (*where, str(self.metric), self.target, self.policy)

    @property
    def name(self) -> str:
        """The same for people."""
        policy = f"/{self.policy}" if self.policy else ""
        return f"{self.run} {self.metric} {self.target}{policy}"


NAMES = {field.name for field in fields(Value)}


def loss_rows(runs: Sequence[RunConfig]) -> list[LossRow]:
    """How the trainings of ``runs`` ended.

    Raises:
        UserError: a run has not been trained.
    """
    rows = []
    for run in runs:
        paths = RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)
        record = read_run(paths.run_json)
        loss = None
        if record.status == "ok":
            loss = float(read_csv(paths.history, HISTORY).train_loss.iloc[-1])
        rows.append(
            LossRow(
                profile=run.profile,
                source_id=run.source_id,
                dataset=run.dataset,
                protocol=run.protocol,
                method=run.method,
                seed=run.seed,
                epochs=record.epochs_done,
                train_loss=loss,
                setting_hash=RunConfig.model_validate(record.config).setting_hash,
                data_hash=record.data_hash,
                split_hash=record.split_hash,
                env_hash=record.env_hash,
                status=record.status,
                reason=record.reason,
            )
        )
    return rows


def write_losses(runs: Sequence[RunConfig], path: Path) -> None:
    """Write ``losses.csv``."""
    write_rows(path, LossRow, loss_rows(runs))


def read_values(folder: Path) -> list[Value]:
    """The rows of ``metrics.csv`` and ``losses.csv``.

    Raises:
        UserError: a file is missing or malformed.
    """
    metrics = read_rows(folder / "metrics.csv", MetricRow)
    losses = read_rows(folder / LOSSES, LossRow)
    return [Value(**row.model_dump(include=NAMES)) for row in metrics] + [_of(r) for r in losses]


def _of(row: LossRow) -> Value:
    """A training loss as a number like the others; no weights are chosen by it."""
    what: dict[str, Any] = {"selection": "last", "metric": TRAIN_LOSS, "target": "train"}
    what |= dict.fromkeys(("policy", "ci_low", "ci_high", "n_cases"))
    return Value(**row.model_dump(include=NAMES), **what, value=row.train_loss)
