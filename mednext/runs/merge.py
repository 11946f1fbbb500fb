"""Bring runs of several machines, or of another checkout, into one results folder.

A run is taken as a whole or not at all: its record must fit the schema, its weights (where they are
there) must have the digests of the record, and runs that belong side by side must be of one code
(per method and data set), one data set and one split. What a machine is (CPU, GPU, versions) may
differ; it stands in every run's ``env_hash``.
"""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mednext.config import Profile, RunConfig
from mednext.errors import UserError
from mednext.files import exclusive, publish_folder, scratch_folder, sha256_file, write_bytes
from mednext.layout import RunPaths, results_root
from mednext.results import RunRecord, read_run
from mednext.runs.resolve import resolve_runs, run_name

RECORD = "run.json"
MARK = RunPaths("", "", "", "", 0).imported.name


@dataclass(frozen=True)
class Found:
    """One run of a results folder."""

    folder: Path
    name: str
    """``<dataset>/<protocol>/<method>/seed<k>``"""
    record: RunRecord


def runs_in(root: Path, weights: bool = True) -> list[Found]:
    """Every run below ``root/runs``, checked; without ``weights`` their digests are not.

    Raises:
        UserError: there is none, a record does not fit, or weights are not those of the record.
    """
    files = sorted((root / "runs").glob(f"*/*/*/seed*/{RECORD}"))
    if not files:
        raise UserError(
            "the folder holds no run",
            file=root,
            expected="runs/<data set>/<protocol>/<method>/seed<k>/run.json below it",
            remedy="give the folder results/<profile> of the other machine",
        )
    return [_checked(file, root, weights) for file in files]


def _checked(file: Path, root: Path, weights: bool) -> Found:
    record = read_run(file)
    for selection, digest in record.weights.items() if weights else ():
        stored = file.with_name(f"weights.{selection}.safetensors")
        if stored.is_file() and sha256_file(stored) != digest:
            raise UserError(
                "the weights are not those that the training wrote",
                file=stored,
                found=sha256_file(stored),
                expected=digest,
                remedy="copy the run again",
            )
    return Found(file.parent, file.parent.relative_to(root / "runs").as_posix(), record)


def merge(folders: Sequence[Path], out: Path) -> list[str]:
    """Join the runs of several results folders in ``out/runs``; returns their names.

    The same run in two folders is taken once if it ended with the same weights.

    Raises:
        UserError: runs differ in a hash they must share, or one run ended in two ways.
    """
    found = [run for folder in folders for run in runs_in(folder)]
    check_equal(found)
    chosen: dict[str, Found] = {}
    for run in found:
        other = chosen.setdefault(run.name, run)
        if other.record.weights != run.record.weights:
            if other.record.status != "ok" or run.record.status != "ok":
                # A machine that failed does not stand against one that did not.
                chosen[run.name] = run if run.record.status == "ok" else other
                continue
            raise UserError(
                f"the run {run.name} ended with different weights on two machines",
                file=run.folder,
                found=f"env_hash {run.record.env_hash}, {run.record.device}",
                expected=f"the weights of {other.folder} (env_hash {other.record.env_hash}, "
                f"{other.record.device})",
                remedy="remove one of the two: sums differ between machines",
            )
    with exclusive(out, f"the results in {out}"):
        for run in chosen.values():
            take(run, out)
    return sorted(chosen)


def check_equal(runs: Iterable[Found]) -> None:
    """Refuse runs that are not of one code, or not on one data set and split.

    Raises:
        UserError: the first difference, with both runs.
    """
    first: dict[tuple[str, str], tuple[str, Found]] = {}
    for run in runs:
        dataset, protocol, method, _ = run.name.split("/")
        setting = f"{dataset}/{protocol}/{method}"
        record = run.record
        for scope, key, value in (
            (f"runs of {method} on {dataset}", "code_hash", record.code_hash),
            (f"runs on {dataset}", "data_hash", record.data_hash),
            (f"runs on {dataset}/{protocol}", "split_hash", record.split_hash),
            (f"seeds of {setting}", "setting_hash", _setting(record)),
            (run.name, "config_hash", record.config_hash),
        ):
            known, other = first.setdefault((scope, key), (value, run))
            if known != value:
                raise UserError(
                    f"{scope} must have one {key}",
                    file=run.folder,
                    found=value,
                    expected=f"{known} (as {other.folder})",
                    remedy="run them again with the same version, configuration and data",
                )


