"""A user's own segmentation set: ``images/NAME`` and ``labels/NAME`` in pairs.

NIfTI volumes (``.nii.gz``, ``.nii``; axes (x, y, slice)) or single images (PNG and the like, whose
label's pixels are the values themselves). Intensities are clipped at their 0.5 % and 99.5 % points
and scaled to [0, 1] per volume.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from mednext.config import DatasetSpec
from mednext.datasets.class_folders import patient_of
from mednext.datasets.images import DAMAGED, ENDINGS, read_picture
from mednext.datasets.reader import Files, Item, Volume
from mednext.datasets.volumes import checked, open_nifti, readable, same_grid, voxels, zooms
from mednext.errors import UserError

VOLUMES = (".nii.gz", ".nii")
LOWEST, HIGHEST = 0.5, 99.5


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Images and labels.

    Raises:
        UserError: there is none, or one lacks its counterpart.
    """
    names = {part: members(root / part) for part in ("images", "labels")}
    single = sorted(names["images"] ^ names["labels"])
    if single or not names["images"]:
        raise UserError(
            "images and labels are not pairs" if single else "the folder holds no image",
            file=root,
            found=", ".join(single[:5]) or "nothing",
            expected="images/NAME and labels/NAME for every NAME "
            f"({', '.join((*VOLUMES, *ENDINGS))})",
            remedy="give both files the same name",
        )
    return sorted(f"{part}/{name}" for part, found in names.items() for name in found)


def members(folder: Path) -> set[str]:
    """Names of the volumes and images in ``folder``."""
    if not folder.is_dir():
        return set()
    known = (*VOLUMES, *ENDINGS)
    return {f.name for f in folder.iterdir() if f.name.lower().endswith(known) and f.is_file()}


def stem(name: str) -> str:
    """The name without its ending."""
    for ending in (*VOLUMES, *ENDINGS):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """One volume per pair; without an expression for the patient, each is a patient."""
    found = []
    for path in files.paths:
        if path.startswith("images/"):
            name = path.removeprefix("images/")
            patient = patient_of(path, spec) or stem(name)
            found.append(Item(path, name, patient=patient, more=(f"labels/{name}",)))
    return found


def read(item: Item, files: Files, spec: DatasetSpec) -> Volume:
    """Decode and check one pair."""
    (label_path,) = item.more
    meaning = ", ".join(f"{value} {c.name}" for value, c in enumerate(spec.classes))
    file = files.file(item.path)
    spacing = None
    if item.path.lower().endswith(VOLUMES):
        grid, truth = open_nifti(files, item.path), open_nifti(files, label_path)
        same_grid(grid, truth, files, item.path, label_path)
        x, y, z = zooms(grid)
        spacing = (z, y, x)
        image = volume_of(files, item.path, grid)
        label = voxels(files, label_path, truth, np.float64)
        label = label.reshape(*label.shape, 1)[..., :1] if label.ndim == 2 else label
        label = label.transpose(2, 1, 0)
    else:
        image = picture(files, item.path)
        label = label_values(files, label_path)
    return checked(image, label, spacing, range(spec.num_classes), meaning, file, least=1)


def volume_of(files: Files, path: str, grid: nib.Nifti1Image) -> np.ndarray:
    """(D, H, W) float32 in [0, 1] of a NIfTI file; two axes are one slice.

    Raises:
        UserError: not two or three axes.
    """
    image = voxels(files, path, grid, np.float64)
    if image.ndim not in (2, 3):
        raise UserError(
            "not a volume",
            file=files.file(path),
            found=f"shape {image.shape}",
            expected="three axes (x, y, slice)",
            remedy="save one frame or channel alone",
        )
    image = image[..., None] if image.ndim == 2 else image
    return scaled(image.transpose(2, 1, 0))


def picture(files: Files, path: str) -> np.ndarray:
    """(1, H, W) float32 in [0, 1] of a grey image."""
    return scaled(np.asarray(read_picture(files, path, "L").image, dtype=np.float64)[None])


def label_values(files: Files, path: str) -> np.ndarray:
    """(1, H, W): the stored values of a label image, of a palette its indices."""
    with readable(files.file(path)):
        try:
            with Image.open(files.read(path)) as image:
                return np.asarray(image)[None] if image.mode in ("1", "L", "P", "I;16") else _no()
        except DAMAGED as error:
            raise ValueError(f"not a label image: {error}") from None


def _no() -> np.ndarray:
    raise ValueError("its pixels are colours, not one value each")


def scaled(image: np.ndarray) -> np.ndarray:
    """Clipped at two percentiles and scaled to [0, 1]; values that are no numbers pass."""
    if np.isfinite(image).all():
        low, high = np.percentile(image, [LOWEST, HIGHEST])
        image = (np.clip(image, low, high) - low) / max(high - low, 1e-6)
    return image.astype(np.float32)


def stand_in(paths: list[str]) -> str | None:
    """It is what it is."""
    return None
