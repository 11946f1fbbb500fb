"""What lies in a folder: the one scanner of class folders, pairs, built-in sets and predictions.

Hidden files and the clutter of desktops are skipped, links are followed, names are compared in one
Unicode normal form (NFC).
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from mednext.datasets.member_names import CLUTTER
from mednext.errors import UserError

PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
FOLDERS_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN"})


def normal(name: str) -> str:
    """The name in the form in which names are compared.

    >>> normal("cafe\\u0301.png") == normal("caf\\u00e9.png")
    True
    """
    return unicodedata.normalize("NFC", name)


def is_hidden(name: str) -> bool:
    """Is it a hidden file or folder, or one that operating systems put beside the data?"""
    return name.startswith(".") or name in CLUTTER or name in FOLDERS_OF_SYSTEMS


def scan(root: Path, endings: tuple[str, ...], *, deep: bool = False) -> list[str]:
    """Paths below ``root`` (POSIX) of its files with one of ``endings``, sorted.

    Args:
        root: the folder; none is found in one that does not exist.
        endings: suffixes in lower case; those of the files are compared without regard to case.
        deep: also look into the folders below it.

    Raises:
        UserError: such a name is no plain file, a link leads nowhere or in a circle, a name is not
            valid text, or a folder may not be read.
    """
    if not root.is_dir():
        return []
    return sorted(
        path for path in _walk(root, endings, deep) if path.lower().endswith(endings or "\0")
    )


def _walk(root: Path, endings: tuple[str, ...], deep: bool) -> Iterator[str]:
    """Paths of all plain files that are not hidden."""
    stack: list[tuple[str, Path, tuple[str, ...]]] = [("", root, (os.path.realpath(root),))]
    while stack:
        prefix, folder, above = stack.pop()
        for entry in _entries(folder):
            path = prefix + entry.name
            if is_hidden(entry.name):
                continue
            try:
                entry.name.encode()
            except UnicodeEncodeError:
                what = "the name of a file is not valid text"
                raise _refused(what, root, path.encode(errors="replace").decode()) from None
            wanted = entry.name.lower().endswith(endings)
            if entry.is_symlink() and not Path(entry.path).exists():
                raise _refused("a link leads nowhere", root, path)
            if entry.is_file():
                yield path
            elif entry.is_dir():
                if wanted:
                    raise _refused("a folder has the name of an image", root, path)
                real = os.path.realpath(entry.path)
                if deep and real in above:
                    raise _refused("a link leads in a circle", root, path)
                if deep:
                    stack.append((f"{path}/", Path(entry.path), (*above, real)))
            elif wanted:
                raise _refused("the name of an image is no plain file", root, path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise UserError(
            "a folder cannot be read",
            file=folder,
            found=error.strerror,
            remedy="give yourself the permission to read and enter it",
        ) from None


def _refused(what: str, root: Path, path: str) -> UserError:
    return UserError(
        what,
        file=repr(str(root / path))[1:-1],
        expected="plain files and folders, or links to them",
        remedy="remove it, or put the file itself in its place",
    )


def archives_in(folder: Path) -> list[str]:
    """Names of the archives in a folder, if it is there: data that nobody has unpacked."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(f.name for f in files if f.name.lower().endswith(PACKED) and f.is_file())


def left_out(root: Path, used: Collection[str], endings: tuple[str, ...]) -> dict[str, int]:
    """Reason -> how many files below ``root`` are not among ``used``, most frequent first.

    Images that nobody names lie in folders that are no class's; the others are counted by suffix.
    A linked folder without used files is one thing that was left out, whatever it leads to.
    """
    taken, places = set(used), {str(PurePosixPath(path).parent) for path in used}
    above = {root / parent for path in used for parent in PurePosixPath(path).parents}
    counts: Counter[str] = Counter()
    for inner, folders, names in os.walk(root, followlinks=True):
        here = Path(inner).relative_to(root).as_posix()
        hidden = any(is_hidden(part) for part in PurePosixPath(here).parts if part != ".")
        links = [f for f in folders if Path(inner, f).is_symlink() and Path(inner, f) not in above]
        folders[:] = sorted(set(folders) - set(links))
        for name in [*names, *links]:
            path = name if here == "." else f"{here}/{name}"
            if path in taken:
                continue
            if hidden or is_hidden(name):
                counts["hidden"] += 1
            elif name.lower().endswith(endings) and here not in places:
                counts[f"in {_shown(here)}/"] += 1
            else:
                counts[_shown("".join(PurePosixPath(name).suffixes[-1:]).lower()) or name] += 1
    return dict(counts.most_common())


def _shown(text: str) -> str:
    return text.encode(errors="replace").decode()
