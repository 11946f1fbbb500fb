"""An estimate against what finished runs took, from their ``run.json``.

A run that shared the machine with other work took longer than it costs. Its fastest epoch tells
what all of them would have taken undisturbed, so both ratios are shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mednext.config import Profile
from mednext.errors import UserError
from mednext.layout import RunPaths, results_root
from mednext.planning.format import hours
from mednext.results import PlanRow, RunRecord, read_run

FACTOR = 1.5
"""An estimate is good if truth is at most this many times more or less."""
DISTURBED = 1.2
"""Wall time over that of as many epochs like the fastest; above it the machine was busy."""


@dataclass(frozen=True)
class Compared:
    """One finished training beside its estimate, in seconds."""

    name: str
    estimated: float
    took: float
    undisturbed: float
    """As many epochs as there were, each like the fastest."""

    @property
    def busy(self) -> bool:
        """Did epochs differ so much that the machine cannot have been free?"""
        return self.took > DISTURBED * self.undisturbed


def compare(
    profile: Profile, rows: Sequence[PlanRow], folder: Path
) -> tuple[list[Compared], list[str]]:
    """Every finished run below ``folder`` (``results/<profile>``), and what could not be compared.

    The estimate of a run is scaled to the epochs that it did and the images that it had. Trainings
    that were reused from another protocol, or failed, are no truth about an estimate.

    Raises:
        UserError: no run of the profile is there.
    """
    found, left = [], []
    for row in rows:
        for seed in seeds_of(profile, row):
            run = RunPaths(profile.profile, row.dataset, row.protocol, row.method, seed)
            file = folder / run.run_json.relative_to(results_root(profile.profile))
            name = f"{row.dataset}/{row.protocol}/{row.method}/seed{seed}"
            if not file.is_file():
                continue
            record = read_run(file)
            reason = why_not(profile, row, record)
            if reason is None:
                found.append(_compared(name, row, record))
            else:
                left.append(f"{name}: {reason}")
    if not found:
        raise UserError(
            "no finished run to compare the plan with",
            file=folder,
            found="; ".join(left) or "no run.json",
            expected=f"runs of profile '{profile.profile}'",
            remedy="give the results folder of the profile that --configfile names",
        )
    return found, left


def seeds_of(profile: Profile, row: PlanRow) -> list[int]:
    """The seeds of one row of a plan."""
    cells = profile.datasets[row.dataset].cells(profile.seeds)
    return [s for protocol, method, s in cells if (protocol, method) == (row.protocol, row.method)]


def why_not(profile: Profile, row: PlanRow, record: RunRecord) -> str | None:
    """Why a record says nothing about the estimate of its row; None if it does."""
    if record.status != "ok":
        return f"{record.status} ({record.reason})"
    if record.trained_as is not None:
        return f"reused from '{record.trained_as}'"
    run = profile.datasets[row.dataset]
    expected = {"img_size": run.img_size, "batch_size": run.batch_size, "threads": profile.threads}
    other = {k: record.config.get(k) for k, v in expected.items() if record.config.get(k) != v}
    if other:
        return f"made with other settings ({', '.join(f'{k} {v}' for k, v in other.items())})"
    return None if record.epoch_seconds else "no epoch was timed"


def against_text(found: Sequence[Compared], left: Sequence[str]) -> str:
    """One line per run, and all together."""
    out = [f"{'run':56} {'estimate':>9} {'took':>9} {'ratio':>6} {'undisturbed':>12} {'ratio':>6}"]
    for run in found:
        out.append(_line(run.name, run) + (" (busy machine)" if run.busy else ""))
    total = Compared(
        f"together ({len(found)} runs)",
        math.fsum(run.estimated for run in found),
        math.fsum(run.took for run in found),
        math.fsum(run.undisturbed for run in found),
    )
    out.append(_line(total.name, total))
    for what, ratios in (
        ("wall time", [run.estimated / run.took for run in found]),
        ("undisturbed time", [run.estimated / run.undisturbed for run in found]),
    ):
        good = sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
        out.append(
            f"within a factor of {FACTOR} of the {what}: {good} of {len(ratios)} runs "
            f"(from {min(ratios):.2f} to {max(ratios):.2f})"
        )
    return "\n".join([*out, *(f"not compared: {line}" for line in left)])


def _compared(name: str, row: PlanRow, record: RunRecord) -> Compared:
    done = len(record.epoch_seconds)
    had = record.n_train / row.n_train
    return Compared(
        name,
        row.train_seconds * had * done / row.epochs,
        record.wall_seconds,
        done * min(record.epoch_seconds),
    )


def _line(name: str, run: Compared) -> str:
    return (
        f"{name:56} {hours(run.estimated):>9} {hours(run.took):>9} "
        f"{run.estimated / run.took:6.2f} {hours(run.undisturbed):>12} "
        f"{run.estimated / run.undisturbed:6.2f}"
    )
