"""Cost against size: HD95 against voxels, the leakage search against images, the bootstrap against
cases, the page against runs.

The exponent is that of seconds = size ^ exponent over the upper half of the sizes; 1 is linear, 2 a
quadratic wall. CPU time, one thread. Run: make bench
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import chdir
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hd95 import label_maps
from side_by_side import Figure, publish

from mednext.config import Profile
from mednext.datasets.near import fixed_radius, near_graph
from mednext.layout import RunPaths, results_root
from mednext.metrics.statistics import bootstrap
from mednext.metrics.surface import hd95_of_organs
from mednext.provenance import machine
from mednext.report.page import write_page
from mednext.results import MetricRow, RunRecord, write_rows, write_run

LINEAR, WALL = 1.3, 1.7
SIDES = (32, 64, 128, 192)
IMAGES = (1_000, 3_000, 10_000, 30_000, 100_000)
CASES = (100, 1_000, 10_000, 30_000)
RUNS = (30, 100, 300, 1_000)
METRICS = ("accuracy", "precision", "recall", "f1", "auc")


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


def page_case(runs: int, folder: Path) -> Callable[[], object]:
    """The page of a phantom profile: two classifiers with ``runs`` seeds together, each run with a
    record and ten metrics; read, tabulated and rendered as ``mednext page`` does.
    """
    methods = ("mednext", "resnet18")
    seeds = range(runs // len(methods))
    entry = {"source": "phantom", "methods": methods, "img_size": 64, "epochs": 1, "batch_size": 8}
    entry["phantom"] = {"train": 16, "val": 8, "test": 100}
    profile = Profile.model_validate(
        {"profile": "growth", "seeds": seeds, "threads": 1, "datasets": {"sars_cov2_ct": entry}}
    )
    place = folder / str(runs)
    place.mkdir()
    random = np.random.default_rng(runs)
    hashes = ("config_hash", "setting_hash", "data_hash", "split_hash", "code_hash", "env_hash")
    digests = dict.fromkeys(hashes, "0" * 16)
    axes = {"profile": "growth", "dataset": "sars_cov2_ct", "protocol": "paper"}
    fixed = {
        **axes, **digests, "source": "phantom", "source_id": "phantom-0", "selection": "last",
        "task": "classification", "policy": None, "n_cases": 100, "n_groups": 50, "status": "ok",
    }  # fmt: skip
    rows = []
    with chdir(place):
        for method, seed in product(methods, seeds):
            for metric, target in product(METRICS, ("disease", "non_disease")):
                value = float(random.uniform(0.6, 0.9))
                interval = {"value": value, "ci_low": value - 0.05, "ci_high": value + 0.05}
                cell = {"method": method, "seed": seed, "metric": metric, "target": target}
                rows.append(MetricRow.model_validate(fixed | interval | cell))
            write_run(RunPaths(**axes, method=method, seed=seed).run_json, _record(digests))
        write_rows(results_root("growth") / "metrics.csv", MetricRow, rows)

    def build() -> None:
        with chdir(place):
            write_page(profile, results_root("growth") / "page", partial=True)
            page = results_root("growth") / "page" / "index.html"
            if f'"seed":{seeds[-1]}' not in page.read_text().replace(" ", ""):
                raise RuntimeError("runs are missing from the page")

    return build


def _record(digests: dict[str, str]) -> RunRecord:
    """A finished run of one epoch."""
    kept = {name: digest for name, digest in digests.items() if name != "setting_hash"}
    nothing = dict.fromkeys(("n_train", "n_val", "n_test", "memory_halvings"), 0)
    return RunRecord(
        **kept, **nothing, status="ok", config={}, git_commit=None, git_dirty=None, device="cpu",
        machine=machine(), versions={}, threads=1, epochs_done=1, best_epochs={}, micro_batch=8,
        wall_seconds=1.0, epoch_seconds=[1.0], weights={},
    )  # fmt: skip


def main() -> None:
    """Time every size in rounds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES, help="e.g. 50000 100000")
    parser.add_argument("--only", default="", help="a part of the name of what is measured")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    figures = []

    def measure(
        what: str, unit: str, sizes: list[tuple[int, Callable[[], object]]], most: float
    ) -> None:
        slopes = []
        if arguments.only not in what:
            return
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
        runs = [(n, page_case(n, Path(scratch))) for n in RUNS]
        measure("page", "runs", runs, LINEAR)
    part = arguments.only.replace(" ", "_")
    publish(f"growth_{part}" if part else "growth", figures, rows)


if __name__ == "__main__":
    main()
