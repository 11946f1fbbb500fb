"""Which names of archive members are taken: each lands below the target folder, and only once."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import NoReturn

from mednext.errors import UserError

CLUTTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
LONGEST_NAME = 255  # bytes in UTF-8: what common file systems take
LONGEST_PATH = 1024
DRIVE = re.compile(r"^[A-Za-z]:")


def is_clutter(path: str) -> bool:
    """Is it one of the files that desktops put beside the data?"""
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or parts[-1] in CLUTTER or parts[-1].startswith("._")


class Names:
    """The names of one archive, judged one after the other.

    Args:
        archive: named in every message.
        most: number of members that is accepted.
    """

    def __init__(self, archive: Path, most: int) -> None:
        self._archive = archive
        self._most = most
        self._spelling: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._count = 0

    def add(self, raw: str, *, folder: bool) -> str:
        """The path below the target folder that ``raw`` stands for, POSIX, without ``.`` parts.

        Raises:
            UserError: the name leads elsewhere, cannot be written everywhere, or is taken.
        """
        self._count += 1
        if self._count > self._most:
            raise UserError(
                "the archive holds more members than this data set has",
                file=self._archive,
                found=f"over {self._most}",
                expected=f"at most {self._most}",
                remedy="check that it is the original archive and download it again",
            )
        self._judge(raw)
        path = PurePosixPath(raw)
        name = path.as_posix()
        if not path.parts:
            if folder:
                return name  # "./", the target folder itself
            self.refuse("a member has no name", raw)
        self._claim(raw, path, folder)
        return name

    def _judge(self, raw: str) -> None:
        if any(unicodedata.category(c) == "Cc" for c in raw):
            self.refuse("a member's name holds control characters", raw)
        if any(unicodedata.category(c) == "Cs" for c in raw):
            self.refuse("a member's name is not valid text", raw)
        if "\\" in raw:
            self.refuse("a member's name holds a backslash", raw)
        if raw.startswith("/") or DRIVE.match(raw):
            self.refuse("a member has an absolute path", raw)
        parts = PurePosixPath(raw).parts
        if ".." in parts:
            self.refuse("a member's path leads out of the folder", raw)
        if len(raw.encode()) > LONGEST_PATH or any(len(p.encode()) > LONGEST_NAME for p in parts):
            self.refuse("a member's name is too long", raw)

    def _claim(self, raw: str, path: PurePosixPath, folder: bool) -> None:
        above = [p.as_posix() for p in path.parents if p.parts]
        for name in (path.as_posix(), *above):
            key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
            if self._spelling.setdefault(key, name) != name:
                self.refuse(f"a member differs from '{self._spelling[key]}' in case only", raw)
        name = path.as_posix()
        if name in self._files or (not folder and name in self._folders):
            self.refuse("a member occurs twice", raw)
        if any(parent in self._files for parent in above):
            self.refuse("a member lies below another file", raw)
        self._folders.update([name, *above] if folder else above)
        if not folder:
            self._files.add(name)

    def refuse(self, what: str, raw: str) -> NoReturn:
        """Raise the message for the member ``raw``."""
        raise UserError(
            f"the archive is not safe to unpack: {what}",
            file=self._archive,
            found=repr(raw[:200]),
            expected="plain files and folders, each with a path of its own below the top",
            remedy="check that it is the original archive and download it again",
        )
