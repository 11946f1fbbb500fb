"""Decoding of image files, shared by the classification sets."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mednext.datasets.reader import Files, Picture
from mednext.errors import UserError

ENDINGS = (".png", ".webp", ".jpg", ".jpeg")
# Modes that 8 bits hold; Pillow would clip the values of the others on conversion.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
# What Pillow raises for damaged files, and for sizes no photograph or CT slice has.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def image_names(folder: Path) -> list[str]:
    """Names of the image files in ``folder``, sorted."""
    return sorted(f.name for f in folder.iterdir() if f.suffix.lower() in ENDINGS)


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
        names = image_names(folder)
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


def read_picture(files: Files, path: str, mode: str) -> Picture:
    """Decode one image completely and bring it to ``mode`` (``L`` or ``RGB``).

    Raises:
        UserError: not an image, a damaged one, or one of more than 8 bits.
    """
    content, file = files.read(path), files.file(path)
    try:
        with Image.open(content) as image:
            image.load()
            kind, was = str(image.format), image.mode
            # An opaque alpha channel is dropped; grey is the luma of RGB, whatever was stored.
            decoded = image.convert("RGB").convert(mode) if was in MODES else None
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
    if decoded is None:
        raise UserError(
            "the image has an unexpected colour mode",
            file=file,
            found=was,
            expected=f"8 bits per channel ({', '.join(MODES)})",
            remedy="copy the original file again",
        )
    return Picture(decoded, was, kind)


def resized(image: Image.Image, side: int) -> np.ndarray:
    """(C, side, side) uint8, resized by Pillow's bicubic filter; C is 1 or 3."""
    small = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.uint8)
    return small[None] if small.ndim == 2 else small.transpose(2, 0, 1)
