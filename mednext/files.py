"""Atomic files and digests: nothing is ever left half-written.

Every writer goes to a temporary sibling, is flushed to disk and then renamed over the target, so
that a reader (or a killed and repeated command) sees either the old content or the new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mednext.errors import UserError

if TYPE_CHECKING:  # only its writer needs pandas, and every command imports this module
    from pandas import DataFrame


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``target``; rename it over ``target`` when the block succeeds.

    The sibling keeps the target's suffix, since some writers choose their format by it. On an
    exception the sibling is removed and the target is untouched.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.stem}.", suffix=f".part{target.suffix}", dir=target.parent
    )
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(target)
        _fsync_folder(target.parent)
    except OSError as error:
        if error.filename is None:  # as of a full disk: say at least what was being written
            error.filename = str(target)
        raise
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary sibling of ``target``, which is gone after the block.

    What an earlier, killed attempt left is removed first, so one process at a time may work on
    ``target`` (:func:`exclusive`).
    """
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def publish_folder(folder: Path, target: Path) -> None:
    """Flush all files of ``folder`` to disk, then rename it to ``target``, which must not exist."""
    for inner, _, names in os.walk(folder):
        for name in names:
            with (Path(inner) / name).open("rb") as stream:
                os.fsync(stream.fileno())
        _fsync_folder(Path(inner))
    folder.rename(target)
    _fsync_folder(target.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left of :func:`atomic_path`; only under a lock on the folder."""
    for part in folder.glob(".*.part*"):
        if part.is_file():
            part.unlink()


@contextmanager
def exclusive(folder: Path, work: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock on ``folder`` that the kernel frees when the process ends, however it ends.

    The lock is the file ``<folder>.lock`` beside it, which stays: the holder may remove the folder.
    With ``wait`` another process' end is waited for.

    Raises:
        UserError: another process holds it; ``work`` says what it is working on.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise UserError(
                    f"another process is working on {work}",
                    file=folder,
                    remedy="wait for it to end, or stop it",
                ) from None
            print(f"waiting: another process is working on {work}", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(target: Path, content: bytes) -> None:
    """Write ``content``, atomically."""
    with atomic_path(target) as part:
        part.write_bytes(content)


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically."""
    write_text(target, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_csv(target: Path, frame: DataFrame) -> None:
    """Write ``frame`` without its index, atomically, with Unix line ends and full precision."""
    with atomic_path(target) as part:
        frame.to_csv(part, index=False, lineterminator="\n")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """Hex SHA-256 of ``value`` in canonical JSON: equal values give equal digests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(*axes: object, bits: int = 64) -> int:
    """A seed that depends on the named axes alone: ``seed_of("bootstrap", "acdc")``."""
    digest = hashlib.sha256("\0".join(str(axis) for axis in axes).encode()).digest()
    return int.from_bytes(digest[: bits // 8], "little")


_HELD: dict[Path, ExitStack] = {}
"""Locks that last as long as the process: the kernel frees them at its end, however it ends."""


def hold(folder: Path, work: str) -> None:
    """Lock ``folder`` for the rest of this process; once is enough.

    Raises:
        UserError: another process holds it; ``work`` says what it is working on.
    """
    if folder not in _HELD:
        stack = ExitStack()
        stack.enter_context(exclusive(folder, work))
        _HELD[folder] = stack
