"""``benchmarks/datasets.lock``: the digests of each data set as it was first verified here.

Publishers state no digests, so the first verified delivery is trusted and every later one, on any
machine that has the file, must equal it. The file belongs under version control.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import Field

from mednext.config import Strict, benchmarks_dir
from mednext.config.files import parse, read_yaml
from mednext.errors import UserError
from mednext.files import write_text

NAME = "datasets.lock"
HEADER = """\
# Digests of the originals, each as first verified (trust on first use); every later delivery must
# equal them. `contents` is over path, size and SHA-256 of all files, so it does not depend on how
# they were packed; `archive_sha256` is of the downloaded archive, where the service keeps it as is.
# To trust a new release of a data set, look at it, then remove its entry here.
"""
Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class Pin(Strict):
    """What one data set must be."""

    contents: str = Sha256
    files: int = Field(ge=1)
    bytes: int = Field(ge=1)
    archive_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


def lock_file() -> Path:
    """``benchmarks/datasets.lock`` of the checkout, or of the installed package."""
    return benchmarks_dir() / NAME


def read_pins(file: Path) -> dict[str, Pin]:
    """All entries, none if the file does not exist.

    Raises:
        UserError: the file was damaged by hand.
    """
    if not file.is_file():
        return {}
    return {name: parse(Pin, entry, file) for name, entry in (read_yaml(file) or {}).items()}


def require_writable(file: Path, dataset: str) -> None:
    """Can the digests of ``dataset`` be recorded? Asked before a long download, not after it.

    Raises:
        UserError: ``file`` is in an installed package, or is read-only.
    """
    if dataset in read_pins(file):
        return
    if file.parent.name == "_benchmarks":
        found, remedy = "an installed package", "run this in a checkout of the repository"
    elif not os.access(file if file.exists() else file.parent, os.W_OK):
        found, remedy = "no permission to write", "make the file and its folder writable"
    else:
        return
    raise UserError(
        f"the digests of '{dataset}' cannot be recorded",
        file=file,
        found=found,
        expected="a file that can be written: the first verified delivery is pinned there",
        remedy=remedy,
    )


def check_pin(file: Path, dataset: str, found: Pin) -> None:
    """Compare a delivery with what is recorded, if anything is.

    Raises:
        UserError: its files are others than those first verified.
    """
    pin = read_pins(file).get(dataset)
    if pin is not None and pin.contents != found.contents:
        raise UserError(
            f"these files of '{dataset}' are not those that were first verified",
            file=file,
            found=f"{found.files} files, {found.bytes} bytes, contents {found.contents}",
            expected=f"{pin.files} files, {pin.bytes} bytes, contents {pin.contents}",
            remedy="get the original again; if the publisher has released a new one, look at it "
            f"and remove the entry '{dataset}' from {file}",
        )


def record_pin(file: Path, dataset: str, found: Pin) -> None:
    """Write down the first verified delivery; an entry that is there is left as it is."""
    pins = read_pins(file)
    if dataset in pins:
        return
    require_writable(file, dataset)
    pins[dataset] = found
    entries = {name: pins[name].model_dump(exclude_none=True) for name in sorted(pins)}
    write_text(file, HEADER + yaml.safe_dump(entries, sort_keys=False))
    print(f"recorded the digests of '{dataset}' in {file}: commit it")
