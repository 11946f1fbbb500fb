"""Phantom of ACDC: synthetic short-axis hearts as NIfTI, in the challenge's layout.

A bright left ventricle in a ring of myocardium, a crescent of right ventricle beside it, smaller
at end-systole and towards the apex, at random place, turn, size and contrast, among discs of the
same brightness that are no heart. ``Info.cfg`` and spacings as in the original; its 4D series,
which nothing reads, is not made.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from mednext.config import DatasetSpec, SplitCounts
from mednext.datasets.seeds import stream

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")


def generate(root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
    """Write ``counts`` patients (all subsets together) below ``root``."""
    shutil.rmtree(root, ignore_errors=True)
    for number in range(1, counts.train + counts.val + counts.test + 1):
        patient = f"patient{number:03d}"
        random = stream("phantom", "acdc", patient)
        folder = root / "database" / "training" / patient
        folder.mkdir(parents=True)
        systole = int(random.integers(7, 14))
        info = {
            "ED": 1,
            "ES": systole,
            "Group": GROUPS[number % len(GROUPS)],
            "Height": f"{random.uniform(155, 190):.1f}",
            "NbFrame": 30,
            "Weight": f"{random.uniform(55, 100):.1f}",
        }
        text = "".join(f"{key}: {value}\n" for key, value in info.items())
        (folder / "Info.cfg").write_text(text, encoding="utf-8")
        heart = Heart(random)
        for frame, shrink in ((1, 1.0), (systole, float(random.uniform(0.6, 0.75)))):
            image, label = heart.draw(shrink, random)
            stem = f"{patient}_frame{frame:02d}"
            heart.save(folder / f"{stem}.nii.gz", image)
            heart.save(folder / f"{stem}_gt.nii.gz", label)


class Heart:
    """The anatomy of one patient: the same in both frames but for the contraction."""

    def __init__(self, random: np.random.Generator) -> None:
        self.depth = int(random.integers(6, 10))
        self.height, self.width = (int(v) for v in random.integers(112, 145, size=2))
        self.spacing = float(random.uniform(1.4, 1.7)), float(random.choice([5.0, 8.0, 10.0]))
        self.center = random.uniform(0.4, 0.6, size=2) * (self.height, self.width)
        self.angle = random.uniform(0, 2 * np.pi)
        self.radius = random.uniform(11, 16)
        self.wall = random.uniform(4, 7)
        self.blood, self.muscle = random.uniform(0.75, 1.0), random.uniform(0.3, 0.45)
        self.others = [
            (random.uniform(0.1, 0.9, size=2) * (self.height, self.width), random.uniform(5, 14))
            for _ in range(5)
        ]

    def draw(self, shrink: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Image int16 and label uint8, both (slice, y, x)."""
        image = np.empty((self.depth, self.height, self.width))
        label = np.zeros(image.shape, dtype=np.uint8)
        y, x = np.mgrid[: self.height, : self.width]
        for z in range(self.depth):
            size = np.cos(z / self.depth * 1.2)  # the heart narrows towards the apex
            cy, cx = self.center + random.normal(0, 0.7, size=2)
            outer = (self.radius + self.wall) * size
            inner = self.radius * size * shrink
            away = outer * 0.9
            ry, rx = cy + away * np.sin(self.angle), cx + away * np.cos(self.angle)
            from_lv = np.hypot(y - cy, x - cx)
            if z < self.depth - 1:  # the last slice lies below the apex and has no label
                label[z][np.hypot(y - ry, x - rx) < outer * 0.85 * (0.5 + shrink / 2)] = 1
                label[z][from_lv < outer] = 2
                label[z][from_lv < inner] = 3
            plane = np.full((self.height, self.width), 0.15)
            for (oy, ox), r in self.others:
                plane[np.hypot(y - oy, x - ox) < r] = self.blood * 0.9
            plane[label[z] == 1] = self.blood * 0.95
            plane[label[z] == 2] = self.muscle
            plane[label[z] == 3] = self.blood
            bias = gaussian_filter(random.standard_normal(plane.shape), 40)
            plane = gaussian_filter(plane, 0.8) * (1 + 0.15 * bias / np.abs(bias).max())
            image[z] = plane + random.normal(0, 0.06, plane.shape)
        return np.clip(image * 400, 0, None).astype(np.int16), label

    def save(self, file: Path, volume: np.ndarray) -> None:
        """Write (slice, y, x) as NIfTI in the original's axes (x, y, slice)."""
        x, y, z = self._zooms()
        # To the left, back and head, as the original's; like its files, with unit scales in the
        # sform (MIC-DKFZ/nnUNet issue 2741).
        stored = nib.Nifti1Image(volume.transpose(2, 1, 0), np.diag([-x, -y, z, 1.0]))
        stored.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), code=1)
        nib.save(stored, file)

    def _zooms(self) -> tuple[float, float, float]:
        return self.spacing[0], self.spacing[0], self.spacing[1]
