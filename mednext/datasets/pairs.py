"""A user's own segmentation set: ``images/NAME`` and ``labels/NAME`` in pairs.

NIfTI volumes (``.nii.gz``, ``.nii``), turned by their affine to axes (slice, y, x) with x to the
patient's left, y to the back, slices upwards, as ACDC and Synapse are; or single images (PNG and
the like, whose label's pixels are the values themselves). Intensities are clipped at their 0.5 %
and 99.5 % points and scaled to [0, 1] per volume.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np

from mednext.config import DatasetSpec
from mednext.datasets.class_folders import patient_of
from mednext.datasets.decode import ENDINGS, read_intensities, read_label_map
from mednext.datasets.labels import class_indices
from mednext.datasets.reader import Files, Item, Volume
from mednext.datasets.scan import normal, scan
from mednext.datasets.volumes import VOLUMES, checked, oriented, same_grid, voxels
from mednext.errors import UserError

LOWEST, HIGHEST = 0.5, 99.5
MOST_APART = 1.0
KNOWN = (*VOLUMES, *ENDINGS)


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Images and labels.

    Raises:
        UserError: there is none, one lacks its counterpart, or a name has two files.
    """
    names = {part: _by_stem(root, part) for part in ("images", "labels")}
    single = sorted(
        f"{part}/{name}"
        for part, other in (("images", "labels"), ("labels", "images"))
        for stem_, name in names[part].items()
        if stem_ not in names[other]
    )
    if single or not names["images"]:
        raise UserError(
            "images and labels are not pairs" if single else "the folder holds no image",
            file=root,
            found=f"{', '.join(single[:5])} alone" if single else "nothing",
            expected=f"images/NAME and labels/NAME for every NAME ({', '.join(KNOWN)})",
            remedy="give both files the same name, but for the suffix",
        )
    return sorted(f"{part}/{name}" for part, found in names.items() for name in found.values())


def _by_stem(root: Path, part: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in scan(root / part, KNOWN):
        other = found.setdefault(key(name), name)
        if other != name:
            raise UserError(
                "two files have one name, but for the suffix",
                file=root / part / name,
                found=f"{other}, {name}",
                expected="one image and one label of each name",
                remedy="remove or rename one of them",
            )
    return found


def stem(name: str) -> str:
    """The name without its suffix."""
    for ending in KNOWN:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def key(name: str) -> str:
    """What an image and its label have in common: the stem, and whether it is a volume."""
    return normal(stem(name)) + (VOLUMES[-1] if name.lower().endswith(VOLUMES) else "")


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """One volume per pair; without an expression for the patient, each is a patient."""
    parts = [path.partition("/") for path in files.paths]
    labels = {key(name): f"{part}/{name}" for part, _, name in parts if part == "labels"}
    return [
        Item(
            f"images/{name}",
            name,
            patient=patient_of(name, spec) or stem(name),
            more=(labels[key(name)],),
        )
        for part, _, name in parts
        if part == "images"
    ]


def read(item: Item, files: Files, spec: DatasetSpec) -> Volume:
    """Decode and check one pair."""
    (label_path,) = item.more
    file, label_file = files.file(item.path), files.file(label_path)
    spacing = None
    if item.path.lower().endswith(VOLUMES):
        grid, spacing, notes = oriented(files, item.path)
        truth, _, more = oriented(files, label_path)
        same_grid(grid, truth, files, item.path, label_path)
        notes = (*notes, *(f"label: {note}" for note in more if note not in notes))
        if apart(grid, truth) > MOST_APART:
            notes = (*notes, "label elsewhere than its image, by the affines")
        image = scaled(voxels(files, item.path, grid, np.float64).transpose(2, 1, 0))
        values = voxels(files, label_path, truth, np.float64).transpose(2, 1, 0)
    else:
        image, notes = picture(files, item.path)
        values, more = read_label_map(files, label_path)
        values, notes = values[None], (*notes, *(f"label: {note}" for note in more))
    label, more = class_indices(values, spec, label_file)
    meaning = ", ".join(f"{value} {c.name}" for value, c in enumerate(spec.classes))
    labels = range(spec.num_classes)
    return checked(
        image, label, spacing, labels, meaning, file, label_file, least=1, notes=(*notes, *more)
    )


def apart(image: nib.Nifti1Image, label: nib.Nifti1Image) -> float:
    """How far a corner of the label lies from the same of its image, in voxels of the image."""
    corners = np.array([(*c, 1) for c in product(*((0, n - 1) for n in image.shape))]).T
    moved = np.linalg.inv(image.affine) @ label.affine @ corners - corners
    return float(np.abs(moved).max())


def picture(files: Files, path: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(1, H, W) float32 in [0, 1] of a grey image, and the notes on it."""
    intensities, notes = read_intensities(files, path)
    return scaled(intensities[None]), notes


def scaled(image: np.ndarray) -> np.ndarray:
    """Clipped at two percentiles and scaled to [0, 1]; values that are no numbers pass."""
    if np.isfinite(image).all():
        low, high = np.percentile(image, [LOWEST, HIGHEST])
        image = (np.clip(image, low, high) - low) / max(high - low, 1e-6)
    return image.astype(np.float32)


def stand_in(paths: list[str]) -> str | None:
    """It is what it is."""
    return None
