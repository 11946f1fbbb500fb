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
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

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


def for_spreadsheets(frame: DataFrame) -> DataFrame:
    """The table with an apostrophe before texts that a spreadsheet would take for formulas."""
    texts = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].map(_no_formula) for name in texts})


def _no_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def read_csv(
    source: Path | IO[bytes],
    numbers: Mapping[str, str] | None = None,
    *,
    encoding: str = "utf-8",
    remedy: str = "remove the file and repeat the command that wrote it",
) -> DataFrame:
    """Read a table: every column is text as it stands there, but those declared as numbers.

    Identifiers stay what they are (007 is not 7, 1.10 not 1.1); an empty cell is an empty text, or
    NaN in a column of floats.

    Args:
        source: the file, or its open content.
        numbers: name of a column, or a pattern of names (``score_*``) -> numpy type; what fits no
            column is ignored.
        encoding: of the text.
        remedy: for the message.

    Raises:
        UserError: the file is gone, or not such a table.
    """
    import pandas as pd

    try:
        names = pd.read_csv(source, nrows=0, encoding=encoding).columns
        if not isinstance(source, Path):
            source.seek(0)
        types = {n: _type_of(n, numbers or {}) for n in names}
        return pd.read_csv(
            source,
            dtype=types,
            encoding=encoding,
            keep_default_na=False,
            na_values={n: [""] for n, kind in types.items() if kind.startswith("float")},
        )
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            "the table cannot be read",
            file=source if isinstance(source, Path) else None,
            found=" ".join(str(error).split())[:200],
            expected=", ".join(["CSV", *(f"{n}: {kind}" for n, kind in (numbers or {}).items())]),
            remedy=remedy,
        ) from None


def _type_of(column: str, numbers: Mapping[str, str]) -> str:
    return next((kind for name, kind in numbers.items() if fnmatchcase(column, name)), "str")


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


FORMULA = ("=", "+", "-", "@", "\t", "\r")
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
