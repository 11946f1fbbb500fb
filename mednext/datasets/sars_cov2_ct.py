"""SARS-COV-2 CT-Scan (Soares et al. 2020, 10.1101/2020.04.24.20078584): two folders of CT slices.

Original delivery: ``COVID/Covid (N).png`` and ``non-COVID/Non-Covid (N).png`` of mixed sizes and
colour modes. The converted form has the same names with the ending ``.webp``.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mednext.config import DatasetSpec
from mednext.errors import UserError

ENDINGS = (".png", ".webp", ".jpg", ".jpeg")
# What Pillow raises for damaged files, and for sizes no CT slice has.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Paths of all images below ``root``, in the order of the classes, then by name.

    Raises:
        UserError: a class folder is missing or empty.
    """
    found: list[str] = []
    for klass in spec.classes:
        folder = root / str(klass.folder)
        if not folder.is_dir():
            raise UserError(
                f"the folder of class '{klass.slug}' is missing",
                file=folder,
                expected=" and ".join(f"{c.folder}/" for c in spec.classes),
                remedy="unpack the data set again, keeping its folders",
            )
        names = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in ENDINGS)
        if not names:
            raise UserError(
                f"the folder of class '{klass.slug}' holds no image",
                file=folder,
                found="0 images",
                expected=f"up to {klass.expected} images ({', '.join(ENDINGS)})",
                remedy="copy the images of this class into it",
            )
        found += [f"{klass.folder}/{name}" for name in names]
    return found


def label_of(path: str, spec: DatasetSpec) -> int:
    """Index of the class whose folder ``path`` lies in."""
    return [c.folder for c in spec.classes].index(path.split("/")[0])


def read_image(content: io.BytesIO, file: Path) -> Image.Image:
    """Decode one image completely, as 8-bit grey.

    Raises:
        UserError: not an image, or a damaged one.
    """
    try:
        with Image.open(content) as image:
            image.load()
            return image.convert("RGB").convert("L")
    except UnidentifiedImageError:
        head = content.getvalue()[:12]
        raise UserError(
            "the file is not an image",
            file=file,
            found=f"first bytes {head!r}",
            expected="a PNG, WebP or JPEG image",
            remedy="replace it by the original file or remove it",
        ) from None
    except DAMAGED as error:
        raise UserError(
            "the image is damaged and cannot be decoded",
            file=file,
            found=f"{len(content.getvalue())} bytes: {error}",
            expected="a complete image",
            remedy="copy the original file again",
        ) from None


def resized(image: Image.Image, side: int) -> np.ndarray:
    """``side x side`` uint8, resized by Pillow's bicubic filter."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.uint8)
