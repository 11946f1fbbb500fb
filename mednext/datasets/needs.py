"""What a data set still needs before it can be used: bytes to download, disk, credentials, terms.

Nothing here touches the network: ``mednext plan`` and ``mednext doctor`` both ask it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mednext.config import DatasetRun, DownloadSpec
from mednext.datasets.download import synapse_org
from mednext.datasets.official import original
from mednext.datasets.source import resolve_source
from mednext.errors import UserError

KAGGLE_FILES = ("access_token", "kaggle.json")


@dataclass(frozen=True)
class Need:
    """What one data set of a profile needs here and now."""

    dataset: str
    source: str
    here: bool
    """Is it on this machine (local folder, unpacked original), or made here (phantom)?"""
    problem: str | None = None
    """Why it cannot be used as it is: the message of the missing local folder."""
    download_bytes: int = 0
    unpacked_bytes: int = 0
    exact: bool = True
    """Are the two sizes counted, not estimated?"""
    credentials: str = "none"
    credentials_found: bool = True
    credentials_how: str = ""
    page: str = ""
    terms: str = ""


def credentials_found(spec: DownloadSpec) -> bool:
    """Are credentials for this service set on this machine? (Not whether they are valid.)"""
    if spec.service == "girder":
        return True
    if spec.service == "synapse":
        return synapse_org.token() is not None
    words = os.environ
    by_name = bool(words.get("KAGGLE_USERNAME") and words.get("KAGGLE_KEY"))
    folder = Path.home() / ".kaggle"
    return (
        bool(words.get("KAGGLE_API_TOKEN"))
        or by_name
        or any((folder / name).is_file() for name in KAGGLE_FILES)
    )


def need_of(dataset: str, run: DatasetRun) -> Need:
    """What ``dataset`` needs; a local folder that is missing is a problem, not an error."""
    if run.source == "phantom":
        return Need(dataset, "phantom", here=True)
    if run.source == "local":
        try:
            source = resolve_source(dataset, run)
        except UserError as error:
            return Need(dataset, "local", here=False, problem=str(error))
        size = sum(entry.bytes for entry in source.entries or ())
        return Need(dataset, "local", here=True, unpacked_bytes=size)
    which = original(dataset)
    spec = which.spec
    here = which.files.is_dir()
    return Need(
        dataset,
        "official",
        here=here,
        download_bytes=0 if here or which.archive.is_file() else spec.archive_bytes,
        unpacked_bytes=spec.unpacked_bytes,
        exact=spec.size_known,
        credentials=spec.credentials,
        credentials_found=credentials_found(spec),
        credentials_how=spec.credentials_how,
        page=spec.page,
        terms=spec.terms,
    )
