"""Export finished runs: what a repository can hold of them, for ``mednext results import``.

Of each run the record, the history and the counts per case, which all metrics are computed from;
never weights, predictions or images. Equal runs give equal bytes.
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from mednext.config import Profile, RunConfig
from mednext.errors import UserError
from mednext.files import exclusive, publish_folder, scratch_folder, write_bytes
from mednext.layout import RunPaths
from mednext.results import read_rows, read_run, write_rows
from mednext.results.conditions import ConditionRow, ConditionScoreRow
from mednext.runs.merge import RECORD, Found, check_equal, check_wanted, runs_in, take_all
from mednext.runs.resolve import resolve_run, run_name

SMALL = (
    "datasets.csv",
    "leakage.csv",
    "overlap_groups.csv",
    "ceiling.csv",
    "cost.csv",
    "probes.csv",
    "signal.csv",
    "conditions.csv",
    "plan_paper.csv",
)
"""Results that need data or networks, and are taken along if they are there."""
CONDITIONS = "conditions.csv"
"""Has rows of its own for each run: those of runs that are not evaluated here stay."""
SCORES = RunPaths("", "", "", "", 0).condition_scores.name
RETIRED = {
    "losses.csv": "metrics.csv",
    "relatives.csv": "overlap_groups.csv",
    "seen.csv": "train_overlap.csv",
}
"""Files of version 0.1, and where their rows are now."""


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    finished: list[str]
    """Runs that lie in the export now."""
    unfinished: list[str]
    """Runs of the profile that do not."""
    files: list[str]
    """Small result files taken along."""


def export_runs(folder: Path, profile: Profile, out: Path) -> Exported:
    """Copy the finished runs of ``folder`` (``results/<profile>``) to ``out/runs``.

    A run is finished when its counts per case are there for every selection; others are left out.
    Runs that were exported before stay, so an export can be made again as a sweep goes on.

    Raises:
        UserError: a run is not one of the profile's, or the runs are not of one code, data set or
            split.
    """
    names = {name for name, _ in cells(profile)}
    found = [run for run in runs_in(folder, weights=False) if run.name in names]
    finished = [run for run in found if _finished(run)]
    for run in finished:
        check_wanted(run, as_resolved(run, profile), profile.profile)
    before = runs_in(out) if any((out / "runs").glob(f"*/*/*/seed*/{RECORD}")) else []
    check_equal([*before, *finished])
    with exclusive(out, f"the export of profile '{profile.profile}'"):
        for run in finished:
            _pack(run, out / "runs" / run.name)
            _pack_scores(run, out / "runs" / run.name)
        files = [name for name in SMALL if (folder / name).is_file()]
        for name in files:
            if name == CONDITIONS:
                _add_conditions(folder / name, out / name, profile)
            else:
                write_bytes(out / name, (folder / name).read_bytes())
    there = {run.name for run in (*before, *finished)}
    return Exported(sorted(there), [name for name in sorted(names) if name not in there], files)


def cells(profile: Profile) -> list[tuple[str, str]]:
    """Every run of ``profile`` by its name, with its data set; no data are needed."""
    return [
        (f"{dataset}/{protocol}/{method}/seed{seed}", dataset)
        for dataset, run in profile.datasets.items()
        for protocol, method, seed in run.cells(profile.seeds)
    ]


def as_resolved(run: Found, profile: Profile) -> RunConfig | None:
    """What ``profile`` makes of this run, on the data it was made with; None if it has no such."""
    record = RunConfig.model_validate(run.record.config)
    if run.name != run_name(record) or run.name not in {name for name, _ in cells(profile)}:
        return None
    axes = (record.dataset, record.protocol, record.method, record.seed)
    return resolve_run(profile, *axes, source_id=record.source_id)


def exported_runs(folder: Path, profile: Profile) -> list[Found]:
    """The runs of an export, in the order of ``profile``; no data are needed.

    Raises:
        UserError: a run is not one of the profile's, the runs do not belong together, or a file is
            of version 0.1.
    """
    for old, new in RETIRED.items():
        if (folder / old).is_file():
            raise UserError(
                "an export holds a file of version 0.1",
                file=folder / old,
                expected=new,
                remedy=f"rename it to {new}" if "groups" in new else "remove it: it is made again",
            )
    found = runs_in(folder)
    check_equal(found)
    for run in found:
        check_wanted(run, as_resolved(run, profile), profile.profile)
    order = [name for name, _ in cells(profile)]
    return sorted(found, key=lambda run: order.index(run.name))


def exported_configs(folder: Path, profile: Profile) -> list[RunConfig]:
    """The same as ``profile`` resolves them on the data they were made with."""
    configs = (as_resolved(run, profile) for run in exported_runs(folder, profile))
    return [config for config in configs if config is not None]


def restore_runs(folder: Path, profile: Profile) -> list[str]:
    """Take an export into the results of ``profile`` as its runs were recorded, whatever data are
    here; their names.
    """
    return take_all(exported_runs(folder, profile), profile)


def _finished(run: Found) -> bool:
    selections = run.record.config["selections"]
    return all((run.folder / f"cases.{s}.csv").is_file() for s in selections)


def _pack(run: Found, target: Path) -> None:
    """The small files of one run, which appear together; the same run is left alone."""
    if (target / RECORD).is_file() and read_run(target / RECORD) == run.record:
        return
    if not (run.folder / "history.csv").is_file():
        raise UserError(
            "a finished run has no history",
            file=run.folder / "history.csv",
            remedy="train the run again",
        )
    with scratch_folder(target) as part:
        for name in (RECORD, "history.csv"):
            shutil.copyfile(run.folder / name, part / name)
        for selection in run.record.config["selections"]:
            content = (run.folder / f"cases.{selection}.csv").read_bytes()
            write_bytes(part / f"cases.{selection}.csv.gz", _packed(content))
        for file in run.folder.glob("slices.*.csv"):
            write_bytes(part / f"{file.name}.gz", _packed(file.read_bytes()))
        shutil.rmtree(target, ignore_errors=True)
        publish_folder(part, target)


def _pack_scores(run: Found, target: Path) -> None:
    """Scores under other conditions, which may come long after the run was exported, and one
    condition after the other.
    """
    file, packed = run.folder / SCORES, target / f"{SCORES}.gz"
    if not file.is_file():
        return
    rows = read_rows(file, ConditionScoreRow)
    conditions, weights = ({getattr(r, name) for r in rows} for name in ("condition", "weights"))
    before = read_rows(packed, ConditionScoreRow) if packed.is_file() else []
    rows += [r for r in before if r.condition not in conditions and r.weights in weights]
    with scratch_folder(target) as part:
        write_rows(part / SCORES, ConditionScoreRow, sorted(rows, key=lambda row: row.condition))
        write_bytes(packed, _packed((part / SCORES).read_bytes()))


def _add_conditions(new: Path, out: Path, profile: Profile) -> None:
    """The rows of ``new``, and those of ``out`` about other runs or conditions, in the order of the
    profile's runs.
    """
    rows = read_rows(new, ConditionRow)
    made = {(_run_of(row), row.condition) for row in rows}
    before = read_rows(out, ConditionRow) if out.is_file() else []
    rows += [row for row in before if (_run_of(row), row.condition) not in made]
    order = {name: place for place, (name, _) in enumerate(cells(profile))}
    write_rows(out, ConditionRow, sorted(rows, key=lambda row: order.get(_run_of(row), len(order))))


def _run_of(row: ConditionRow) -> str:
    return f"{row.dataset}/{row.protocol}/{row.method}/seed{row.seed}"


def _packed(content: bytes) -> bytes:
    """Without time and name in the header: equal content gives equal bytes."""
    return gzip.compress(content, 9, mtime=0)
