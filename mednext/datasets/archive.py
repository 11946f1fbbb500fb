"""Unpack a zip or tar archive that nobody has vetted: into a folder that is complete or absent.

Refused are members that would land outside the folder or overwrite one another (absolute paths,
``..``, backslashes, names that differ only in case or Unicode form), members that are not plain
files or folders (links, devices), encrypted members, and archives that unpack to more than they
should (bytes, files, compression ratio). All names are judged before the first byte is written.
"""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Protocol

from mednext.datasets.member_names import Names, is_clutter
from mednext.errors import UserError

BLOCK = 1 << 20
TAR_BLOCK = 512
# What zipfile, tarfile and their decompressors raise for damaged archives.
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    OverflowError,
    ValueError,
    RuntimeError,
)
# Errors of the disk, not of the archive.
STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


class NoSpace(UserError):
    """The disk is at fault, not the archive."""


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to."""

    total_bytes: int
    files: int
    ratio: float = 100.0
    """Unpacked bytes per packed byte, over the whole archive. Images and NIfTI hardly shrink."""


@dataclass(frozen=True)
class Member:
    """One plain file of an archive."""

    name: str
    """Its path below the target folder, POSIX."""
    bytes: int
    """Size as the archive declares it."""
    handle: zipfile.ZipInfo | tarfile.TarInfo


class Reader(Protocol):
    """What is common to the two kinds of archives."""

    def plan(self, names: Names, budget: Budget) -> list[Member]:
        """All plain files, every member having been judged."""

    def open(self, member: Member) -> IO[bytes]:
        """The content of one file."""

    def close(self) -> None:
        """Close the archive."""


class _Zip:
    def __init__(self, file: Path) -> None:
        self._zip = zipfile.ZipFile(file)
        self.close = self._zip.close

    def plan(self, names: Names, budget: Budget) -> list[Member]:
        found = []
        for info in self._zip.infolist():
            # ZipInfo.filename is cut at a NUL; orig_filename is what the archive says.
            raw = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                names.refuse("a member is neither a file nor a folder", raw)
            if info.flag_bits & 0x1:
                names.refuse("a member is encrypted", raw)
            folder = raw.endswith("/") or kind == stat.S_IFDIR
            name = names.add(raw, folder=folder)
            if not folder and not is_clutter(name):
                budget.declare(info.file_size)
                found.append(Member(name, info.file_size, info))
        return found

    def open(self, member: Member) -> IO[bytes]:
        assert isinstance(member.handle, zipfile.ZipInfo)
        return self._zip.open(member.handle)


class _Tar:
    def __init__(self, file: Path) -> None:
        self._tar = tarfile.open(file, mode="r:*")  # noqa: SIM115 (closed by _reader)
        self.close = self._tar.close

    def plan(self, names: Names, budget: Budget) -> list[Member]:
        found = []
        # The sizes are judged on the way: the next header of a compressed archive is only reached
        # by decompressing the member before it.
        for info in self._tar:
            if not (info.isdir() or info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)):
                names.refuse("a member is neither a file nor a folder", info.name)
            name = names.add(info.name, folder=info.isdir())
            if not info.isdir() and not is_clutter(name):
                budget.declare(info.size)
                found.append(Member(name, info.size, info))
        self._check_end()
        return found

    def _check_end(self) -> None:
        """A tar ends with a block of zeros; tarfile takes a cut or overwritten one for the end."""
        assert self._tar.fileobj is not None
        self._tar.fileobj.seek(self._tar.offset)
        if self._tar.fileobj.read(TAR_BLOCK) != bytes(TAR_BLOCK):
            raise tarfile.ReadError("no end-of-archive block where the last member ends")

    def open(self, member: Member) -> IO[bytes]:
        assert isinstance(member.handle, tarfile.TarInfo)
        stream = self._tar.extractfile(member.handle)
        assert stream is not None  # only plain files are planned
        return stream


def unpack(archive: Path, folder: Path, limits: Limits) -> int:
    """Write the files of ``archive`` into the empty ``folder``; returns their number.

    Times, owners and permissions are not kept; the clutter of desktops (``__MACOSX``,
    ``.DS_Store``) is left out.

    Raises:
        UserError: not an archive, damaged, hostile, or larger than ``limits``; ``folder`` may then
            hold a part and is for the caller to remove (:func:`mednext.files.scratch_folder`).
    """
    budget = Budget(archive, limits)
    with _reader(archive) as reader, _damage_named(archive):
        members = reader.plan(Names(archive, limits.files), budget)
        budget.check_disk(folder)
        for member in members:
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with reader.open(member) as source, target.open("xb") as sink:
                _copy(source, sink, member)
    return len(members)


def _copy(source: IO[bytes], sink: IO[bytes], member: Member) -> None:
    """Both readers stop at the declared size, so the budget holds for what is written as well."""
    written = 0
    while block := source.read(BLOCK):
        written += len(block)
        sink.write(block)
    if written != member.bytes:
        raise EOFError(f"{member.name} ends after {written} of {member.bytes} bytes")


class Budget:
    """Adds up what the members of one archive unpack to."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._packed = max(archive.stat().st_size, 1)
        self._total = 0

    def declare(self, size: int) -> None:
        """Add a member of ``size`` bytes.

        Raises:
            UserError: the members so far exceed the limits.
        """
        self._total += size
        if self._total > self._limits.total_bytes:
            self._refuse(
                "the archive unpacks to more than this data set can hold",
                f"at least {self._total} bytes",
                f"at most {self._limits.total_bytes} bytes",
            )
        if self._total > self._limits.ratio * self._packed:
            self._refuse(
                "the archive is compressed more than images are",
                f"at least {self._total} bytes from {self._packed}",
                f"at most {self._limits.ratio:g} times the archive",
            )

    def _refuse(self, what: str, found: str, expected: str) -> NoReturn:
        raise UserError(
            what,
            file=self._archive,
            found=found,
            expected=expected,
            remedy="check that it is the original archive and download it again",
        )

    def check_disk(self, folder: Path) -> None:
        """Refuse to begin what cannot end for lack of space."""
        check_free(folder, self._total, "unpack the archive")


