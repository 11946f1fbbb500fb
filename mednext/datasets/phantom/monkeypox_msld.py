"""Phantom of the Monkeypox Skin Lesion Dataset: synthetic skin in the original's tree.

Both classes show skin of any tone under uneven light, hairs, and lesions at random places. Lesions
of the class Others are even discs; those of monkeypox are discs of the same size and mean colour
with a ring and a centre: a network can see the rings, a linear model on pixels cannot. Kept from
the original: 224 x 224 JPEG, several photographs of one patient (the number in the name), 14
augmented copies per photograph, doubled folders whose names differ between the parts, Fold1 with
copies of its own, the table of the photographs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from mednext.config import DatasetSpec, SplitCounts
from mednext.datasets.monkeypox_msld import (
    AUGMENTED,
    COPIES,
    FOLD,
    FOLD_FOLDERS,
    FOLDERS,
    METADATA,
    PHOTOGRAPHS,
    PREFIXES,
    PRINTED,
)
from mednext.datasets.seeds import stream

SIZE = 224
# Beginning and end of the patients of Test and Val in Fold1, as shares; the rest is Train.
FOLD_PARTS = (("Test", 0.2), ("Val", 0.35), ("Train", 1.0))


def generate(root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
    """Write at least ``counts`` augmented images (all subsets together) below ``root``: whole
    photographs with their 14 copies, as many of each class.
    """
    shutil.rmtree(root, ignore_errors=True)
    total = counts.train + counts.val + counts.test
    photographs = -(-total // (COPIES * len(spec.classes)))
    rows = []
    for klass in spec.classes:
        patients = _patients(klass.slug, photographs)
        for place, (patient, number) in enumerate(patients):
            name = f"{PREFIXES[klass.slug]}{patient:02d}_{number:02d}"
            rows.append((name, PRINTED[klass.slug]))
            share = (patient - 1) / patients[-1][0]
            part = next(p for p, end in FOLD_PARTS if share < end)
            random = stream("phantom", "monkeypox_msld", klass.slug, place)
            tone = stream("phantom", "monkeypox_msld", klass.slug, "patient", patient)
            photograph = draw(random, tone, disease=bool(klass.disease))
            folds = root / FOLD / part / FOLD_FOLDERS[klass.slug]
            _save(photograph, root / PHOTOGRAPHS / FOLDERS[klass.slug] / f"{name}.jpg")
            if part == "Test":
                _save(photograph, folds / f"{name}.jpg")
            for copy in range(COPIES):
                changed = augment(photograph, random)
                file = f"{name}_{copy:02d}.jpg"
                _save(changed, root / AUGMENTED / str(klass.folder) / file)
                if part != "Test":
                    _save(changed, folds / file, quality=85)
    table = pd.DataFrame(sorted(rows), columns=["ImageID", "Label"])
    table.to_csv(root / METADATA, index=False)


def _patients(slug: str, photographs: int) -> list[tuple[int, int]]:
    """(patient, number of the photograph) of each photograph: one to three per patient."""
    random = stream("phantom", "monkeypox_msld", slug, "patients")
    found: list[tuple[int, int]] = []
    patient = 0
    while len(found) < photographs:
        patient += 1
        found += [(patient, n + 1) for n in range(int(random.integers(1, 4)))]
    return found[:photographs]


def draw(random: np.random.Generator, tone: np.random.Generator, disease: bool) -> Image.Image:
    """One photograph, 224 x 224 RGB; ``tone`` gives what a patient's photographs share."""
    dark = tone.uniform(0, 1)
    skin = np.asarray([0.92, 0.74, 0.64]) * (1 - dark) + np.asarray([0.42, 0.28, 0.2]) * dark
    canvas = np.ones((SIZE, SIZE, 3)) * skin
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    angle = random.uniform(0, 2 * np.pi)
    light = 1 + random.uniform(0.05, 0.25) * (y * np.sin(angle) + x * np.cos(angle))
    pores = gaussian_filter(random.standard_normal((SIZE, SIZE)), 1.5)
    canvas *= (light + 0.03 * pores / pores.std())[..., None]
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for _ in range(random.integers(5, 11)):
        cy, cx = random.uniform(10, SIZE - 10, size=2)
        radius = random.uniform(13, 26)
        color = np.asarray([-0.1, -0.22, -0.2]) * random.uniform(0.6, 1.3) * (1.2 - 0.5 * dark)
        away = np.hypot(rows - cy, columns - cx) / radius
        canvas += _profile(away, disease)[..., None] * color
    for _ in range(random.integers(0, 14)):  # hairs
        cy, cx = random.uniform(0, SIZE, size=2)
        slope, length = random.uniform(0, np.pi), random.uniform(20, 70)
        along = np.linspace(-length / 2, length / 2, 140)
        bend = random.uniform(-0.006, 0.006) * along**2
        hy = np.clip(cy + along * np.sin(slope) + bend, 0, SIZE - 1).astype(int)
        hx = np.clip(cx + along * np.cos(slope), 0, SIZE - 1).astype(int)
        canvas[hy, hx] *= 0.6
    canvas = gaussian_filter(canvas, (0.7, 0.7, 0)) + random.normal(0, 0.012, canvas.shape)
    return Image.fromarray(np.asarray(np.clip(canvas, 0, 1) * 255, dtype=np.uint8))


def _profile(away: np.ndarray, disease: bool) -> np.ndarray:
    """Strength of a lesion at the distance ``away`` (1 is its edge): flat, or ring and centre.

    The integral over the disc is the same: that of cos(3 pi r) is corrected by a constant.
    """
    inside = np.clip((1.05 - away) / 0.1, 0, 1)
    if not disease:
        return np.asarray(inside)
    # The mean of cos(3 pi r) over the unit disc is 2 * integral of r cos(3 pi r) = -4 / (9 pi^2).
    return np.asarray(inside * (1 + 0.8 * (np.cos(3 * np.pi * away) + 4 / (9 * np.pi**2))))


def augment(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Rotated, mirrored, cropped, brighter or darker, as the authors did to each photograph."""
    turned = image.rotate(random.uniform(-25, 25), Image.Resampling.BILINEAR)
    if random.random() < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = int(random.integers(170, 215))
    left, top = (int(v) for v in random.integers(0, SIZE - side + 1, size=2))
    box = (left, top, left + side, top + side)
    cropped = turned.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    bright = ImageEnhance.Brightness(cropped).enhance(random.uniform(0.75, 1.25))
    return ImageEnhance.Color(bright).enhance(random.uniform(0.7, 1.3))


def _save(image: Image.Image, file: Path, quality: int = 90) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, quality=quality)
