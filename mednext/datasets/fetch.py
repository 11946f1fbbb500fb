"""Bring a data set in place and write its manifest."""

from __future__ import annotations

from mednext.config import DatasetRun
from mednext.datasets.manifest import list_entries, write_manifest
from mednext.datasets.official import bring, original
from mednext.datasets.source import phantom_of, resolve_source


def fetch(dataset: str, run: DatasetRun) -> None:
    """Write ``raw/manifest.csv``.

    A phantom is generated first and an original brought; local files stay where they are.

    Raises:
        UserError: the data set cannot be had, see :func:`mednext.datasets.official.bring`.
    """
    source = resolve_source(dataset, run)
    entries = source.entries
    if entries is None:
        if source.kind == "official":
            bring(original(dataset))
        else:
            assert run.phantom is not None  # checked by the configuration
            phantom_of(dataset).generate(source.root, run.phantom, source.spec)
        entries = tuple(
            list_entries(source.root, source.reader.list_files(source.root, source.spec))
        )
    write_manifest(source.paths.manifest, entries)
    size = sum(e.bytes for e in entries) / 1e6
    print(f"{dataset} ({source.id}): {len(entries)} files, {size:.1f} MB listed")
