"""What a profile will take before anything starts: jobs, hours, disk, downloads, credentials.

Counts of images are those of :mod:`mednext.planning.sizes`. Seconds are those of this device, as
measured (:mod:`mednext.planning.estimate`), or of a GPU that is not here
(:mod:`mednext.planning.roofline`), passed in by the command line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mednext.config import Profile, load_datasets
from mednext.datasets.needs import Need, need_of
from mednext.planning.sizes import Sizes, prepared_bytes, sizes_of, split_key
from mednext.results import PlanRow
from mednext.training.train import CHECKPOINT_SECONDS

DATA_JOBS = 3
"""Of each data set, besides one per split: fetch, verify, prepare."""
FLOAT_BYTES = 4
CHECKPOINT_COPIES = 3
"""Weights and two moments of Adam; the best weights of a selection come on top."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one method at the size of one data set, and where they come from."""

    gmacs: float
    params: int
    train_seconds: float
    step_seconds: float
    forward_seconds: float
    basis: str
    """What was measured of the method: its training steps, its forward pass, or its GMACs."""
    validated_every: int = 1
    """Epochs between two validations."""


@dataclass(frozen=True)
class Plan:
    """One profile, priced."""

    profile: Profile
    rows: list[PlanRow]
    needs: list[Need]
    disk_bytes: dict[str, int]
    """What lies on the disk in the end, by kind."""
    startup_seconds: float
    write_rate: float
    """Bytes per second."""

    @property
    def jobs(self) -> dict[str, int]:
        """Number of jobs by kind; the handful of jobs that gather and draw is not counted."""
        datasets = self.profile.datasets.values()
        runs = sum(row.runs for row in self.rows)
        return {
            "data": sum(DATA_JOBS + len(run.all_protocols) for run in datasets),
            "train": runs,
            "evaluate": runs,
        }

    @property
    def device_hours(self) -> float:
        """Training and prediction, one after the other."""
        return sum(map(device_seconds, self.rows)) / 3600

    @property
    def writing_hours(self) -> float:
        """Checkpoints after epochs, and the weights in the end."""
        selections = self.profile.selections
        count = sum(
            row.trained
            * row.params
            * (self._checkpoints(row) * checkpoint_copies(selections) + len(selections))
            for row in self.rows
        )
        return count * FLOAT_BYTES / self.write_rate / 3600

    def _checkpoints(self, row: PlanRow) -> float:
        if self.profile.device != "cuda":
            return row.epochs
        return min(row.epochs, 1 + row.train_seconds / CHECKPOINT_SECONDS["cuda"])

    @property
    def startup_hours(self) -> float:
        """Imports of all processes: one per training, two per evaluation, one per data job."""
        jobs = self.jobs
        count = jobs["data"] + jobs["train"] + 2 * jobs["evaluate"]
        return count * self.startup_seconds / 3600


def device_seconds(row: PlanRow) -> float:
    """Of all seeds: training, except where another protocol's is reused, and prediction."""
    return row.trained * row.train_seconds + row.runs * row.predict_seconds


def checkpoint_copies(selections: Sequence[str]) -> int:
    """How many times a checkpoint holds as much as the weights."""
    return CHECKPOINT_COPIES + len(selections) - ("last" in selections)


def plan(
    profile: Profile,
    timing: Callable[[str, str], Timing],
    startup_seconds: float,
    write_rate: float = math.inf,
) -> Plan:
    """Price every run of ``profile``; ``timing`` answers for a data set and a method."""
    rows = []
    disk = {"downloads": 0, "unpacked": 0, "prepared": 0, "weights": 0, "checkpoints": 0}
    needs = []
    for slug, run in profile.datasets.items():
        spec = load_datasets()[slug]
        need = need_of(slug, run)
        needs.append(need)
        if run.source == "official":
            disk["downloads"] += need.download_bytes
            disk["unpacked"] += need.unpacked_bytes
        disk["prepared"] += prepared_bytes(slug, spec, run)
        sizes: dict[str, Sizes] = {p: sizes_of(slug, spec, run, p) for p in run.all_protocols}
        keys = {p: split_key(slug, spec, run, p) for p in run.all_protocols}
        trained: set[tuple[str, str, int]] = set()
        runs: Counter[tuple[str, str]] = Counter()
        own: Counter[tuple[str, str]] = Counter()
        for protocol, method, seed in run.cells(profile.seeds):
            runs[protocol, method] += 1
            # As in the workflow, the first protocol of a split trains for all that have it.
            own[protocol, method] += (keys[protocol], method, seed) not in trained
            trained.add((keys[protocol], method, seed))
        for (split, method), count in runs.items():
            speed = timing(slug, method)
            trains = own[split, method]
            row = _row(profile, slug, split, method, count, trains, sizes[split], speed)
            weights = row.params * FLOAT_BYTES
            disk["weights"] += row.runs * weights * len(profile.selections)
            checkpoint = weights * checkpoint_copies(profile.selections)
            disk["checkpoints"] = max(disk["checkpoints"], checkpoint)
            rows.append(row)
    return Plan(profile, rows, needs, disk, startup_seconds, write_rate)


def _row(
    profile: Profile,
    dataset: str,
    protocol: str,
    method: str,
    runs: int,
    trained: int,
    sizes: Sizes,
    timing: Timing,
) -> PlanRow:
    run = profile.datasets[dataset]
    steps = math.ceil(sizes.train / run.batch_size)
    epoch = (
        sizes.train * timing.train_seconds
        + steps * timing.step_seconds
        + watched(profile, sizes.val, sizes.test) * timing.forward_seconds / timing.validated_every
    )
    return PlanRow(
        dataset=dataset,
        protocol=protocol,
        method=method,
        runs=runs,
        trained=trained,
        params=timing.params,
        gmacs=timing.gmacs,
        n_train=round(sizes.train),
        n_val=round(sizes.val),
        n_test=round(sizes.test),
        counts="prepared" if sizes.exact else "typical",
        epochs=run.epochs,
        train_seconds=run.epochs * epoch,
        predict_seconds=len(profile.selections) * sizes.test * timing.forward_seconds,
        basis=timing.basis,
    )


def watched(profile: Profile, val: float, test: float) -> float:
    """Images that an epoch is validated on: those of the test set, too, where a selection asks."""
    return val + (test if "best_test" in profile.selections else 0)


@dataclass(frozen=True)
class Counts:
    """What all runs of a row do."""

    steps: int
    validated: float
    """Images."""
    predicted: float
    """Images."""


def counts(profile: Profile, row: PlanRow) -> Counts:
    """Training steps, validated images and predicted images of all seeds of one row."""
    epochs = row.trained * row.epochs
    return Counts(
        steps=epochs * math.ceil(row.n_train / profile.datasets[row.dataset].batch_size),
        validated=epochs * watched(profile, row.n_val, row.n_test),
        predicted=row.runs * len(profile.selections) * row.n_test,
    )
