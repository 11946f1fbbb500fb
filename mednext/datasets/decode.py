"""Decoding of picture files: as a picture, as intensities, as a label map.

The content decides among the formats promised here, whatever the suffix says; Pillow knows many
more, some of which start other programs (EPS: Ghostscript), and is not asked for them.

- A picture is turned as its EXIF orientation says, and so is a label map.
- Transparent pixels show :data:`BACKGROUND`; an opaque alpha channel is dropped.
- 16 bits are scaled from the depth that the format states, 65535 to 255.
- Of several frames the first is the picture; a label map has one.

What was done beyond plain decoding is a note, which the verification counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mednext.datasets.reader import Files, Picture
from mednext.errors import UserError

FORMATS = {
    "PNG": (".png",),
    "WEBP": (".webp",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
# Modes that 8 bits hold; Pillow would clip the values of the others on conversion.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
DEEP = ("I;16", "I;16B", "I;16L")
LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")
BACKGROUND = "black"
ORIENTATION = 0x0112
"""The EXIF tag; 1 is upright."""
MOST_PIXELS = 1 << 26
"""Of a picture; photographs and CT slices have fewer."""
LIMIT = "MEDNEXT_MAX_PIXELS"
Image.MAX_IMAGE_PIXELS = None  # the limit below comes first, and says how to raise it


def check_size(count: int, default: int, file: Path, what: str = "pixels") -> None:
    """Refuse what would not fit into memory, before it is decoded.

    Raises:
        UserError: more than ``default``, or than the environment variable :data:`LIMIT` allows, or
            that is no number.
    """
    text = os.environ.get(LIMIT, "")
    if text and not text.isdecimal():
        raise UserError(
            f"the environment variable {LIMIT} is not a number",
            found=text,
            expected="decimal digits alone, e.g. 180000000",
            remedy="correct or unset it",
        )
    most = int(text) if text else default
    if count > most:
        raise UserError(
            "the file decodes to more than is allowed",
            file=file,
            found=f"{count:,} {what}",
            expected=f"at most {most:,}",
            remedy=f"set {LIMIT}={count} if the file is right, or make it smaller",
        )


@dataclass(frozen=True)
class Decoded:
    """A picture file as it is shown: turned, nothing converted yet."""

    image: Image.Image
    format: str
    file: Path
    content: bytes
    animated: bool
    cut: bool
    """Had it 16 bits per channel, of which Pillow keeps the upper 8?"""
    notes: tuple[str, ...]


def _decode(files: Files, path: str) -> Decoded:
    content, file = files.read(path).getvalue(), files.file(path)
    try:
        with Image.open(files.read(path), formats=tuple(FORMATS)) as image:
            check_size(image.width * image.height, MOST_PIXELS, file)
            animated = bool(getattr(image, "is_animated", False))
            cut = ";16" in str(image.tile) and image.mode not in (*DEEP, "I")
            image.load()
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            turned = image.getexif().get(ORIENTATION, 1) != 1
            shown = ImageOps.exif_transpose(image) if turned else image.copy()
    except UnidentifiedImageError:
        raise UserError(
            "the file is not an image",
            file=file,
            found=f"first bytes {content[:12]!r}",
            expected=f"{', '.join(FORMATS)}, whatever the suffix",
            remedy="replace it by the original file, convert it to PNG, or remove it",
        ) from None
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow raises all kinds for damaged files
        raise UserError(
            "the image is damaged and cannot be decoded",
            file=file,
            found=f"{len(content)} bytes: {error or type(error).__name__}",
            expected="a complete image",
            remedy="copy the original file again",
        ) from None
    notes = ["turned as its EXIF orientation says"] if turned else []
    if Path(path).suffix.lower() not in FORMATS[kind]:
        notes.append(f"{kind} by content, not by suffix")
    frames = animated and image.format != "MPO"
    return Decoded(shown, kind, file, content, frames, cut, tuple(notes))


def read_picture(files: Files, path: str, mode: str) -> Picture:
    """Decode one image completely and bring it to ``mode`` (``L`` or ``RGB``), 8 bits.

    Raises:
        UserError: not an image, a damaged or too large one, or one whose depth is not stated.
    """
    found = _decode(files, path)
    image, notes = found.image, list(found.notes)
    if found.animated:
        notes.append("first of several frames")
    if found.cut or image.mode in DEEP:
        notes.append("16 bits scaled to 8")
    if image.mode in DEEP:
        deep = np.asarray(image, dtype=np.float64)
        if deep.max() < 4096:
            notes.append("at most 12 of its 16 bits used, so it is dark")
        decoded = Image.fromarray(np.rint(deep / 257).astype(np.uint8)).convert(mode)
    elif image.mode in MODES:
        if _transparent(image):
            notes.append(f"transparent pixels shown as {BACKGROUND}")
            under = Image.new("RGBA", image.size, BACKGROUND)
            image = Image.alpha_composite(under, image.convert("RGBA"))
        # An opaque alpha channel is dropped; grey is the luma of RGB, whatever was stored.
        decoded = image.convert("RGB").convert(mode)
    else:
        raise UserError(
            "the depth of the image is not stated",
            file=found.file,
            found=f"colour mode {image.mode}",
            expected=f"8 or 16 bits per channel ({', '.join((*MODES, DEEP[0]))})",
            remedy="save it as a PNG of 8 or 16 bits",
        )
    return Picture(decoded, found.image.mode, found.format, tuple(notes))


def _transparent(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    return bool((np.asarray(image.convert("RGBA").getchannel("A")) < 255).any())


def read_intensities(files: Files, path: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(H, W) float64 of a grey image at its own depth, and the notes on it; they are to be scaled.

    Raises:
        UserError: as :func:`read_picture`.
    """
    found = _decode(files, path)
    if found.image.mode in (*DEEP, "I", "F"):
        notes = (*found.notes, *(["first of several frames"] if found.animated else []))
        return np.asarray(found.image, dtype=np.float64), notes
    picture = read_picture(files, path, "L")
    return np.asarray(picture.image, dtype=np.float64), picture.notes


def read_label_map(files: Files, path: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(H, W): the stored values of a label image, of a palette its indices, and the notes on it.

    Raises:
        UserError: not an image, a lossy one, one of several frames, or one whose pixels are
            colours or of 16 bits per colour.
    """
    found = _decode(files, path)
    image = found.image
    problem = None
    if _lossy(found):
        problem = "a lossy format: compression has changed the values"
    elif found.animated:
        problem = "several frames"
    elif found.cut:
        problem = "16 bits per colour"
    elif _transparent(image):
        problem = "transparent pixels"
    elif image.mode not in ("1", "L", "P", "I", "F", *DEEP):
        channels = np.asarray(image.convert("RGB") if "A" in image.mode else image)
        if channels.ndim == 3 and (channels == channels[..., :1]).all():
            return channels[..., 0], found.notes
        problem = "its pixels are colours, not one value each"
    if problem is not None:
        raise UserError(
            "the label map cannot be used",
            file=found.file,
            found=f"{found.format}, {problem}",
            expected="a lossless picture (PNG) whose grey values or palette indices are the labels",
            remedy="export the label again as a PNG of label values",
        )
    return np.asarray(image), found.notes


def _lossy(found: Decoded) -> bool:
    if found.format == "WEBP":
        return b"VP8 " in found.content
    compression = found.image.info.get("compression")
    return found.format == "JPEG" or (found.format == "TIFF" and compression in LOSSY_TIFF)
