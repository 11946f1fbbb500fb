"""Does the same work give the same bits: in one process, in two, and after a kill?"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mednext.planning.gpu_check.numbers import Found
from mednext.planning.gpu_check.scale import Scale, run_of
from mednext.planning.microbenchmark import random_data
from mednext.training.batches import train_batches
from mednext.training.device import fresh_network, prepare_torch
from mednext.training.step import Stepper

IMAGES = 4
KILLED_AFTER = 2
"""Checkpoints."""


def digest(tensors: Any) -> str:
    """Of the bits of all tensors, in their order."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()[:16]


def deterministic(device: str, scale: Scale) -> Iterator[Found]:
    """Some deterministic steps of a few networks, twice from the same seed."""
    for method in scale.repeated:
        first, second = (_weights_after(method, device, scale) for _ in range(2))
        same = first == second
        yield method, {"digests": [first, second]}, None if same else "the weights differ"


def _weights_after(method: str, device: str, scale: Scale) -> str:
    run = run_of(
        method, device, "fp32", img_size=scale.small, batch_size=IMAGES, deterministic=True
    )
    prepare_torch(run)
    where = torch.device(device)
    model = fresh_network(run, where)
    stepper = Stepper(run, model.train(), where)
    data = random_data(run, IMAGES)
    for epoch in range(scale.steps):
        torch.manual_seed(epoch)
        for images, labels in train_batches(data, run, epoch):
            stepper.step(images, labels, run.recipe["lr"])
    return digest(model.state_dict().values())


def resume(device: str, scale: Scale) -> Iterator[Found]:
    """A training twice as a whole and once killed and continued: three equal weights."""
    del scale  # the same everywhere: four epochs of a few images
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("first", "second", "killed")]
        workers = [_start(device, place, kill=place.name == "killed") for place in places]
        ends = [_end(worker) for worker in workers]
        problem = _unexpected(ends)
        if problem is None:
            ends[2] = _end(_start(device, places[2], kill=False))
            problem = _unexpected([*ends[:2], ends[2]], killed=False)
        digests = [json.loads(out.splitlines()[-1]) if code == 0 else "" for code, out, _ in ends]
        if problem is None and "starting anew" in ends[2][2]:
            problem = "the killed training began anew"
        if problem is None and len(set(digests)) > 1:
            problem = "the weights differ"
        yield "mednext, killed and continued", {"digests": digests}, problem


def _start(device: str, folder: Path, kill: bool) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "mednext.planning.gpu_check.worker", "train"]
    words += [device, str(folder), str(KILLED_AFTER if kill else 0)]
    return subprocess.Popen(  # noqa: S603  fixed words
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _end(worker: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = worker.communicate(timeout=240)
    return worker.returncode, out, err


def _unexpected(ends: list[tuple[int, str, str]], killed: bool = True) -> str | None:
    expected = [0, 0, -9 if killed else 0]
    for (code, _, err), right in zip(ends, expected, strict=True):
        if code != right:
            last = (err.strip().splitlines() or ["no message"])[-1]
            return f"a training ended with {code} instead of {right}: {last[:200]}"
    return None