def check_free(folder: Path, needed: int, purpose: str) -> None:
    """Is there room for ``needed`` bytes on the disk of ``folder``?

    Raises:
        NoSpace: there is not.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoSpace(
            f"the disk is too small to {purpose}",
            file=folder,
            found=f"{free / 1e6:,.1f} MB free",
            expected=f"{needed / 1e6:,.1f} MB",
            remedy="free some space, or set MEDNEXT_DATA to a folder on a larger disk",
        )


@contextmanager
def _reader(archive: Path) -> Iterator[Reader]:
    """Open by content, not by ending."""
    with archive.open("rb") as stream:
        head = stream.read(4)
    zipped = head[:2] == b"PK"
    with _damage_named(archive, None if zipped else head):
        reader: Reader = _Zip(archive) if zipped else _Tar(archive)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _damage_named(archive: Path, head: bytes | None = None) -> Iterator[None]:
    """Turn what the readers raise into one message; ``head`` if it may be no archive at all."""
    try:
        yield
    except UserError:
        raise
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno in STORAGE:
            raise NoSpace(
                "the archive cannot be unpacked here",
                file=archive,
                found=error.strerror,
                remedy="free some space, or set MEDNEXT_DATA to a writable folder",
            ) from None
        raise UserError(
            "the archive is damaged" if head is None else "the file is not an archive",
            file=archive,
            found=str(error) or type(error).__name__
            if head is None
            else f"{archive.stat().st_size} bytes that begin with {head!r}",
            expected="a complete zip or tar archive",
            remedy="download it again",
        ) from None
