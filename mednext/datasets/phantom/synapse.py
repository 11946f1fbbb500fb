"""Phantom of Synapse: synthetic abdomens as NIfTI in Hounsfield units, in the original's layout.

An oval body with a spine and 13 organs, each an ellipsoid at about its place (the patient's liver
on the right, spleen on the left), shifted, sized and enhanced at random; organs have neighbours of
the same brightness that are no organ, bowel mostly. Kept from the original: file names and numbers
(1 to 10, 21 to 40), labels 0 to 13 of which 8 are used, slices 3 or 5 mm apart, an x axis that runs
to the patient's right or left as the affine says. In-plane spacing is larger, as the images are
smaller.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from mednext.config import DatasetSpec, SplitCounts
from mednext.datasets.seeds import stream
from mednext.datasets.synapse import NIFTI_BASES
from mednext.errors import UserError

NUMBERS = (*range(1, 11), *range(21, 41))
# Original label: place (z up, y back, x left) and radii, as shares of half the body; Hounsfield.
ORGANS = {
    1: ((0.3, 0.25, 0.6), (0.4, 0.3, 0.2), 110),  # spleen
    2: ((-0.2, 0.4, -0.45), (0.4, 0.17, 0.14), 150),  # right kidney
    3: ((-0.1, 0.4, 0.45), (0.4, 0.17, 0.14), 150),  # left kidney
    4: ((0.0, -0.35, -0.3), (0.25, 0.12, 0.1), 10),  # gallbladder
    5: ((0.8, 0.25, 0.08), (0.25, 0.07, 0.07), 45),  # oesophagus
    6: ((0.4, -0.1, -0.45), (0.5, 0.5, 0.38), 105),  # liver
    7: ((0.35, -0.35, 0.3), (0.4, 0.26, 0.25), 40),  # stomach
    8: ((0.0, 0.35, 0.08), (1.2, 0.08, 0.08), 190),  # aorta
    9: ((0.0, 0.32, -0.12), (1.2, 0.08, 0.09), 130),  # inferior vena cava
    10: ((0.1, 0.05, -0.05), (0.15, 0.05, 0.2), 140),  # portal and splenic vein
    11: ((0.0, -0.05, 0.15), (0.2, 0.1, 0.28), 85),  # pancreas
    12: ((0.3, 0.32, -0.32), (0.12, 0.05, 0.06), 60),  # right adrenal gland
    13: ((0.3, 0.32, 0.3), (0.12, 0.05, 0.06), 60),  # left adrenal gland
}


def generate(root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
    """Write ``counts`` cases (all subsets together) below ``root``.

    Raises:
        UserError: more than the 30 of the original are asked for.
    """
    total = counts.train + counts.val + counts.test
    if total > len(NUMBERS):
        raise UserError(
            "the phantom of Synapse has more cases than the original",
            found=total,
            expected=f"at most {len(NUMBERS)} (train, val and test together)",
            remedy="lower 'phantom' in the configuration",
        )
    shutil.rmtree(root, ignore_errors=True)
    folder = root / NIFTI_BASES[0]
    for name in ("img", "label"):
        (folder / name).mkdir(parents=True)
    for number in NUMBERS[:total]:
        random = stream("phantom", "synapse", number)
        image, label = draw(random)
        spacing = float(random.uniform(2.4, 3.2)), float(random.choice([3.0, 5.0]))
        leftwards = bool(random.integers(2))
        _save(folder / "img" / f"img{number:04d}.nii.gz", image, spacing, leftwards)
        _save(folder / "label" / f"label{number:04d}.nii.gz", label, spacing, leftwards)


def draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Image int16 in Hounsfield units and label uint8, both (slice up, y back, x left)."""
    depth, side = int(random.integers(14, 22)), int(random.integers(120, 152))
    z, y, x = np.mgrid[-1 : 1 : depth * 1j, -1 : 1 : side * 1j, -1 : 1 : side * 1j]
    ry, rx = random.uniform(0.55, 0.7), random.uniform(0.78, 0.92)
    y, x = y / ry, x / rx
    body = y**2 + x**2 < 1
    image = np.where(body, 50.0, -1000.0)
    image[body & (y**2 + x**2 > random.uniform(0.8, 0.9))] = -90  # fat
    image[(y - 0.62) ** 2 + x**2 < 0.03] = 320  # spine
    label = np.zeros(image.shape, dtype=np.uint8)
    for _ in range(14):  # bowel and vessels: no organ, but as bright as one
        cz, cy, cx = random.uniform((-1, -0.6, -0.7), (0.6, 0.2, 0.7))
        radius = random.uniform(0.07, 0.14)
        spot = ((z - cz) / 0.4) ** 2 + (y - cy) ** 2 / radius**2 + (x - cx) ** 2 / radius**2 < 1
        image[spot & body] = random.choice([10, 40, 85, 110, 150, 190])
    for value in (6, 7, 1, 2, 3, 11, 4, 9, 8, 10, 5, 12, 13):  # small organs over large ones
        place, radii, level = ORGANS[value]
        cz, cy, cx = np.asarray(place) + random.uniform(-0.06, 0.06, size=3)
        rz, rr, rc = np.asarray(radii) * random.uniform(0.85, 1.15, size=3)
        inside = ((z - cz) / rz) ** 2 + ((y - cy) / rr) ** 2 + ((x - cx) / rc) ** 2 < 1
        image[inside & body] = level + random.uniform(-20, 20)
        label[inside & body] = value
    image = gaussian_filter(image, (0, 0.7, 0.7)) + random.normal(0, 14, image.shape)
    return np.asarray(np.clip(image, -1024, 1500), dtype=np.int16), label


def _save(file: Path, volume: np.ndarray, spacing: tuple[float, float], leftwards: bool) -> None:
    """(slice, y, x) as NIfTI (x, y, slice), y to the front; x to the left or to the right."""
    stored = volume[:, ::-1, :].transpose(2, 1, 0)
    if not leftwards:
        stored = stored[::-1]
    plane, between = spacing
    # NIfTI's world axes grow to the patient's right, front and head.
    affine = np.diag([-plane if leftwards else plane, plane, between, 1.0])
    nib.save(nib.Nifti1Image(np.ascontiguousarray(stored), affine), file)
