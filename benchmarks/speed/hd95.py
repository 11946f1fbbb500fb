"""HD95 of all organs of a case: this suite's one pass against medpy organ by organ.

Both are timed in one process, in turn, on the same label maps; the distances must agree. Times are
CPU seconds of one thread, which other work on the machine disturbs least. Prints the median ratio
of the rounds and writes one row per timing. Run: make bench
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from medpy.metric import binary as medpy

from mednext.files import write_csv
from mednext.metrics.surface import hd95_of_organs
from mednext.provenance import machine

CASES = {
    "abdomen 148x512x512, 8 organs": ((148, 512, 512), 8, 1),
    "heart 10x256x216, 3 organs": ((10, 256, 216), 3, 10),
}
"""Name -> shape, number of organs, how many times as many rounds."""
SPACING = (3.0, 0.8, 0.8)


def label_maps(
    shape: tuple[int, int, int], organs: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Ellipsoids of organ size, and the same a little moved, stretched and frayed."""
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    truth, found = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for organ in range(1, organs + 1):
        center = random.uniform(0.3, 0.7, 3) * shape
        radius = np.maximum(random.uniform(0.06, 0.18, 3) * shape, 2)
        moved = center + random.normal(0, 2, 3), radius * random.uniform(0.9, 1.1, 3)
        for labels, (middle, size) in ((truth, (center, radius)), (found, moved)):
            distance = sum(
                ((axis - m) / r) ** 2 for axis, m, r in zip(axes, middle, size, strict=True)
            )
            labels[distance < 1] = organ
    specks = random.random(shape) < 1e-5
    found[specks] = random.integers(1, organs + 1, int(specks.sum()))
    return truth, found


def main() -> None:
    """Time both in turn and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/speed/hd95.csv"))
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds; ten times as many of the heart"
    )
    arguments = parser.parse_args()
    rows = []
    for name, (shape, organs, times) in CASES.items():
        values = range(1, organs + 1)
        ratios = []
        for number in range(arguments.rounds * times):
            random = np.random.default_rng(number)
            truth, found = label_maps(shape, organs, random)
            begun = time.process_time()
            ours = hd95_of_organs(truth, found, values, [SPACING])[:, 0, 0]
            fast = time.process_time() - begun
            begun = time.process_time()
            theirs = [medpy.hd95(found == v, truth == v, voxelspacing=SPACING) for v in values]
            slow = time.process_time() - begun
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
            ratios.append(slow / fast)
            rows.append(
                {
                    "case": name,
                    "round": number,
                    "mednext_s": round(fast, 5),
                    "medpy_s": round(slow, 5),
                    "ratio": round(slow / fast, 2),
                    "cpu": machine()["cpu"],
                }
            )
        print(
            f"{name}: medpy / mednext = {np.median(ratios):.1f} "
            f"(min {min(ratios):.1f}, max {max(ratios):.1f}, n = {len(ratios)})"
        )
    write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
