"""How long the leakage audit takes: all of Large COVID from files to rows, and 100,000 hashes.

    python benchmarks/speed/leakage.py [--images 14486] [--out results/speed/leakage.csv]

The images are 512 x 512 grey PNG files of smooth noise, 15 of each patient, in the layout of Large
COVID; making them is not timed (--folder keeps them). The chain is that of the workflow: verify,
prepare, split, leakage, with two threads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mednext.config import DatasetRun, load_datasets
from mednext.datasets import near
from mednext.datasets.fetch import fetch
from mednext.datasets.hamming import within
from mednext.datasets.large_covid_ct import BASES, ORIGINAL
from mednext.datasets.leakage import leakage_rows
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.files import write_csv
from mednext.provenance import machine

SIDE, JOBS, SLICES = 512, 2, 15


def make_files(root: Path, images: int) -> None:
    """``images`` files with their patient tables, 15 slices of each patient."""

    def one(task: tuple[Path, int]) -> None:
        file, number = task
        coarse = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        smooth.save(file, compress_level=1)

    tasks = []
    classes = load_datasets()["large_covid_ct"].classes
    whole = sum(klass.expected or 0 for klass in classes)
    for klass in classes:
        folder = root / BASES[0] / ORIGINAL.folders[klass.slug]
        folder.mkdir(parents=True)
        table = ORIGINAL.tables[klass.slug]
        assert table.diagnosis is not None  # both tables of the original have one
        rows = []
        for number in range(images * (klass.expected or 0) // whole):
            name = f"{klass.slug}_{number}.png"
            rows.append((name, f"{klass.slug}{number // SLICES}", table.diagnosis[1]))
            tasks.append((folder / name, len(tasks)))
        columns = [table.name, table.patient, table.diagnosis[0]]
        pd.DataFrame(rows, columns=columns).to_csv(root / table.file, index=False)
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(one, tasks))


def timed(what: str, n: int, work: Callable[[], object]) -> dict[str, object]:
    """One row: seconds of wall time and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    row = {
        "what": what,
        "n": n,
        "seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "load": round(os.getloadavg()[0], 2),
        "cpu": machine()["cpu"],
    }
    print(row, flush=True)
    return row


def main() -> None:
    """Time both and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=14_486, help="at most the whole set's")
    parser.add_argument("--hashes", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="make the files here, unless they are there")
    parser.add_argument("--out", type=Path, default=Path("results/speed/leakage.csv"))
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as data:
        local = options.folder or Path(data)
        os.environ |= {"MEDNEXT_DATA": f"{data}/data", "MEDNEXT_LOCAL": str(local)}
        if not (local / "large_covid_ct").is_dir():
            make_files(local / "large_covid_ct", options.images)
        run = DatasetRun(
            source="local",
            protocols=("paper", "grouped"),
            methods=("mednext",),
            img_size=32,
            epochs=1,
            batch_size=1,
        )
        name = "large_covid_ct"
        steps: dict[str, Callable[[], object]] = {
            "fetch": lambda: fetch(name, run),
            "verify": lambda: verify(name, run, jobs=JOBS),
            "prepare": lambda: prepare(name, run, jobs=JOBS),
            "split paper": lambda: split(name, run, "paper"),
            "split grouped": lambda: split(name, run, "grouped"),
            "leakage": lambda: leakage_rows(name, run),
        }
        rows += [timed(what, options.images, step) for what, step in steps.items()]
    codes = np.random.default_rng(0).random((options.hashes, near.BITS)) < 0.5
    radius = near.fixed_radius()
    rows.append(timed("hashes", options.hashes, lambda: within(codes, codes, radius)))
    write_csv(options.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
