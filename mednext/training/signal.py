"""The dead-signal report: ``mednext.models.signal`` on noise, or on the images of trained runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig, load_methods, method_slug
from mednext.datasets.load import load
from mednext.errors import UserError
from mednext.models.blocks import MEDBlock
from mednext.models.registry import create_model
from mednext.models.signal import PartSignal, measure_signal
from mednext.results import SignalRow, read_run
from mednext.training.batches import ordered_batches, subset_rows
from mednext.training.device import prepare_torch
from mednext.training.evaluate import load_model, paths_of
from mednext.training.seeds import seed_of

Weights = Literal["initial", "last"]
BATCH = 16
"""Images of one measurement."""
CLASSES = {"classification": 2, "segmentation": 4}


def noise_rows(method: str, img_size: int, seed: int = 0, batch: int = BATCH) -> list[SignalRow]:
    """The report of fresh weights on normally distributed images with random labels.

    Raises:
        UserError: unknown method, one without MED blocks, or a size it cannot take.
    """
    method = method_slug(method)
    task = load_methods()[method].task
    torch.manual_seed(seed_of(seed, "noise", "weights"))
    classes = CLASSES[task]
    model = create_model(method, num_classes=classes, img_size=img_size).train()
    random = torch.Generator().manual_seed(seed_of(seed, "noise", "images"))
    images = torch.randn(batch, 3, img_size, img_size, generator=random)
    shape = (batch,) if task == "classification" else (batch, img_size, img_size)
    target = torch.randint(classes, shape, generator=random)
    where = {"dataset": "noise", "protocol": None, "seed": seed, "img_size": img_size}
    return _rows(measure_signal(model, images, target), batch, method, "initial", **where)


def with_med_blocks(runs: Sequence[RunConfig]) -> list[RunConfig]:
    """The runs whose network has MED blocks.

    Raises:
        UserError: there are none.
    """

    def has_blocks(run: RunConfig) -> bool:
        with torch.device("meta"):
            model = create_model(run.method, num_classes=2, img_size=run.img_size)
        return any(isinstance(module, MEDBlock) for module in model.modules())

    found = [run for run in runs if has_blocks(run)]
    if not found:
        raise UserError(
            "none of the runs has a network of MED blocks",
            found=", ".join(sorted({run.method for run in runs})),
            expected="mednext, medunext or one of their variants",
        )
    return found


def with_normalised(runs: Sequence[RunConfig]) -> list[RunConfig]:
    """The runs of networks with a normalised form (``<method>_nc``), each with that form beside it
    on the same data, whether the profile trains it or not.

    Raises:
        UserError: there are none.
    """
    methods = load_methods()
    found: dict[tuple[str, str, str, int], RunConfig] = {}
    for run in runs:
        plain = run.method.removesuffix("_nc")
        if f"{plain}_nc" not in methods:
            continue
        for name in (plain, f"{plain}_nc"):
            options = {"method": name, "method_kwargs": methods[name].kwargs}
            key = (run.dataset, run.protocol, name, run.seed)
            found.setdefault(key, run.model_copy(update=options))
    if not found:
        raise UserError(
            "none of the runs has a network with a normalised form",
            found=", ".join(sorted({run.method for run in runs})),
            expected="mednext or medunext",
            remedy="name a variant with --method to see it alone",
        )
    return list(found.values())


def run_rows(run: RunConfig) -> list[SignalRow]:
    """The report of one run on test images: with its initial and, if it has any, its last weights.

    Raises:
        UserError: the data are not ready, or the method has no MED blocks.
    """
    images, target = _test_images(run)
    prepare_torch(run)
    fresh = create_model(
        run.method, num_classes=len(run.classes), in_chans=run.in_chans, img_size=run.img_size
    )
    where = {k: getattr(run, k) for k in ("dataset", "protocol", "seed", "img_size")}
    found = measure_signal(fresh.train(), images, target)
    rows = _rows(found, len(images), run.method, "initial", **where)
    file = paths_of(run).run_json
    if file.is_file() and "last" in read_run(file).weights:
        trained = load_model(run, "last")
        device = next(trained.parameters()).device
        found = measure_signal(trained, images.to(device), target.to(device))
        rows += _rows(found, len(images), run.method, "last", **where)
    return rows


def _test_images(run: RunConfig) -> tuple[Tensor, Tensor]:
    """Images evenly spaced over the test set, so that all classes are among them."""
    data = load(run)
    rows = subset_rows(data, "test")
    chosen = rows[np.linspace(0, len(rows) - 1, min(BATCH, len(rows))).round().astype(int)]
    pairs = list(ordered_batches(data, run, chosen))
    return torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])


def _rows(
    found: Sequence[PartSignal], images: int, method: str, weights: Weights, **where: Any
) -> list[SignalRow]:
    return [
        SignalRow(method=method, weights=weights, images=images, **where, **asdict(part))
        for part in found
    ]