def _setting(record: RunRecord) -> str:
    return RunConfig.model_validate(record.config).setting_hash


def import_runs(folder: Path, profile: Profile) -> list[str]:
    """Import the runs of ``folder`` that belong to ``profile``, as this checkout resolves it.

    Raises:
        UserError: a run of the folder is not one of the profile's, or has another configuration.
    """
    wanted = {run_name(config): config for config in resolve_runs(profile)}
    found = runs_in(folder)
    check_equal(found)
    for run in found:
        check_wanted(run, wanted.get(run.name), profile.profile)
    return take_all(found, profile)


def take_all(found: Sequence[Found], profile: Profile) -> list[str]:
    """Import runs that were checked into the results of ``profile``; their names."""
    out = results_root(profile.profile)
    with exclusive(out, f"the results of profile '{profile.profile}'"):
        for run in found:
            take(run, out, imported=True)
    return [run.name for run in found]


def check_wanted(run: Found, config: RunConfig | None, profile: str) -> None:
    """Refuse a run that ``profile`` does not have (``config`` is None) or has otherwise.

    Raises:
        UserError: what differs.
    """
    if config is None:
        raise UserError(
            f"the run {run.name} is not part of profile '{profile}'",
            file=run.folder,
            found=run.name,
            expected="one of its runs",
            remedy="import it with the configuration file it was made with",
        )
    if run.record.config_hash != config.config_hash:
        raise UserError(
            f"the run {run.name} was made with another configuration",
            file=run.folder,
            found=f"config_hash {run.record.config_hash}",
            expected=f"config_hash {config.config_hash}",
            remedy="import it with the configuration file, data and version it was made with",
        )


def take(run: Found, out: Path, imported: bool = False) -> None:
    """Copy one run; it appears as a whole, and an older one of the same name stays aside till then.

    The record's digests were checked before; a copy of the same run is left alone. An imported run
    is marked: data that are prepared later do not make the workflow train it again. It does not
    replace the same run trained here, whose weights would be lost.
    """
    target = out / "runs" / run.name
    if target.resolve() == run.folder.resolve():
        return
    there = read_run(target / RECORD) if (target / RECORD).is_file() else None
    if there == run.record or (imported and there and _kept(target, there, run.record)):
        return
    with scratch_folder(target) as part:
        shutil.copytree(run.folder, part, dirs_exist_ok=True)
        unpack(part)
        if imported:
            write_bytes(part / MARK, b"imported from another folder of results\n")
        old = target.with_name(f".{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        publish_folder(part, target)
        shutil.rmtree(old, ignore_errors=True)


def _kept(target: Path, there: RunRecord, new: RunRecord) -> bool:
    """Whether ``target`` holds a finished run of the same hashes with its weights."""
    hashes = ("config_hash", "data_hash", "split_hash", "code_hash")
    same = all(getattr(there, name) == getattr(new, name) for name in hashes)
    return same and there.status == "ok" and any(target.glob("weights.*.safetensors"))


def unpack(folder: Path) -> None:
    """Unpack what an export packed; whatever was made from the record is newer than it."""
    for file in sorted(folder.glob("*.csv.gz")):
        try:
            content = gzip.decompress(file.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(
                "the packed counts per case are damaged",
                file=file,
                found=str(error),
                remedy="export the run again",
            ) from None
        write_bytes(file.with_suffix(""), content)
        file.unlink()
    made = (folder / RECORD).stat().st_mtime
    for file in folder.iterdir():
        if file.name != RECORD and file.stat().st_mtime < made:
            os.utime(file, (made, made))
