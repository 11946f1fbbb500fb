"""Where the originals are downloaded: ``benchmarks/downloads.yaml`` as a pydantic model."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from mednext.config.benchmarks import load_map
from mednext.config.files import Strict

Service = Literal["kaggle", "girder", "synapse"]


class DownloadSpec(Strict):
    """One entry of ``benchmarks/downloads.yaml``."""

    service: Service
    server: str
    """Address of the service, without a slash at its end. Kaggle's client knows its own."""
    file_server: str | None = None
    """Synapse: address of its file API."""
    id: str
    """Kaggle: owner/name. Girder: folder. Synapse: project."""
    path: tuple[str, ...] = ()
    """Synapse: names of the folders below the project, and of the file."""
    archive: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """File name under which the archive is kept."""
    top: str
    """A file or folder at the top of the delivery; what lies beside it is the data set."""
    suffixes: tuple[str, ...] = ()
    """Of its images, in lower case: others are a converted copy. Empty where it has no pictures."""
    archive_bytes: int = Field(ge=1)
    """Size of the archive; an estimate unless ``size_known``. For the check of the disk."""
    unpacked_bytes: int = Field(ge=1)
    """Sum of the sizes of its files; an estimate unless ``size_known``."""
    size_known: bool
    """Was ``unpacked_bytes`` counted from a file list of the original?"""
    max_unpacked_bytes: int = Field(ge=1)
    max_files: int = Field(ge=1)
    page: str
    """Where a person downloads it and accepts its terms."""
    credentials: Literal["required", "optional", "none"]
    credentials_how: str
    terms: str
    """What has to be accepted or obeyed."""


@cache
def load_downloads() -> dict[str, DownloadSpec]:
    """``benchmarks/downloads.yaml`` by data set."""
    return load_map("downloads.yaml", DownloadSpec)
