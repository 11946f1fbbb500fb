"""Reading and checking of labelled volumes, shared by the segmentation sets."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from nibabel.spatialimages import HeaderDataError

from mednext.datasets.reader import Files, Volume
from mednext.errors import UserError

# What h5py, gzip, zip, numpy and nibabel raise for damaged or incomplete files.
UNREADABLE = (
    OSError,
    KeyError,
    ValueError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    HeaderDataError,
    nib.filebasedimages.ImageFileError,
)
GZIP = b"\x1f\x8b"


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn whatever a library raises for a damaged file into one message."""
    try:
        yield
    except UNREADABLE as error:
        raise UserError(
            "the volume cannot be read",
            file=file,
            found=str(error),
            expected="a complete file with image and label",
            remedy="copy the original file again",
        ) from None


def open_nifti(files: Files, path: str) -> nib.Nifti1Image:
    """A NIfTI file (.nii.gz or .nii); its voxels are decoded when they are asked for."""
    with readable(files.file(path)):
        content = files.read(path).getvalue()
        packed = content.startswith(GZIP)
        return nib.Nifti1Image.from_bytes(gzip.decompress(content) if packed else content)


def voxels(files: Files, path: str, image: nib.Nifti1Image, kind: type[np.generic]) -> np.ndarray:
    """The voxels in the file's own axes, scaled as its header says."""
    with readable(files.file(path)):
        return np.asarray(image.dataobj, dtype=kind)


AXES = ("L", "P", "S")


def upright(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The same volume with axes to the patient's left, back and head, by its affine."""
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(AXES))
    return image.as_reoriented(turn)


def zooms(image: nib.Nifti1Image) -> tuple[float, float, float]:
    """Spacing along the file's own three axes, in mm."""
    x, y, z = (float(v) for v in image.header.get_zooms()[:3])
    return x, y, z


def spacing_of(image: nib.Nifti1Image) -> tuple[float, float, float]:
    """Spacing (z, y, x) of the upright volume, in mm, by the header of the stored one.

    Not by the affine: the affines of ACDC have unit scales (MIC-DKFZ/nnUNet issue 2741).
    """
    stored = zooms(image)
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(AXES))
    x, y, z = (stored[int(np.flatnonzero(turn[:, 0] == axis)[0])] for axis in range(3))
    return z, y, x


def same_grid(
    image: nib.Nifti1Image, label: nib.Nifti1Image, files: Files, path: str, label_path: str
) -> None:
    """Refuse a label on another grid than its image: other shape, spacing or orientation.

    Raises:
        UserError: they differ.
    """
    facts: dict[str, list[Any]] = {
        "shapes": [i.shape for i in (image, label)],
        "spacings": [tuple(round(v, 3) for v in i.header.get_zooms()) for i in (image, label)],
        "orientations": ["".join(map(str, nib.aff2axcodes(i.affine))) for i in (image, label)],
    }
    for what, (one, other) in facts.items():
        if one != other:
            raise UserError(
                f"image and label have different {what}",
                file=files.file(path),
                found=f"image {one}, label {other} ({Path(label_path).name})",
                expected=f"equal {what}",
                remedy="copy both original files again",
            )


def read_h5(files: Files, path: str) -> tuple[np.ndarray, np.ndarray]:
    """``image`` (float32, times its attribute ``scale`` if there is one) and ``label``."""
    with readable(files.file(path)), h5py.File(files.read(path), "r") as stored:
        image = stored["image"]
        scale = float(image.attrs.get("scale", 1.0))
        return np.asarray(image[()], dtype=np.float32) * np.float32(scale), stored["label"][()]


def checked(
    image: np.ndarray,
    label: np.ndarray,
    spacing: tuple[float, float, float] | None,
    labels: Collection[int],
    meaning: str,
    file: Path,
    least: int = 2,
) -> Volume:
    """The volume, if it is one.

    Raises:
        UserError: image and label of different shape, not three axes, a single slice, NaN, a
            spacing that is not positive, a label that is not one of ``labels``.
    """
    if image.shape != label.shape:
        raise UserError(
            "image and label have different shapes",
            file=file,
            found=f"image {image.shape}, label {label.shape}",
            expected="equal shapes (slices, height, width)",
            remedy="copy both original files again",
        )
    if image.ndim != 3:
        raise UserError(
            "not a volume",
            file=file,
            found=f"shape {image.shape}",
            expected="three axes (slices, height, width)",
            remedy="copy the original file again",
        )
    if len(image) < least:
        raise UserError(
            "the volume has a single slice",
            file=file,
            found=f"shape {image.shape}",
            expected="at least two slices",
            remedy="use the volumes, not the files of single slices",
        )
    check_finite(image, file)
    if spacing is not None and not all(np.isfinite(v) and v > 0 for v in spacing):
        raise UserError(
            "the spacing is not positive",
            file=file,
            found=", ".join(f"{v:g}" for v in spacing),
            expected="millimetres above 0 along each axis",
            remedy="copy the original file again",
        )
    wrong = sorted(set(np.unique(label).tolist()) - set(labels))
    if wrong:
        raise UserError(
            "the label holds unknown values",
            file=file,
            found=", ".join(f"{v:g}" for v in wrong),
            expected=meaning,
            remedy="copy the original label again",
        )
    return Volume(image.astype(np.float32, copy=False), label.astype(np.uint8), spacing)


def check_finite(image: np.ndarray, file: Path) -> None:
    """Refuse NaN and infinite intensities.

    Raises:
        UserError: there are some.
    """
    if not np.isfinite(image).all():
        raise UserError(
            "the image holds values that are not numbers",
            file=file,
            found=f"{int((~np.isfinite(image)).sum())} NaN or infinite voxels",
            expected="finite intensities",
            remedy="copy the original file again",
        )
