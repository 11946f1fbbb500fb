"""Cost against size: HD95 against voxels, the leakage search against images, the bootstrap against
cases, the collected runs against their number.

The exponent is that of seconds = size ^ exponent over the upper half of the sizes; 1 is linear, 2 a
quadratic wall. CPU time, one thread. Run: make bench
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hd95 import label_maps
from side_by_side import Figure, publish

from mednext.datasets.near import fixed_radius, near_graph
from mednext.metrics.statistics import bootstrap
from mednext.metrics.surface import hd95_of_organs
from mednext.results import MetricRow, read_rows, write_rows

LINEAR, WALL = 1.3, 1.7
SIDES = (32, 64, 128, 192)
IMAGES = (1_000, 3_000, 10_000, 20_000)
CASES = (100, 1_000, 10_000, 30_000)
RUNS = (100, 1_000, 3_000, 10_000)


def hd95_case(side: int) -> Callable[[], object]:
    """Four organs in a cube."""
    truth, found = label_maps((side, side, side), 4, np.random.default_rng(side))
    return lambda: hd95_of_organs(truth, found, range(1, 5), [(1.0, 1.0, 1.0)])


def leakage_case(images: int) -> Callable[[], object]:
    """Codes of unrelated images, of which every tenth is followed by a copy with 4 other bits."""
    random = np.random.default_rng(images)
    codes = random.integers(0, 256, (images, 5, 32), dtype=np.uint8)
    codes[1::10] = codes[0::10][: len(codes[1::10])]
    codes[1::10, :, 0] ^= 0b1111
    radius = fixed_radius()

    def search() -> int:
        _, (left, _) = near_graph(codes, radius)
        if len(left) < images // 10:
            raise RuntimeError("copies were missed")
        return len(left)

    return search


def bootstrap_case(cases: int) -> Callable[[], object]:
    """Accuracy over groups of two, 1000 draws."""
    right = np.random.default_rng(cases).random(cases) < 0.9
    groups = [str(i // 2) for i in range(cases)]
    return lambda: bootstrap(groups, lambda drawn: np.array([right[drawn].mean()]), seed=0)


def runs_case(runs: int, folder: Path) -> Callable[[], object]:
    """``metrics.csv`` with one row per run, written and read: what tables and page start with."""
    nothing = dict.fromkeys(("value", "ci_low", "ci_high", "n_cases", "n_groups", "policy"))
    hashes = ("config_hash", "setting_hash", "data_hash", "split_hash", "code_hash", "env_hash")
    rows = [
        MetricRow(
            **{
                **nothing, **dict.fromkeys(hashes, "0" * 16), "profile": "growth", "seed": seed,
                "source": "phantom", "source_id": "phantom-0", "task": "classification",
                "dataset": "sars_cov2_ct", "protocol": "paper", "selection": "last",
                "method": "mednext", "metric": "accuracy", "target": "disease", "status": "ok",
            }
        )
        for seed in range(runs)
    ]  # fmt: skip
    file = folder / f"{runs}.csv"

    def through() -> None:
        write_rows(file, MetricRow, rows)
        if len(read_rows(file, MetricRow)) != runs:
            raise RuntimeError("rows were lost")

    return through


def main() -> None:
    """Time every size in rounds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES, help="e.g. 50000 100000")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    figures = []

    def measure(
        what: str, unit: str, sizes: list[tuple[int, Callable[[], object]]], most: float
    ) -> None:
        slopes = []
        for number in range(arguments.rounds):
            seconds = []
            for size, call in sizes:
                begun = time.process_time()
                call()
                seconds.append(time.process_time() - begun)
                rows.append(
                    {"what": what, "size": size, "unit": unit, "round": number,
                     "cpu_seconds": round(seconds[-1], 4)}
                )  # fmt: skip
            half = len(sizes) // 2
            ratio = np.log(seconds[-1] / max(seconds[-1 - half], 1e-4))
            slopes.append(float(ratio / np.log(sizes[-1][0] / sizes[-1 - half][0])))
            last = seconds[-1]
        note = f"{last:.1f} s for {sizes[-1][0]} {unit}"
        figures.append(Figure(f"{what}: exponent", slopes, most=most, unit="", note=note))

    cubes = [(side**3, hd95_case(side)) for side in SIDES]
    measure("HD95 of 4 organs", "voxels", cubes, LINEAR)
    measure("leakage search", "images", [(n, leakage_case(n)) for n in arguments.images], WALL)
    measure("bootstrap, 1000 draws", "cases", [(n, bootstrap_case(n)) for n in CASES], LINEAR)
    with TemporaryDirectory() as scratch:
        runs = [(n, runs_case(n, Path(scratch))) for n in RUNS]
        measure("metrics.csv of the page", "runs", runs, LINEAR)
    publish("growth", figures, rows)


if __name__ == "__main__":
    main()
