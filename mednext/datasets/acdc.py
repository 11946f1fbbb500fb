"""ACDC (Bernard et al. 2018, 10.1109/TMI.2018.2837502): two labelled frames of 100 hearts.

Two layouts are read:

- the challenge's own: ``database/training/patientNNN/{Info.cfg, patientNNN_frameFF[_gt].nii.gz}``,
  axes (x, y, slice); intensities are clipped at the 99 % point of the histogram and scaled to
  [0, 1] per volume, as WSL4MIS's ``acdc_data_processing.py`` does;
- the form WSL4MIS converts it to: ``ACDC_training_volumes/patientNNN_frameFF.h5`` with ``image``
  (scaled to [0, 1]; integers carry the attribute ``scale``) and ``label``, axes (slice, y, x), no
  spacing.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from mednext.config import DatasetSpec
from mednext.errors import UserError

NAME = re.compile(r"(patient\d{3})_frame(\d{2})")
FRAMES = ("ED", "ES")
# What h5py, gzip and nibabel raise for damaged or incomplete files.
UNREADABLE = (
    OSError,
    KeyError,
    ValueError,
    EOFError,
    zlib.error,
    HeaderDataError,
    nib.filebasedimages.ImageFileError,
)


@dataclass(frozen=True)
class Volume:
    """One labelled frame: image (D, H, W) float32, label (D, H, W) uint8, spacing (z, y, x) mm."""

    case: str
    patient: str
    frame: str
    image: np.ndarray
    label: np.ndarray
    spacing: tuple[float, float, float] | None


Read = Callable[[str], io.BytesIO]


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Paths of the labelled frames (with their labels and Info.cfg) below ``root``.

    Raises:
        UserError: neither layout is there.
    """
    original = sorted((root / "database" / "training").glob("patient*/*"))
    kept = [f for f in original if f.name == "Info.cfg" or NAME.match(f.name)]
    converted = sorted((root / "ACDC_training_volumes").glob("patient*_frame*.h5"))
    files = kept or converted
    if not files:
        raise UserError(
            "the folder holds no labelled ACDC frame",
            file=root,
            expected="database/training/patientNNN/*.nii.gz or ACDC_training_volumes/*.h5",
            remedy="unpack the data set again, keeping its folders",
        )
    return [f.relative_to(root).as_posix() for f in files]


def frames(paths: list[str], root: Path) -> dict[str, dict[str, str]]:
    """Patient -> {"ED": path, "ES": path} of the image files; frames are matched by their order.

    The lower frame number is end-diastole (checked against Info.cfg where there is one, by the
    verification).

    Raises:
        UserError: a patient does not have exactly two labelled frames.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        match = NAME.match(Path(path).name)
        if match and not path.endswith("_gt.nii.gz"):
            found.setdefault(match[1], []).append(path)
    for patient, images in found.items():
        if len(images) != len(FRAMES):
            raise UserError(
                f"{patient} does not have exactly two labelled frames",
                file=root / images[0],
                found=f"{len(images)}: {', '.join(Path(p).name for p in images)}",
                expected="end-diastole and end-systole",
                remedy="copy the patient's files again",
            )
    return {p: dict(zip(FRAMES, sorted(images), strict=True)) for p, images in found.items()}


def check_info(
    paths: list[str], by_patient: dict[str, dict[str, str]], read: Read, root: Path
) -> None:
    """Compare the frames with ``Info.cfg`` (lines ``ED: 1`` and ``ES: 12``) of each patient.

    The converted form has no such file and is not checked.

    Raises:
        UserError: ED and ES are missing there, or name other frames than those present.
    """
    for path in (p for p in paths if Path(p).name == "Info.cfg"):
        images = by_patient.get(Path(path).parent.name)
        if images is None:
            continue
        text = read(path).getvalue().decode("latin-1")
        info = dict(re.findall(r"^(ED|ES):\s*(\d+)\s*$", text, flags=re.MULTILINE))
        present = {f: str(int(Path(p).name.split("_frame")[1][:2])) for f, p in images.items()}
        if info != present:
            raise UserError(
                "Info.cfg names other frames than those present",
                file=root / path,
                found=", ".join(f"{k}: {v}" for k, v in info.items()) or "neither ED nor ES",
                expected=", ".join(f"{k}: {v}" for k, v in present.items()),
                remedy="copy the patient's folder again",
            )


def read_volume(path: str, patient: str, frame: str, read: Read, root: Path) -> Volume:
    """Read and check one labelled frame.

    Raises:
        UserError: unreadable, image and label of different shape, a label outside 0-3, NaN.
    """
    match = NAME.match(Path(path).name)
    assert match is not None  # by construction of the list
    file = root / path
    try:
        parts = _read_h5(path, read) if path.endswith(".h5") else _read_nifti(path, read)
    except UserError:
        raise
    except UNREADABLE as error:
        raise UserError(
            "the volume cannot be read",
            file=file,
            found=str(error),
            expected="a complete file with image and label",
            remedy="copy the original file again",
        ) from None
    image, label, spacing = parts
    _check(image, label, file)
    return Volume(match[0], patient, frame, image, label.astype(np.uint8), spacing)


def _read_h5(path: str, read: Read) -> tuple[np.ndarray, np.ndarray, None]:
    with h5py.File(read(path), "r") as stored:
        image = stored["image"]
        scale = float(image.attrs.get("scale", 1.0))
        return (
            np.asarray(image[()], dtype=np.float32) * np.float32(scale),
            stored["label"][()],
            None,
        )


def _read_nifti(path: str, read: Read) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    image, spacing = _nifti(read(path))
    label, _ = _nifti(read(path.replace(".nii.gz", "_gt.nii.gz")))
    if np.isfinite(image).all():
        # The smallest intensity that 99 % of the voxels do not exceed: upstream's histogram has one
        # bin per integer.
        low, high = image.min(), np.percentile(image, 99, method="inverted_cdf")
        image = (np.clip(image, low, high) - low) / max(high - low, 1e-6)
    return image.astype(np.float32), label, spacing


def _nifti(stream: io.BytesIO) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Array in (slice, y, x) and its spacing (z, y, x) in mm."""
    stored = nib.Nifti1Image.from_bytes(gzip.decompress(stream.getvalue()))
    x, y, z = (float(v) for v in stored.header.get_zooms()[:3])
    return np.asarray(stored.dataobj).transpose(2, 1, 0), (z, y, x)


def _check(image: np.ndarray, label: np.ndarray, file: Path) -> None:
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
    if len(image) < 2:
        raise UserError(
            "the volume has a single slice",
            file=file,
            found=f"shape {image.shape}",
            expected="at least two slices",
            remedy="use the volumes, not the files of single slices",
        )
    if not np.isfinite(image).all():
        raise UserError(
            "the image holds values that are not numbers",
            file=file,
            found=f"{int((~np.isfinite(image)).sum())} NaN or infinite voxels",
            expected="finite intensities",
            remedy="copy the original file again",
        )
    wrong = sorted(set(np.unique(label).tolist()) - {0, 1, 2, 3})
    if wrong:
        raise UserError(
            "the label holds unknown values",
            file=file,
            found=", ".join(str(v) for v in wrong),
            expected="0 background, 1 right ventricle, 2 myocardium, 3 left ventricle",
            remedy="copy the original label again",
        )
