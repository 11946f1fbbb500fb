"""What a profile will take before anything starts: jobs, hours, disk, downloads, credentials.

Counts of images come from the prepared split where there is one, else from Table 1 (or the
phantom's counts) and the typical sizes of ``datasets.yaml``. Hours are measured GMACs and measured
seconds of this device (:mod:`mednext.training.calibrate`), passed in by the command line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from mednext.config import DatasetRun, DatasetSpec, Profile, load_datasets
from mednext.datasets.load import limited
from mednext.datasets.needs import Need, need_of
from mednext.datasets.prepare import padded_size, prepared_key
from mednext.datasets.source import resolve_source
from mednext.errors import UserError
from mednext.layout import DataPaths, RunPaths
from mednext.results import PlanRow, read_run

DATA_JOBS = 3
"""Of each data set, besides one per split: fetch, verify, prepare."""
FLOAT_BYTES = 4
CHECKPOINT_COPIES = 5
"""Weights, two moments of Adam, and the best weights of two selections."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one method at the size of one data set, and where they come from."""

    gmacs: float
    params: int
    train_seconds: float
    step_seconds: float
    forward_seconds: float
    basis: str
    """``measured`` on this device, or how it was derived."""


@dataclass(frozen=True)
class Sizes:
    """How many images (slices) are on each side, and how many cases are tested."""

    train: float
    val: float
    test: float
    exact: bool


@dataclass(frozen=True)
class Plan:
    """One profile, priced."""

    profile: Profile
    rows: list[PlanRow]
    needs: list[Need]
    disk_bytes: dict[str, int]
    """What lies on the disk in the end, by kind."""
    startup_seconds: float

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
        return sum(row.runs * (row.train_seconds + row.predict_seconds) for row in self.rows) / 3600

    @property
    def startup_hours(self) -> float:
        """Imports of all processes: one per training, two per evaluation, one per data job."""
        jobs = self.jobs
        count = jobs["data"] + jobs["train"] + 2 * jobs["evaluate"]
        return count * self.startup_seconds / 3600


def plan(profile: Profile, timing: Callable[[str, str], Timing], startup_seconds: float) -> Plan:
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
        seeds: dict[tuple[str, str], list[int]] = {}
        for protocol, method, seed in run.cells(profile.seeds):
            seeds.setdefault((protocol, method), []).append(seed)
        for (split, method), of in seeds.items():
            paths = [RunPaths(profile.profile, slug, split, method, seed) for seed in of]
            speed = timing(slug, method)
            row = _row(profile, slug, split, method, paths, sizes[split], speed)
            weights = row.params * FLOAT_BYTES
            disk["weights"] += row.runs * weights * len(profile.selections)
            disk["checkpoints"] = max(disk["checkpoints"], weights * CHECKPOINT_COPIES)
            rows.append(row)
    return Plan(profile, rows, needs, disk, startup_seconds)


def _row(
    profile: Profile,
    dataset: str,
    protocol: str,
    method: str,
    runs: Sequence[RunPaths],
    sizes: Sizes,
    timing: Timing,
) -> PlanRow:
    run = profile.datasets[dataset]
    steps = math.ceil(sizes.train / run.batch_size)
    watched = sizes.val + (sizes.test if "best_test" in profile.selections else 0)
    epoch = (
        sizes.train * timing.train_seconds
        + steps * timing.step_seconds
        + watched * timing.forward_seconds
    )
    measured = measured_seconds(runs, run.epochs)
    return PlanRow(
        dataset=dataset,
        protocol=protocol,
        method=method,
        runs=len(runs),
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
        measured_runs=len(measured),
        measured_seconds=sum(measured) / len(measured) if measured else None,
    )


def measured_seconds(runs: Sequence[RunPaths], epochs: int) -> list[float]:
    """Training seconds of those runs that are already there and complete."""
    found = []
    for paths in runs:
        try:
            record = read_run(paths.run_json)
        except UserError:
            continue  # not made yet, or of an older format: nothing to compare with
        if record.status == "ok" and record.epochs_done == epochs:
            found.append(record.wall_seconds)
    return found


def sizes_of(slug: str, spec: DatasetSpec, run: DatasetRun, protocol: str) -> Sizes:
    """Images (slices) per side: counted in the split if it is there, else as they are listed."""
    return _counted(slug, spec, run, protocol) or listed_sizes(
        spec, run, own_files(slug, spec, run)
    )


def own_files(slug: str, spec: DatasetSpec, run: DatasetRun) -> int:
    """Images, or image/label pairs, of a user's own data set; 0 for the others."""
    if spec.split_shares is None:
        return 0
    try:
        entries = resolve_source(slug, run).entries or ()
    except UserError:
        return 0  # the folder is missing: the plan says so elsewhere
    return len(entries) if spec.task == "classification" else len(entries) // 2


def listed_sizes(spec: DatasetSpec, run: DatasetRun, files: int = 0) -> Sizes:
    """As Table 1 or the phantom's counts have them, within the profile's limit; of a user's own set
    the shares of its ``files``.
    """
    if run.phantom is not None:
        sides = [run.phantom.train, run.phantom.val, run.phantom.test]
    elif spec.task == "segmentation":
        sides = list(spec.paper_split_cases or (0, 0, 0))
    else:
        columns = [c.paper_split or (0, 0, 0) for c in spec.classes]
        sides = [sum(column) for column in zip(*columns, strict=True)]
    if spec.split_shares is not None:
        sides = [round(files * share / sum(spec.split_shares)) for share in spec.split_shares]
    if run.limit is not None:
        limits = (run.limit.train, run.limit.val, run.limit.test)
        sides = [min(a, b) for a, b in zip(sides, limits, strict=True)]
    per_case = 1.0
    if spec.task == "segmentation":
        per_case = spec.typical.phantom_slices if run.phantom else spec.typical.slices
    train, val, test = (count * per_case for count in sides)
    return Sizes(train, val, test, exact=False)


def _counted(slug: str, spec: DatasetSpec, run: DatasetRun, protocol: str) -> Sizes | None:
    """From the split and the index of the prepared arrays, if both are there."""
    try:
        paths = DataPaths(resolve_source(slug, run).id, slug)
    except UserError:
        return None  # the local folder is missing: the plan says so elsewhere
    index = paths.prepared(prepared_key(slug, run.img_size)) / "index.csv"
    if not index.is_file() or not paths.split(protocol).is_file():
        return None
    table = pd.read_csv(paths.split(protocol), keep_default_na=False)
    sides = limited(table, run.limit, spec.task, slug)
    weight = pd.Series(1.0, index=table.index)
    if spec.task == "segmentation":
        depth = pd.read_csv(index).set_index("row").depth
        weight = table.row.map(depth).astype(float)
    train, val, test = (float(weight[sides == side].sum()) for side in ("train", "val", "test"))
    return Sizes(train, val, test, exact=True)


def prepared_bytes(slug: str, spec: DatasetSpec, run: DatasetRun) -> int:
    """Disk of the arrays of one data set at one image size (a limit does not make them smaller)."""
    whole = run.model_copy(update={"limit": None})
    sizes = listed_sizes(spec, whole, own_files(slug, spec, run))
    images = sizes.train + sizes.val + sizes.test
    if spec.task == "classification":
        return round(images * spec.channels * padded_size(run.img_size) ** 2)
    # Slices and volumes, each as float32 image and uint8 label.
    return round(images * 5 * (run.img_size**2 + spec.typical.slice_pixels))
