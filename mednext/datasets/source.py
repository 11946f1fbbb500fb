"""Where a data set comes from, and the id under which everything made from it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from mednext.config import (
    DatasetRun,
    DatasetSpec,
    SplitCounts,
    load_datasets,
    lookup,
    reader_module,
)
from mednext.datasets.manifest import Entry, list_entries, manifest_hash, read_manifest
from mednext.datasets.reader import Files, Reader
from mednext.datasets.scan import archives_in
from mednext.errors import UserError
from mednext.files import hash_json
from mednext.layout import DataPaths, local_root
from mednext.provenance import folder_hash


class Phantom(Protocol):
    """The function of a phantom's module."""

    def generate(self, root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
        """Write a data set of about ``counts`` items in the layout of the original."""


@dataclass(frozen=True)
class Source:
    """One data set from one source."""

    dataset: str
    spec: DatasetSpec
    kind: str
    id: str
    root: Path
    """Folder that the manifest's paths are relative to."""
    entries: tuple[Entry, ...] | None
    """The files, as found; None where ``fetch`` brings them (phantom, official)."""

    @property
    def paths(self) -> DataPaths:
        """Where the files of this source are kept."""
        return DataPaths(self.id, self.dataset)

    @property
    def reader(self) -> Reader:
        """The module that reads this data set's layouts."""
        return reader_of(self.dataset)

    @property
    def stand_in(self) -> str | None:
        """Why the files only stand in for the data set, or None: numbers are not comparable."""
        return self.reader.stand_in([e.path for e in self.entries]) if self.entries else None


def open_files(source: Source) -> Files:
    """The source's files behind its manifest.

    Raises:
        UserError: the data set has not been fetched.
    """
    return Files(source.root, read_manifest(source.paths.manifest))


def resolve_source(dataset: str, run: DatasetRun) -> Source:
    """Find the source of ``dataset`` and its id; quick, since it runs whenever a workflow is read.

    Raises:
        UserError: a local folder is missing or does not hold the data set.
    """
    spec = lookup("data set", dataset, load_datasets())
    if run.source == "phantom":
        assert run.phantom is not None  # checked by the configuration
        facts = {"counts": run.phantom.model_dump(), "code": _phantom_hash(dataset)}
        source_id = f"phantom-{hash_json([dataset, facts])[:8]}"
        root = DataPaths(source_id, dataset).raw / "files"
        return Source(dataset, spec, "phantom", source_id, root, None)
    if run.source == "official":
        root = DataPaths("official", dataset).raw / "files"
        return Source(dataset, spec, "official", "official", root, None)
    root = _local_folder(dataset, spec, run.folder)
    entries = tuple(list_entries(root, _listed(root, dataset, spec)))
    digest = manifest_hash(entries)
    if spec.layout is not None:  # what the user says about the files is part of the data set
        digest = hash_json([digest, spec.model_dump(mode="json")])[:8]
    return Source(dataset, spec, "local", f"local-{digest}", root, entries)


def _listed(root: Path, dataset: str, spec: DatasetSpec) -> list[str]:
    """What the reader finds; archives beside it may hold what it does not find."""
    try:
        return reader_of(dataset).list_files(root, spec)
    except UserError as error:
        if not (archives := archives_in(root)):
            raise
        raise UserError(
            error.what,
            file=error.file,
            found=f"{error.found or 'nothing'}, but in {root} {', '.join(archives[:5])}",
            expected=error.expected,
            remedy="unpack the archive there, if it holds what is missing",
        ) from None


def reader_of(dataset: str) -> Reader:
    """The module that reads a data set. Loaded by name, so that no other set depends on it."""
    return cast(Reader, import_module(reader_module(dataset)))


def phantom_of(dataset: str) -> Phantom:
    """The module that draws the phantom of a data set."""
    return cast(Phantom, import_module(f"mednext.datasets.phantom.{dataset}"))


def _phantom_hash(dataset: str) -> str:
    """Over what draws this phantom; the generators of the other sets do not count."""
    names = (dataset, "shapes", "__init__")
    return folder_hash(*(f"datasets/phantom/{name}.py" for name in names), "datasets/seeds.py")


def _local_folder(dataset: str, spec: DatasetSpec, folder: str | None) -> Path:
    names = (folder,) if folder is not None else spec.local_folders
    for name in names:
        if (local_root() / name).is_dir():
            return local_root() / name
    found = "no folder " + " or ".join(f"'{name}'" for name in names)
    remedy = f"get it from {spec.url}, or set MEDNEXT_LOCAL to the folder that holds it"
    if archives := archives_in(local_root()):
        found += f", but {', '.join(archives[:5])}"
        remedy = f"unpack the archive, if it is this data set, into {local_root() / names[0]}"
    raise UserError(
        f"the data set '{dataset}' is not there",
        file=local_root(),
        found=found,
        expected=f"{spec.name} in one of these folders",
        remedy=remedy,
    )
