"""Reading and checking of labelled volumes, shared by the segmentation sets."""

from __future__ import annotations

import gzip
import io
import logging
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mednext.datasets.decode import check_size
from mednext.datasets.labels import whole
from mednext.datasets.reader import Files, Volume
from mednext.errors import UserError

GZIP = b"\x1f\x8b"
MOST_VOXELS = 1 << 28
"""Of a volume, 512 x 512 x 1024."""
LONGEST_HEADER = 1 << 24
"""Bytes, with extensions."""
VOLUMES = (".nii.gz", ".nii")
NIFTI_2 = (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
"""How a file of the second version begins: the size of its header, 540."""
# Headers are checked below; nibabel would also print what it finds, one line per file.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn whatever a library raises for a damaged file into one message."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # h5py, gzip, zip, numpy and nibabel raise all kinds
        raise UserError(
            "the volume cannot be read",
            file=file,
            found=str(error) or type(error).__name__,
            expected="a complete file with image and label",
            remedy="copy the original file again",
        ) from None


def open_nifti(files: Files, path: str) -> nib.Nifti1Image:
    """A NIfTI file (.nii.gz or .nii, version 1 or 2); its voxels are decoded when asked for.

    Raises:
        UserError: it is damaged, too large, or its voxels are colours or complex numbers.
    """
    file = files.file(path)
    with readable(file):
        content = files.read(path).getvalue()
        if content.startswith(GZIP):
            content = _unzipped(content, file)
        kind = nib.Nifti2Image if content[:4] in NIFTI_2 else nib.Nifti1Image
        image = kind.from_bytes(content)
        check_size(int(np.prod([int(n) for n in image.shape])), MOST_VOXELS, file, "voxels")
    if image.get_data_dtype().kind not in "iuf":
        raise UserError(
            "the voxels are not one number each",
            file=file,
            found=f"data type {image.header.get_value_label('datatype')}",
            expected="integers or floating-point numbers",
            remedy="convert colours to grey, or save one channel alone",
        )
    return image


def _unzipped(content: bytes, file: Path) -> bytes:
    """No more than the header says, whatever a small file unpacks to."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        head = stream.read(540)
        kind = nib.Nifti2Header if head[:4] in NIFTI_2 else nib.Nifti1Header
        header = kind(head[: kind.sizeof_hdr], check=False)
        count = int(np.prod([int(n) for n in header.get_data_shape()], dtype=object))
        check_size(count, MOST_VOXELS, file, "voxels")
        start = min(max(int(header.get_data_offset()), 0), LONGEST_HEADER)
        total = start + count * header.get_data_dtype().itemsize
        whole_file = head + stream.read(max(total - len(head), 0))
        if len(whole_file) < total:
            raise EOFError(f"{len(whole_file)} of {total} bytes")
        stream.read(LONGEST_HEADER)  # to the end, where the checksum is compared
    return whole_file


def voxels(files: Files, path: str, image: nib.Nifti1Image, kind: type[np.generic]) -> np.ndarray:
    """The voxels in the file's own axes, scaled as its header says."""
    with readable(files.file(path)):
        return np.asarray(image.dataobj, dtype=kind)


AXES = ("L", "P", "S")
SAME_GRID = "make the label on the grid of its image, or copy both files again"


def upright(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The same volume with axes to the patient's left, back and head, by its affine."""
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(AXES))
    return image.as_reoriented(turn)


def zooms(image: nib.Nifti1Image) -> tuple[float, float, float]:
    """Spacing along the file's own three axes, in mm, by the header."""
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


def oriented(
    files: Files, path: str
) -> tuple[nib.Nifti1Image, tuple[float, float, float], tuple[str, ...]]:
    """A user's own volume with axes to the patient's left, back and head, as its affine says.

    Returns:
        The volume (two axes are one slice), its spacing (z, y, x) in mm by the affine, and notes:
        a header that says other spacings, axes that were turned.

    Raises:
        UserError: not two or three axes, or no geometry: an axis without length or direction.
    """
    image, file = open_nifti(files, path), files.file(path)
    if len(image.shape) not in (2, 3):
        raise UserError(
            "not a volume",
            file=file,
            found=f"shape {image.shape}",
            expected="three axes (x, y, slice), or two of one slice",
            remedy="save one frame or channel alone",
        )
    sizes = nib.affines.voxel_sizes(image.affine)
    known = np.isfinite(image.affine).all() and (sizes > 0).all()
    if (
        not known
        or np.isnan(io_orientation(image.affine)).any()  # two axes in one direction
        or _no_geometry(files, path)
    ):
        raise UserError(
            "the file does not say where its voxels lie",
            file=file,
            found=f"spacing {', '.join(f'{v:g}' for v in sizes)}",
            expected="millimetres above 0 along each axis, in the affine or in pixdim",
            remedy="write the spacing into the header, e.g. by converting from the DICOM files",
        )
    notes = []
    unit = image.header.get_xyzt_units()[0]
    if unit in ("meter", "micron"):
        notes.append(f"spacing in {unit}s by the header, taken as mm")
    header = np.array([float(v) for v in image.header["pixdim"][1 : 1 + len(image.shape)]])
    if (np.abs(header - sizes[: len(header)]) > 0.01 * sizes[: len(header)]).any():
        notes.append("spacing by the affine, pixdim says another")
    if len(image.shape) == 2:
        with readable(file):
            plane = np.asanyarray(image.dataobj)[..., None]
        image = nib.Nifti2Image(plane, image.affine)
    if nib.aff2axcodes(image.affine) not in (AXES, ("R", "A", "S")):
        notes.append("axes turned")
    with readable(file):
        image = upright(image)
    x, y, z = nib.affines.voxel_sizes(image.affine).tolist()
    return image, (z, y, x), tuple(notes)


def _no_geometry(files: Files, path: str) -> bool:
    """Neither form of the affine is given and pixdim holds a zero, for which nibabel takes 1 mm."""
    content = files.read(path).getvalue()
    if content.startswith(GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            content = stream.read(540)
    kind = nib.Nifti2Header if content[:4] in NIFTI_2 else nib.Nifti1Header
    header = kind(content[: kind.sizeof_hdr], check=False)
    axes = min(len(header.get_data_shape()), 3)
    given = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    return not given and not (np.abs(header["pixdim"][1 : 1 + axes]) > 0).all()


def same_grid(
    image: nib.Nifti1Image, label: nib.Nifti1Image, files: Files, path: str, label_path: str
) -> None:
    """Refuse a label on another grid than its image: other shape, spacing or orientation.

    Raises:
        UserError: they differ.
    """
    facts: dict[str, list[Any]] = {
        "shapes": [i.shape for i in (image, label)],
        "spacings": [
            tuple(round(float(v), 3) for v in i.header.get_zooms()) for i in (image, label)
        ],
        "orientations": ["".join(map(str, nib.aff2axcodes(i.affine))) for i in (image, label)],
    }
    for what, (one, other) in facts.items():
        if one != other:
            raise UserError(
                f"image and label have different {what}",
                file=files.file(label_path),
                found=f"label {other}, image {one} ({Path(path).name})",
                expected=f"equal {what}",
                remedy=SAME_GRID,
            )


def read_h5(files: Files, path: str) -> tuple[np.ndarray, np.ndarray]:
    """``image`` (float32, times its attribute ``scale`` if there is one) and ``label``."""
    file = files.file(path)
    with readable(file), h5py.File(files.read(path), "r") as stored:
        image = stored["image"]
        for array in (image, stored["label"]):
            check_size(int(array.size or 0), MOST_VOXELS, file, "voxels")
        scale = float(image.attrs.get("scale", 1.0))
        return np.asarray(image[()], dtype=np.float32) * np.float32(scale), stored["label"][()]


def read_npz(files: Files, path: str) -> tuple[np.ndarray, np.ndarray]:
    """``image`` (float32) and ``label``."""
    file = files.file(path)
    with readable(file):
        with zipfile.ZipFile(files.read(path)) as members:
            total = sum(member.file_size for member in members.infolist())
        check_size(total // 8, MOST_VOXELS, file, "voxels")
        with np.load(files.read(path), allow_pickle=False) as stored:
            return np.asarray(stored["image"], dtype=np.float32), np.asarray(stored["label"])


def checked(
    image: np.ndarray,
    label: np.ndarray,
    spacing: tuple[float, float, float] | None,
    labels: Collection[int],
    meaning: str,
    file: Path,
    label_file: Path | None = None,
    least: int = 2,
    notes: tuple[str, ...] = (),
) -> Volume:
    """The volume, if it is one.

    Args:
        image: (slices, height, width) intensities.
        label: the same shape.
        spacing: (z, y, x) in mm, if it is known.
        labels: the values that a label may have.
        meaning: the same in words.
        file: holds the image.
        label_file: holds the label, if that is another one.
        least: number of slices.
        notes: what was done on decoding.

    Raises:
        UserError: image and label of different shape, not three axes, a single slice, NaN, a
            spacing that is not positive, a label that is not one of ``labels``.
    """
    if image.shape != label.shape:
        raise UserError(
            "image and label have different shapes",
            file=label_file or file,
            found=f"label {label.shape}, image {image.shape}",
            expected="equal shapes (slices, height, width)",
            remedy=SAME_GRID,
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
    label = whole(label, label_file or file)
    wrong = sorted(set(np.unique(label).tolist()) - set(labels))
    if wrong:
        raise UserError(
            "the label holds unknown values",
            file=label_file or file,
            found=", ".join(str(v) for v in wrong[:20]),
            expected=meaning,
            remedy="copy the original label again",
        )
    return Volume(image.astype(np.float32, copy=False), label.astype(np.uint8), spacing, notes)


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
            remedy="copy the original file again, or write a number there (in CT that of air)",
        )
