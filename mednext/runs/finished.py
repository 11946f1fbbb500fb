"""What a finished training leaves, how it is recognised, and who may reuse it.

Two protocols of a data set may give the same split. Nothing else of a training depends on the
protocol, so the first of them that comes trains, and the other takes its weights over.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mednext.config import RunConfig, load_datasets
from mednext.datasets.subsets import split_hash as digest_of
from mednext.errors import UserError
from mednext.files import atomic_path, remove_leftovers, sha256_file
from mednext.layout import DataPaths, RunPaths
from mednext.provenance import code_hash
from mednext.results import RunRecord, read_run, write_run


@dataclass(frozen=True)
class Identity:
    """What a training depends on: equal identities give equal weights on one machine."""

    training: str
    """Hash of the configuration without the protocol, which enters by its split alone."""
    code: str
    data: str
    split: str
    device: str
    """``cpu``, or the model of the GPU: a training does not go on where its sums would differ."""

    @property
    def key(self) -> str:
        """Name of the folder of its checkpoint."""
        return f"{self.training}-{self.code}-{self.split}"


def identity_of(run: RunConfig, data_hash: str, split_hash: str, device: str) -> Identity:
    """The identity of ``run`` on these data and this device, with the code as it is now."""
    return Identity(run.training_hash, code_hash(run), data_hash, split_hash, device)


def paths_under(run: RunConfig, protocol: str) -> RunPaths:
    """Where the files of ``run`` would be under another protocol."""
    return RunPaths(run.profile, run.dataset, protocol, run.method, run.seed)


def equal_protocols(run: RunConfig, split_hash: str) -> list[str]:
    """The protocols whose split is that of ``run``, in the order of ``datasets.yaml``."""
    data = DataPaths(run.source_id, run.dataset)

    def same(protocol: str) -> bool:
        file = data.split(protocol)
        return file.is_file() and digest_of(file) == split_hash

    known = load_datasets()[run.dataset].protocols
    return [p for p in known if p == run.protocol or same(p)]


def kept_record(paths: RunPaths) -> Path:
    """A second copy of ``run.json``, undeclared: Snakemake removes the first before it runs a job
    again, even one whose process went on to its end after Snakemake itself was killed.
    """
    return paths.work / "finished.json"


def finished(run: RunConfig, identity: Identity) -> RunRecord | None:
    """The record of this very training if it is complete and its weights are as they were written.

    A failed one counts as well: it would fail again. It is known by ``run.json`` alone, so that
    removing that file (as Snakemake's ``--forcerun`` does) asks for another try.
    """
    paths = paths_under(run, run.protocol)
    record = _record(paths.run_json, paths, identity)
    if record is None:
        record = _record(kept_record(paths), paths, identity)
    return record


def taken_over(run: RunConfig, identity: Identity, protocols: list[str]) -> RunRecord | None:
    """The record of ``run`` filled from the same training under another protocol, if there is one.

    Weights and history are copied; the record is returned, not written.
    """
    ours = paths_under(run, run.protocol)
    for protocol in protocols:
        theirs = paths_under(run, protocol)
        for file in (theirs.run_json, kept_record(theirs)):
            record = _record(file, theirs, identity)
            if protocol == run.protocol or record is None or record.status != "ok":
                continue
            for selection in record.weights:
                _copy(theirs.weights(selection), ours.weights(selection))
            _copy(theirs.history, ours.history)
            return record.model_copy(
                update={
                    "config": run.model_dump(mode="json"),
                    "config_hash": run.config_hash,
                    "trained_as": record.trained_as or protocol,
                }
            )
    return None


def publish(paths: RunPaths, record: RunRecord) -> None:
    """Write the record: of a good training both copies, the declared one last. A copy that is there
    already keeps its time: nothing that was made from it has to be made again.
    """
    kept = (kept_record(paths),) if record.status == "ok" else ()
    for file in (*kept, paths.run_json):
        if _read(file) != record:
            write_run(file, record)


def tidy(paths: RunPaths) -> None:
    """Remove checkpoints, those of older code too, and what killed writers left."""
    for entry in paths.work.iterdir() if paths.work.is_dir() else ():
        if entry.is_dir():
            shutil.rmtree(entry)
    remove_leftovers(paths.work)


def _read(file: Path) -> RunRecord | None:
    """The record, or None if there is none or one that is damaged or of an older format."""
    try:
        return read_run(file) if file.is_file() else None
    except (UserError, ValueError):  # a ValueError for bytes that are no text
        return None


def _record(file: Path, paths: RunPaths, identity: Identity) -> RunRecord | None:
    """The record in ``file`` if it is of this training and its weights are whole."""
    record = _read(file)
    if record is None or record.status not in ("ok", "failed"):
        return None
    try:
        config = RunConfig.model_validate(record.config)
    except ValidationError:
        return None
    if config.config_hash != record.config_hash:  # a record that contradicts itself
        return None
    hashes = (config.training_hash, record.code_hash, record.data_hash, record.split_hash)
    same = identity == Identity(*hashes, device=record.machine.get("gpu") or "cpu")
    whole = all(
        paths.weights(s).is_file() and sha256_file(paths.weights(s)) == digest
        for s, digest in record.weights.items()
    )
    return record if same and whole else None


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as part:
        shutil.copyfile(source, part)
