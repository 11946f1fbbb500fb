"""The numbers that the gate compares: the rows of ``metrics.csv``, by what they are numbers of.

Test metrics of a small profile move much with the seed. The training loss of the last epoch moves
little, and sees at once that labels were swapped or that a network learns worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mednext.errors import UserError
from mednext.results import Metric, MetricRow, read_rows

Key = tuple[str, ...]
"""Data set, protocol, method, selection, metric, target, policy, condition."""
AXES = ("dataset", "protocol", "method", "selection", "metric", "target", "policy", "condition")


def key_of(row: Any) -> Key:
    """What names a number of ``metrics.csv`` or ``spread.csv``, whatever the seed."""
    return tuple(str(getattr(row, axis, None) or "") for axis in AXES)


def run_name(row: MetricRow) -> str:
    """The run of a number, whatever the seed."""
    return "/".join(key_of(row)[:4])


def name_of(row: MetricRow) -> str:
    """A number for people, whatever the seed."""
    policy = f"/{row.policy}" if row.policy else ""
    condition = f" ({row.condition})" if row.condition else ""
    return f"{run_name(row)} {row.metric} {row.target}{policy}{condition}"


def read_metrics(folder: Path) -> list[MetricRow]:
    """The rows of ``metrics.csv``.

    Raises:
        UserError: the file is missing, malformed, or of the form before version 0.2.
    """
    rows = read_rows(folder / "metrics.csv", MetricRow)
    if (folder / "losses.csv").is_file() and not any(r.metric is Metric.TRAIN_LOSS for r in rows):
        raise UserError(
            "these results are of the form before version 0.2",
            file=folder / "losses.csv",
            found="the training losses in a file of their own",
            expected="rows train_loss in metrics.csv",
            remedy="make the results again (make results; a reference: make reference REASON=...) "
            "and remove losses.csv",
        )
    return rows
