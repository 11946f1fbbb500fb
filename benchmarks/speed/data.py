"""Batches from the memory map with augmentation against PIL's decoding and resizing, per core.

On the original PNGs of the SARS-CoV-2 set, as they lie under MEDNEXT_LOCAL; and the share that
batches take of an epoch of MedNeXt on this machine. Run: make bench
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from side_by_side import Figure, interleave, publish, ratios

from mednext import create_model
from mednext.cost.allocator import keep_freed_memory
from mednext.training.augment import crop_flip
from mednext.training.batches import network_input

FASTER, SHARE = 30, 0.05
FOLDER = "sars-cov-2-ct-scan"
SIDE, PADDED = 224, 256
RUN: Any = SimpleNamespace(recipe={"normalise": {"mean": 0.5, "std": 0.5}})
"""As much of a run's configuration as normalising reads."""


def decode(files: list[Path]) -> np.ndarray:
    """What a loader without a prepared folder does for every image of every epoch."""
    images = [
        np.asarray(Image.open(f).convert("RGB").resize((PADDED, PADDED), Image.Resampling.BILINEAR))
        for f in files
    ]
    return np.stack(images).transpose(0, 3, 1, 2)


def augmented(stored: np.ndarray, random: torch.Generator) -> torch.Tensor:
    """8-bit crops, mirrored or not: what decoding and resizing delivers, and augmentation."""
    return crop_flip(torch.from_numpy(np.ascontiguousarray(stored)), SIDE, random)


def finish(stored: np.ndarray, random: torch.Generator) -> torch.Tensor:
    """The same as floats in channels_last: what the network is given."""
    return network_input(augmented(stored, random), RUN)


def main() -> None:
    """Time in rounds and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    folder = Path(os.environ.get("MEDNEXT_LOCAL", "data/incoming")) / FOLDER
    files = sorted(folder.rglob("*.png"))
    if not files:
        print(f"skipped: no PNG under {folder}; set MEDNEXT_LOCAL to the folder of the data sets")
        sys.exit(0)
    keep_freed_memory()  # as every command of mednext does
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, arguments.images).astype(int)]
    random = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "images.npy"
        np.save(file, decode(chosen))
        images = np.load(file, mmap_mode="r")
        order = np.random.default_rng(0).permutation(len(images))

        def mapped(batch: Callable[..., torch.Tensor]) -> None:
            for start in range(0, len(order), arguments.batch):
                batch(images[np.sort(order[start : start + arguments.batch])], random)

        seconds = interleave(
            {
                "PIL": lambda: decode(chosen),
                "memory map": lambda: mapped(augmented),
                "memory map, normalised": lambda: mapped(finish),
            },
            arguments.rounds,
            clock=time.process_time,
        )
        model = create_model("mednext", num_classes=2).train().to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        x = finish(images[order[: arguments.batch]], random)

        def step() -> None:
            target = torch.zeros(len(x), dtype=torch.long)
            torch.nn.functional.cross_entropy(model(x), target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        epoch = interleave(
            {"batch": lambda: finish(images[order[: arguments.batch]], random), "step": step},
            3,
            clock=time.process_time,
        )
    shares = [b / (b + s) for b, s in zip(epoch["batch"], epoch["step"], strict=True)]
    per = f"{arguments.images} of {len(files)} PNGs"
    figures = [
        Figure(
            "PIL decode + resize / memory-mapped, augmented batch, per core",
            ratios(seconds, "PIL", "memory map"),
            least=FASTER,
            note=per,
        ),
        Figure(
            "the same, ours also normalised to floats of three channels",
            ratios(seconds, "PIL", "memory map, normalised"),
            note=per,
        ),
        Figure("share of batches in an epoch of MedNeXt", shares, most=SHARE, unit="of 1"),
    ]
    rows = [
        {"what": name, "round": i, "cpu_seconds": round(s, 5), "images": count}
        for table, count in ((seconds, arguments.images), (epoch, arguments.batch))
        for name, values in table.items()
        for i, s in enumerate(values)
    ]
    publish("data", figures, rows)


if __name__ == "__main__":
    main()
