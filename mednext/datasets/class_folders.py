"""A user's own classification set: one folder of images per class, at any depth below it."""

from __future__ import annotations

import re
from pathlib import Path

from mednext.config import DatasetSpec
from mednext.datasets.decode import ENDINGS, read_picture
from mednext.datasets.reader import Files, Item, Picture
from mednext.datasets.scan import is_hidden, normal, scan
from mednext.errors import UserError


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Paths of all images, class by class, then by name.

    Raises:
        UserError: the folder of a class is missing or holds no image.
    """
    found: dict[str, str] = {}
    for klass in sorted(spec.classes, key=lambda c: len(str(c.folder)), reverse=True):
        # Of nested class folders the inner one comes first and keeps its images.
        folder = _folder(root, str(klass.folder))
        names = scan(root / folder, ENDINGS, deep=True)
        new = [path for name in names if (path := f"{folder}/{name}") not in found]
        if not new:
            raise UserError(
                f"the folder of class '{klass.slug}' holds no image",
                file=root / folder,
                found="no image" if (root / folder).is_dir() else f"no folder{_others(root)}",
                expected=f"images ({', '.join(ENDINGS)})",
                remedy="put the images of this class there, or name its folder in the "
                "configuration (custom_datasets, classes, folder)",
            )
        found |= dict.fromkeys(new, klass.slug)
    order = [c.slug for c in spec.classes]
    return sorted(found, key=lambda path: (order.index(found[path]), path))


def _folder(root: Path, name: str) -> str:
    """The folder's name as it stands on the disk, whatever Unicode form it has there."""
    if (root / name).is_dir() or not root.is_dir():
        return name
    alike = (f.name for f in root.iterdir() if normal(f.name) == normal(name))
    return next(alike, name)


def _others(root: Path) -> str:
    folders = sorted(f.name for f in root.iterdir() if f.is_dir() and not is_hidden(f.name))
    return f", but {', '.join(folders[:10])}" if folders else ""


def patient_of(path: str, spec: DatasetSpec) -> str:
    """What the user's expression finds in the file's name.

    Raises:
        UserError: it finds nothing.
    """
    if spec.patient is None:
        return ""
    match = re.search(spec.patient, Path(path).name)
    if match is None or not match[1]:
        raise UserError(
            "the expression for the patient finds nothing in a name",
            file=path,
            found=spec.patient,
            expected="an expression with one group, e.g. ^(p[0-9]+)_",
            remedy="correct custom_datasets, patient, or rename the file",
        )
    return match[1]


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """Every image with its class and its patient."""
    slugs = {normal(str(c.folder)): c.slug for c in spec.classes}
    ordered = sorted(slugs, key=len, reverse=True)  # of nested class folders the inner one
    return [
        Item(
            path,
            path,
            label=slugs[next(f for f in ordered if normal(path).startswith(f"{f}/"))],
            patient=patient_of(path, spec),
        )
        for path in files.paths
    ]


def read(item: Item, files: Files, spec: DatasetSpec) -> Picture:
    """Decode one image, grey or in colour."""
    return read_picture(files, item.path, "L" if spec.channels == 1 else "RGB")


def stand_in(paths: list[str]) -> str | None:
    """It is what it is."""
    return None
