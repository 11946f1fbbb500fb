"""ACDC (Bernard et al. 2018, 10.1109/TMI.2018.2837502): two labelled frames of 100 hearts.

Two layouts are read:

- the challenge's own: ``database/training/patientNNN/{Info.cfg, patientNNN_frameFF[_gt].nii.gz}``
  (or ``.nii``),
  axes (x, y, slice), turned by the affine to the patient's left, back and head; intensities are
  clipped at the 99 % point of the histogram and scaled to [0, 1] per volume, as WSL4MIS's
  ``acdc_data_processing.py`` does (which leaves the axes as they are stored);
- the form WSL4MIS converts it to: ``ACDC_training_volumes/patientNNN_frameFF.h5`` with ``image``
  (scaled to [0, 1]; integers carry the attribute ``scale``) and ``label``, axes (slice, y, x), no
  spacing.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mednext.config import DatasetSpec
from mednext.datasets.reader import Files, Item, Volume
from mednext.datasets.scan import scan
from mednext.datasets.volumes import (
    VOLUMES,
    checked,
    open_nifti,
    read_h5,
    readable,
    same_grid,
    spacing_of,
    upright,
    voxels,
)
from mednext.errors import UserError

TRAINING = "database/training"
CONVERTED = "ACDC_training_volumes"
NAME = re.compile(r"(patient\d{3})_frame(\d{2})")
FRAME = re.compile(r"patient[^/]*/(Info\.cfg|patient\d{3}_frame\d{2}.*)")
LABEL = re.compile(r"_gt\.nii(\.gz)?$")
FRAMES = ("ED", "ES")
MEANING = "0 background, 1 right ventricle, 2 myocardium, 3 left ventricle"


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Paths of the labelled frames (with their labels and Info.cfg) below ``root``.

    Raises:
        UserError: neither layout is there.
    """
    original = scan(root / TRAINING, (*VOLUMES, "info.cfg"), deep=True)
    kept = [f"{TRAINING}/{name}" for name in original if FRAME.fullmatch(name)]
    hearts = scan(root / CONVERTED, (".h5",))
    converted = [f"{CONVERTED}/{name}" for name in hearts if NAME.match(name)]
    files = kept or converted
    if not files:
        raise UserError(
            "the folder holds no labelled ACDC frame",
            file=root,
            expected="database/training/patientNNN/*.nii[.gz] or ACDC_training_volumes/*.h5",
            remedy="unpack the data set again, keeping its folders",
        )
    return files


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """Two volumes per patient; frames are matched by their order, the lower is end-diastole.

    Raises:
        UserError: a patient does not have exactly two labelled frames, a label is missing, or
            Info.cfg names other frames.
    """
    images: dict[str, list[str]] = {}
    for path in files.paths:
        match = NAME.match(Path(path).name)
        if match and not LABEL.search(path):
            images.setdefault(match[1], []).append(path)
    found = []
    for patient, paths in sorted(images.items()):
        if len(paths) != len(FRAMES):
            raise UserError(
                f"{patient} does not have exactly two labelled frames",
                file=files.file(paths[0]),
                found=f"{len(paths)}: {', '.join(Path(p).name for p in paths)}",
                expected="end-diastole and end-systole",
                remedy="copy the patient's files again",
            )
        by_frame = dict(zip(FRAMES, sorted(paths), strict=True))
        _check_info(files, patient, by_frame)
        found += [_item(files, patient, frame, path) for frame, path in by_frame.items()]
    return found


def _item(files: Files, patient: str, frame: str, path: str) -> Item:
    match = NAME.match(Path(path).name)
    assert match is not None  # by construction of the list
    if path.endswith(".h5"):
        return Item(path, match[0], patient=patient, frame=frame)
    whole, _, ending = path.partition(".nii")
    either = [f"{whole}_gt.nii{packed}" for packed in (ending, "", ".gz")]
    label = next((name for name in either if name in files), None)
    if label is None:
        raise UserError(
            "the label of a frame is missing",
            file=files.file(either[0]),
            found="no such file",
            expected=f"the label of {Path(path).name}",
            remedy="copy the patient's files again",
        )
    return Item(path, match[0], patient=patient, frame=frame, more=(label,))


def _check_info(files: Files, patient: str, images: dict[str, str]) -> None:
    """Compare the frames with ``Info.cfg`` (lines ``ED: 1`` and ``ES: 12``) of the patient.

    The converted form has no such file and is not checked.

    Raises:
        UserError: ED and ES are missing there, or name other frames than those present.
    """
    path = f"{Path(images['ED']).parent.as_posix()}/Info.cfg"
    if path not in files:
        return
    text = files.read(path).getvalue().decode("latin-1")
    info = dict(re.findall(r"^(ED|ES):\s*(\d+)\s*$", text, flags=re.MULTILINE))
    present = {f: str(int(Path(p).name.split("_frame")[1][:2])) for f, p in images.items()}
    if info != present:
        raise UserError(
            "Info.cfg names other frames than those present",
            file=files.file(path),
            found=", ".join(f"{k}: {v}" for k, v in info.items()) or "neither ED nor ES",
            expected=", ".join(f"{k}: {v}" for k, v in present.items()),
            remedy="copy the patient's folder again",
        )


def read(item: Item, files: Files, spec: DatasetSpec) -> Volume:
    """Read and check one labelled frame."""
    file = files.file(item.path)
    spacing, label_file = None, None
    if item.path.endswith(".h5"):
        image, label = read_h5(files, item.path)
    else:
        (label_path,) = item.more
        grid, labels = open_nifti(files, item.path), open_nifti(files, label_path)
        same_grid(grid, labels, files, item.path, label_path)
        with readable(file):
            spacing = spacing_of(grid)
            grid, labels = upright(grid), upright(labels)
        image = scaled(voxels(files, item.path, grid, np.float64).transpose(2, 1, 0))
        label = voxels(files, label_path, labels, np.float64).transpose(2, 1, 0)
        label_file = files.file(label_path)
    return checked(image, label, spacing, range(spec.num_classes), MEANING, file, label_file)


def scaled(image: np.ndarray) -> np.ndarray:
    """Clipped at the 99 % point and scaled to [0, 1]; NaN pass, to be reported."""
    if np.isfinite(image).all():
        # The smallest intensity that 99 % of the voxels do not exceed: upstream's histogram has one
        # bin per integer.
        low, high = image.min(), np.percentile(image, 99, method="inverted_cdf")
        image = (np.clip(image, low, high) - low) / max(high - low, 1e-6)
    return image.astype(np.float32)


def stand_in(paths: list[str]) -> str | None:
    """Nothing stands in for this set."""
    return None
