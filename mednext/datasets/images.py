"""What the classification sets share: listing the images of class folders, and resizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mednext.datasets.decode import ENDINGS
from mednext.datasets.scan import scan
from mednext.errors import UserError


def class_files(root: Path, folders: dict[str, str], expected: dict[str, int | None]) -> list[str]:
    """Paths of the images in the folder of each class (slug -> folder), class by class.

    Raises:
        UserError: a class folder is missing or empty.
    """
    found: list[str] = []
    for slug, name in folders.items():
        folder = root / name
        if not folder.is_dir():
            raise UserError(
                f"the folder of class '{slug}' is missing",
                file=folder,
                expected=" and ".join(f"{f}/" for f in folders.values()),
                remedy="unpack the data set again, keeping its folders",
            )
        names = scan(folder, ENDINGS)
        if not names:
            raise UserError(
                f"the folder of class '{slug}' holds no image",
                file=folder,
                found="0 images",
                expected=f"up to {expected[slug]} images ({', '.join(ENDINGS)})",
                remedy="copy the images of this class into it",
            )
        found += [f"{name}/{image}" for image in names]
    return found


def resized(image: Image.Image, side: int) -> np.ndarray:
    """(C, side, side) uint8, resized by Pillow's bicubic filter; C is 1 or 3."""
    small = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.uint8)
    return small[None] if small.ndim == 2 else small.transpose(2, 0, 1)
