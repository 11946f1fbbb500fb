"""The list of a source's files with size and digest, and reading files through it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mednext.errors import UserError
from mednext.files import hash_json, read_csv, sha256_file, write_csv, write_json
from mednext.layout import data_root


@dataclass(frozen=True)
class Entry:
    """One file: its path below the source's folder (POSIX), its size and its digest."""

    path: str
    bytes: int
    sha256: str


def list_entries(root: Path, paths: Sequence[str]) -> list[Entry]:
    """Digest ``paths`` below ``root``; unchanged files are taken from a cache.

    The cache is below ``data/`` and only saves time: what is read later is checked against the
    digests again. A file is unchanged if its inode has not changed since: size and time of the
    content alone can be those of another content (a copy that keeps times).

    Raises:
        UserError: a file cannot be read.
    """
    stats = {path: (root / path).stat() for path in paths}
    key = hash_json(
        [[p, s.st_size, s.st_mtime_ns, s.st_ino, s.st_ctime_ns] for p, s in stats.items()]
    )
    cache = data_root() / ".digests" / f"{hash_json([str(root.resolve()), key])[:32]}.json"
    if cache.is_file():
        digests: dict[str, str] = json.loads(cache.read_text())
    else:
        digests = {}
        for path in paths:
            with reading(root / path):
                digests[path] = sha256_file(root / path)
        write_json(cache, digests)
    return [Entry(path, stats[path].st_size, digests[path]) for path in paths]


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Say what it is that keeps ``file`` from being read."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(
            "a file of the manifest is gone", file=file, remedy="restore it, then fetch again"
        ) from None
    except OSError as error:
        raise UserError(
            "a file cannot be read",
            file=file,
            found=error.strerror,
            expected="a plain file that you may read",
            remedy="give yourself the permission to read it, or look after the disk",
        ) from None


def manifest_hash(entries: Sequence[Entry]) -> str:
    """First 8 hex digits over the paths, sizes and digests of a source."""
    return hash_json([[e.path, e.bytes, e.sha256] for e in entries])[:8]


def write_manifest(target: Path, entries: Sequence[Entry]) -> None:
    """Write ``path,bytes,sha256``, atomically."""
    frame = pd.DataFrame(
        [(e.path, e.bytes, e.sha256) for e in entries], columns=["path", "bytes", "sha256"]
    )
    write_csv(target, frame)


def read_manifest(path: Path) -> list[Entry]:
    """Read a manifest written by :func:`write_manifest`.

    Raises:
        UserError: the data set has not been fetched.
    """
    if not path.is_file():
        raise UserError(
            "the data set has not been fetched", file=path, remedy="run 'mednext datasets fetch'"
        )
    frame = read_csv(path, {"bytes": "int64"})
    return [Entry(str(r.path), int(r.bytes), str(r.sha256)) for r in frame.itertuples()]


def read_checked(root: Path, entry: Entry) -> io.BytesIO:
    """The bytes of one file, checked against the manifest.

    Raises:
        UserError: the file is gone or has changed since the manifest was written.
    """
    file = root / entry.path
    with reading(file):
        content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.sha256:
        raise UserError(
            "a file has changed since it was listed",
            file=file,
            found=f"sha256 {digest[:16]}...",
            expected=f"sha256 {entry.sha256[:16]}...",
            remedy="restore the file, or run the same command again to take the new content",
        )
    return io.BytesIO(content)
