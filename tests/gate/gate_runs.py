"""Real trainings for the gate: a copy of the code, changed or not, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DATASET = "sars_cov2_ct"
METHOD = "mednext"
Edit = tuple[str, str, str]
"""A file of the copy, a piece of it that occurs once, what it becomes."""

SEM_NEGATED: Edit = (
    "mednext/models/blocks.py",
    "x = x + self._some_dropped(part(x))",
    "x = x - part(x) if isinstance(part[1], SEM) else x + self._some_dropped(part(x))",
)
LABELS_SWAPPED: Edit = (
    "mednext/datasets/load.py",
    "    return ClassificationData(\n",
    "    train = np.flatnonzero(table.subset == 'train')\n"
    "    chosen = stream('planted').permutation(train)[: len(train) // 5]\n"
    "    table.loc[chosen, 'label'] = table.label[chosen].map(\n"
    "        {run.classes[0]: run.classes[1], run.classes[1]: run.classes[0]}\n"
    "    )\n"
    "    return ClassificationData(\n",
)
RATE_TIMES_100: Edit = (
    "benchmarks/recipes.yaml",
    "lr: {value: 6.0e-4",
    "lr: {value: 6.0e-2",
)

VERBS = """
import sys
from mednext.cli import main
for line in sys.stdin:
    words = line.split()
    if words and main(words):
        sys.exit(f"failed: {line}")
"""


@dataclass(frozen=True)
class Scale:
    """How much is trained: phantom images per subset, image size, epochs."""

    train: int
    val: int
    test: int
    img_size: int
    epochs: int

    def profile(self, seeds: tuple[int, ...], threads: int) -> dict[str, Any]:
        """A file of ``config/``."""
        entry = {
            "source": "phantom",
            "phantom": {"train": self.train, "val": self.val, "test": self.test},
            "protocols": ["paper"],
            "methods": [METHOD],
            "img_size": self.img_size,
            "epochs": self.epochs,
            "batch_size": 16,
        }
        return {
            "profile": "gate",
            "seeds": list(seeds),
            "threads": threads,
            "device": "cpu",
            "selections": ["last"],
            "datasets": {DATASET: entry},
        }


def plant(place: Path, edits: Sequence[Edit]) -> None:
    """Make a copy of the code in ``place`` and change it."""
    for part in ("mednext", "benchmarks"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", place)
    for file, old, new in edits:
        text = (place / file).read_text()
        assert text.count(old) == 1, f"{file} no longer holds what the plant replaces"
        (place / file).write_text(text.replace(old, new))


Experiment = Callable[..., Path]


def experiment(folder: Path, scale: Scale) -> Experiment:
    """A function that trains, evaluates and collects, and returns the folder of results.

    The data set is generated once below ``folder``; everything else is made afresh each time.
    """

    def run(
        name: str, edit: Edit | None = None, seeds: tuple[int, ...] = (0,), threads: int = 1
    ) -> Path:
        place = folder / name
        plant(place, [edit] if edit is not None else [])
        (place / "gate.yaml").write_text(yaml.safe_dump(scale.profile(seeds, threads)))
        results = place / "results" / "gate"
        verbs = [
            *(f"datasets {step} --dataset {DATASET}" for step in ("fetch", "verify", "prepare")),
            f"datasets split --dataset {DATASET} --protocol paper",
            *("train", "predict", "evaluate", "results collect"),
        ]
        lines = [f"{verb} --configfile gate.yaml" for verb in verbs]
        lines += [
            f"cost --methods {METHOD} --out {results}/cost.csv",
            f"models probe --methods {METHOD} --out {results}/probes.csv",
        ]
        done = subprocess.run(
            [sys.executable, "-c", VERBS],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(place), "MEDNEXT_DATA": str(folder / "data")},
            input="\n".join(lines),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return results

    return run
