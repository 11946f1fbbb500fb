"""SARS-COV-2 CT-Scan (Soares et al. 2020, 10.1101/2020.04.24.20078584): two folders of CT slices.

Original delivery: ``COVID/Covid (N).png`` and ``non-COVID/Non-Covid (N).png`` of mixed sizes and
colour modes. The converted form has the same names with the ending ``.webp``. There is no patient
table; neighbours in the numbering often show one scan.
"""

from __future__ import annotations

import re
from pathlib import Path

from mednext.config import DatasetSpec
from mednext.datasets.decode import read_picture
from mednext.datasets.images import class_files
from mednext.datasets.reader import Files, Item, Picture
from mednext.errors import UserError

NUMBER = re.compile(r"\((\d+)\)\.\w+$")


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Paths of all images below ``root``, in the order of the classes, then by name."""
    folders = {c.slug: str(c.folder) for c in spec.classes}
    return class_files(root, folders, {c.slug: c.expected for c in spec.classes})


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """Every image with its class and its number.

    Raises:
        UserError: two images of a class have one number (one of them was converted or copied).
    """
    slugs = {str(c.folder): c.slug for c in spec.classes}
    found: list[Item] = []
    seen: dict[tuple[str, int], str] = {}
    for path in files.paths:
        number = NUMBER.search(path)
        order = int(number[1]) if number else -1
        folder = path.split("/")[0]
        other = seen.setdefault((folder, order), path)
        if number and other != path:
            raise UserError(
                "two images have one number",
                file=files.file(path),
                found=other,
                expected=f"one image number {order} in {folder}/",
                remedy="remove the one that does not belong to the data set",
            )
        found.append(Item(path, path, label=slugs[folder], order=order))
    return found


def read(item: Item, files: Files, spec: DatasetSpec) -> Picture:
    """Decode one image as 8-bit grey."""
    return read_picture(files, item.path, "L")


def stand_in(paths: list[str]) -> str | None:
    """Nothing stands in for this set."""
    return None
