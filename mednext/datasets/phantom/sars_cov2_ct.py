"""Phantom of SARS-COV-2 CT-Scan: synthetic chest slices in the original's layout and quirks.

Both classes show a body, two lungs, vessels and nodules, all placed at random. COVID images have,
besides, patches of a mid-frequency texture in the lungs, of the same mean brightness as their
surroundings: a network can see the texture, a linear model on pixels cannot. Quirks kept: mixed
sizes, RGB and RGBA, blanks and brackets in names, one number missing among the non-COVID images.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from mednext.config import DatasetSpec, SplitCounts
from mednext.datasets.phantom.shapes import disc, ellipse
from mednext.datasets.seeds import stream

MISSING = 151
PATTERNS = ("Non-Covid ({}).png", "Covid ({}).png")


def generate(root: Path, counts: SplitCounts, spec: DatasetSpec) -> None:
    """Write ``counts`` images (all subsets together, half of each class) below ``root``."""
    shutil.rmtree(root, ignore_errors=True)
    total = counts.train + counts.val + counts.test
    sizes = (total // 2, total - total // 2)
    for index, (klass, size) in enumerate(zip(spec.classes, sizes, strict=True)):
        folder = root / str(klass.folder)
        folder.mkdir(parents=True)
        for order in range(size):
            random = stream("phantom", "sars_cov2_ct", klass.slug, order)
            number = order + 1
            if not klass.disease:
                # One number is missing in the original; a small phantom leaves out its second.
                number += number >= (MISSING if size >= MISSING else 2)
            pixels = draw(random, disease=bool(klass.disease))
            mode = "RGBA" if random.random() < 0.2 else "RGB"
            image = Image.fromarray(pixels).convert(mode)
            image.save(folder / PATTERNS[index].format(number), compress_level=1)


def draw(random: np.random.Generator, disease: bool) -> np.ndarray:
    """One slice, (H, W) uint8, H and W between 112 and 176."""
    height, width = random.integers(112, 177, size=2)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shift_y, shift_x = random.uniform(-0.12, 0.12, size=2)
    y, x = y - shift_y, x - shift_x
    body = ellipse(y, x, 0, 0, random.uniform(0.68, 0.84), random.uniform(0.78, 0.92))
    canvas = random.uniform(0.0, 0.08) + body * random.uniform(0.45, 0.65)
    lungs = np.zeros_like(canvas, dtype=bool)
    for side in (-1, 1):
        center = side * random.uniform(0.36, 0.44), random.uniform(-0.08, 0.08)
        lungs |= ellipse(
            y, x, center[1], center[0], random.uniform(0.42, 0.58), random.uniform(0.24, 0.32)
        )
    canvas[lungs] = random.uniform(0.1, 0.22)
    inside = np.argwhere(lungs)
    unit = min(height, width)
    for _ in range(random.integers(14, 26)):  # vessels and nodules: bright spots in both classes
        cy, cx = inside[random.integers(len(inside))]
        spot = disc(height, width, cy, cx, unit * random.uniform(0.008, 0.025))
        canvas[spot & lungs] += random.uniform(0.1, 0.3)
    patches = np.zeros_like(lungs)
    for _ in range(random.integers(4, 8)):
        cy, cx = inside[random.integers(len(inside))]
        patches |= disc(height, width, cy, cx, unit * random.uniform(0.07, 0.13))
    # Both classes get patches: a smooth haze, or the texture that tells the disease.
    grain = unit / 64 * (0.9 if disease else 4.0)
    haze = gaussian_filter(random.standard_normal(canvas.shape), grain)
    haze = haze / haze.std() * 0.13 + 0.12
    canvas[patches & lungs] += haze[patches & lungs]
    canvas = gaussian_filter(canvas, unit / 250)
    canvas = canvas * random.uniform(0.85, 1.15) + random.normal(0, 0.02, canvas.shape)
    return np.asarray(np.clip(canvas, 0, 1) * 255, dtype=np.uint8)
