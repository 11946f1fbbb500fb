"""Operations and waits of one training step of each method, as a GPU would be given them.

Run as ``python benchmarks/speed/steps.py`` (``make steps``); it writes ``steps.csv`` beside itself.
Nothing is computed: networks and images lie on torch's meta device, which is not the CPU, so that
the code takes the way that it takes on a GPU. Counted are forward pass, loss and backward pass of
one batch; the optimiser is one fused kernel for some hundred tensors.

A wait is what makes the host stop until the device is done: a number read back, positions whose
count is not known before, or a copy to another device that is not sent from pinned memory.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mednext.config import RunConfig, load_profile
from mednext.models.registry import create_model, list_models
from mednext.runs.resolve import resolve_runs
from mednext.training.step import Stepper

TABLE = Path(__file__).with_name("steps.csv")
COLUMNS = ("method", "operations", "waits")
SIZE, BATCH = 64, 4
READING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "bincount", "equal")
COPYING = ("_to_copy", "copy_")


class Counted(TorchDispatchMode):
    """Counts within its block."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        self.operations += not func.is_view
        masks = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in READING or any(m is not None and m.dtype == torch.bool for m in masks):
            self.waits.append(name)
        out = func(*args, **kwargs)
        if name in COPYING and not kwargs.get("non_blocking"):
            source = args[name == "copy_"]
            if source.device != out.device:
                self.waits.append(f"{name} {source.device} {out.device}")
        return out


def count(method: str) -> Counted:
    """One step of a registered method on ``BATCH`` images of ``SIZE`` pixels."""
    run = next(r for r in _runs() if r.method == method)
    run = run.model_copy(update={"batch_size": BATCH, "micro_batch": None})
    model = create_model(method, num_classes=len(run.classes), img_size=SIZE).train()
    stepper = Stepper(run, model, torch.device("cpu"))  # no fused optimiser is for the meta device
    stepper.device = meta = torch.device("meta")
    model.to(meta)
    images = torch.empty(BATCH, 3, SIZE, SIZE, device=meta).to(memory_format=torch.channels_last)
    shape = (BATCH,) if run.task == "classification" else (BATCH, SIZE, SIZE)
    labels = torch.empty(shape, dtype=torch.long, device=meta)
    # Networks send numbers to a GPU from pinned memory, which is not waited for.
    sent = patch("mednext.models.baselines.patch_cnn.to_device", _unwaited)
    with sent, Counted() as counted:
        stepper._gradients(images, labels)
    return counted


def _unwaited(x: Tensor, device: torch.device) -> Tensor:
    return x.to(device, non_blocking=True)


@cache
def _runs() -> tuple[RunConfig, ...]:
    """Of the profile that has every method."""
    return tuple(resolve_runs(load_profile(Path(__file__).parents[2] / "config/smoke.yaml")))


if __name__ == "__main__":
    with TABLE.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for name in list_models():
            found = count(name)
            table.writerow((name, found.operations, len(found.waits)))
