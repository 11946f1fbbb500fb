"""Phantom of the Large COVID-19 CT slice set: synthetic chest slices of patients, original tree.

Both classes show a body, two lungs, vessels and patches of equal mean brightness in the lungs.
Normal patches are even, those of COVID are striped in a random direction (thickened septa, if one
likes): a network can see the stripes, a linear model on pixels cannot. The slices of a patient
share their anatomy. Kept from the original: doubled folders, the folder 3CAP that nothing uses,
names of seven sources (one with ``%``), the same name in two classes, RGB and RGBA beside grey,
JPEG inside ``.png``, patient tables that are not UTF-8.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from mednext.config import DatasetSpec, SplitCounts
from mednext.datasets.large_covid_ct import BASES, ORIGINAL
from mednext.datasets.phantom.shapes import disc, ellipse
from mednext.datasets.seeds import stream

SIZE = 160
NAMES = {
    "normal": ("16_Morozov_study_id_{p}_{s}.png", "normal{p:03d}_{s}.png", "{p}%{s}.png"),
    "covid19": ("P{p:03d}_{s}.png", "17_Zhao_2020.02.{p}-p6-52%{s}.png", "{p}%{s}.png"),
}
DIAGNOSES = {"normal": "Normal", "covid19": "COVID-19"}
CAP_SLICES = 4


def generate(root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
    """Write ``counts`` images (all subsets together, half of each class) below ``root``."""
    shutil.rmtree(root, ignore_errors=True)
    base = root / BASES[0]
    total = counts.train + counts.val + counts.test
    sizes = (total // 2, total - total // 2)
    for klass, size in zip(spec.classes, sizes, strict=True):
        rows = []
        for patient, number in _slices(klass.slug, size):
            anatomy = stream("phantom", "large_covid_ct", klass.slug, patient)
            random = stream("phantom", "large_covid_ct", klass.slug, patient, number)
            name = NAMES[klass.slug][patient % 3].format(p=patient, s=number)
            pixels = draw(anatomy, random, disease=bool(klass.disease))
            _save(pixels, base / ORIGINAL.folders[klass.slug] / name, random)
            rows.append((name, f"{klass.slug}_{patient}", DIAGNOSES[klass.slug], "Orléans"))
        table = ORIGINAL.tables[klass.slug]
        _write_table(root / table.file, rows)
    rows = []
    for number in range(CAP_SLICES):
        random = stream("phantom", "large_covid_ct", "cap", number)
        name = f"cap001_{number}.png"
        anatomy = stream("phantom", "large_covid_ct", "cap")
        _save(draw(anatomy, random, disease=False), base / "3CAP" / name, random)
        rows.append((name, "cap001", "CAP", "Orléans"))
    _write_table(root / "meta_data_cap.csv", rows)


def _write_table(file: Path, rows: list[tuple[str, str, str, str]]) -> None:
    columns = ["File name", "Patient ID", "COVID-19 Infection", "Institution"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.insert(0, "index", range(len(frame)))
    frame.to_csv(file, index=False, encoding="latin-1")


def _slices(slug: str, size: int) -> list[tuple[int, int]]:
    """(patient, slice) of each image: three to eight slices of a patient."""
    random = stream("phantom", "large_covid_ct", slug, "patients")
    found: list[tuple[int, int]] = []
    patient = 0
    while len(found) < size:
        patient += 1
        found += [(patient, n) for n in range(int(random.integers(3, 9)))]
    return found[:size]


def draw(anatomy: np.random.Generator, random: np.random.Generator, disease: bool) -> np.ndarray:
    """One slice, (160, 160) uint8; ``anatomy`` gives what a patient's slices share."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    sy, sx = anatomy.uniform(-0.12, 0.12, size=2) + random.uniform(-0.02, 0.02, size=2)
    y, x = y - sy, x - sx
    level = random.uniform(0.85, 1.1)  # lungs differ in size from slice to slice
    body = ellipse(y, x, 0, 0, anatomy.uniform(0.66, 0.82), anatomy.uniform(0.78, 0.92))
    canvas = anatomy.uniform(0.0, 0.08) + body * anatomy.uniform(0.45, 0.65)
    lungs = np.zeros_like(canvas, dtype=bool)
    for side in (-1, 1):
        cx, cy = side * anatomy.uniform(0.36, 0.44), anatomy.uniform(-0.08, 0.08)
        ry, rx = level * anatomy.uniform(0.42, 0.56), level * anatomy.uniform(0.24, 0.31)
        lungs |= ellipse(y, x, cy, cx, ry, rx)
    canvas[lungs] = anatomy.uniform(0.1, 0.22)
    inside = np.argwhere(lungs)
    for _ in range(random.integers(14, 26)):  # vessels: bright spots in both classes
        cy, cx = inside[random.integers(len(inside))]
        spot = disc(SIZE, SIZE, cy, cx, random.uniform(1.2, 3.5))
        canvas[spot & lungs] += random.uniform(0.1, 0.3)
    patches = np.zeros_like(lungs)
    for _ in range(random.integers(4, 8)):
        cy, cx = inside[random.integers(len(inside))]
        patches |= disc(SIZE, SIZE, cy, cx, random.uniform(11, 20))
    angle, phase = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    along = rows * np.sin(angle) + columns * np.cos(angle)
    stripes = 0.16 * np.cos(2 * np.pi * along / random.uniform(8, 12) + phase)
    canvas[patches & lungs] += 0.18 + (stripes[patches & lungs] if disease else 0.0)
    canvas = gaussian_filter(canvas, 0.7)
    canvas = canvas * random.uniform(0.85, 1.15) + random.normal(0, 0.02, canvas.shape)
    return np.asarray(np.clip(canvas, 0, 1) * 255, dtype=np.uint8)


def _save(pixels: np.ndarray, file: Path, random: np.random.Generator) -> None:
    """As PNG of some mode or, rarely, as a JPEG that is named ``.png``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels).convert(("L", "RGB", "RGBA")[random.integers(3)])
    if random.random() < 0.1:
        image.convert("RGB").save(file, format="JPEG", quality=95)
    else:
        image.save(file, compress_level=1)
