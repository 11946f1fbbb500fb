"""Archives of every kind, the hostile ones too, made byte by byte where the libraries refuse."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

FILES = {"COVID/Covid (1).png": b"one" * 50, "non-COVID/Non-Covid (1).png": b"two" * 70}


def make_zip(file: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file


def make_tar(file: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def make_special_zip(file: Path, kind: int) -> Path:
    """A zip with one member of a Unix file type (a link, a device)."""
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("COVID/link")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return file


def make_special_tar(file: Path, kind: bytes) -> Path:
    """A tar with one member of a given type."""
    with tarfile.open(file, "w") as archive:
        info = tarfile.TarInfo("COVID/link")
        info.type, info.linkname = kind, "../../etc/passwd"
        archive.addfile(info)
    return file


def renamed_zip(file: Path, before: bytes, after: bytes) -> Path:
    """A zip whose member's name is replaced in both of its headers."""
    assert len(before) == len(after)
    make_zip(file, {before.decode(): b"content"})
    file.write_bytes(file.read_bytes().replace(before, after))
    return file


def encrypted_zip(file: Path) -> Path:
    """A zip whose member says that it is encrypted."""
    make_zip(file, {"a.png": b"content"})
    content = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(magic) + offset
        content[place : place + 2] = struct.pack("<H", 1)
    file.write_bytes(content)
    return file


def lying_zip(file: Path) -> Path:
    """A zip that declares 10 bytes of a member that unpacks to a megabyte."""
    make_zip(file, {"a.png": bytes(1 << 20)})
    content = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(magic) + offset
        content[place : place + 4] = struct.pack("<I", 10)
    file.write_bytes(content)
    return file


def damaged(file: Path, place: float) -> Path:
    """Twenty bytes flipped at a fraction of the file's length."""
    content = bytearray(file.read_bytes())
    start = int(place * (len(content) - 20))
    for offset in range(20):
        content[start + offset] ^= 0xFF
    file.write_bytes(content)
    return file


def cut(file: Path, keep: float) -> Path:
    """The first part of the file."""
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    return file


LINK, DEVICE, PIPE = stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO
