"""What the image figures show: heatmaps and overlays of a few listed test cases, as arrays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData, load
from mednext.errors import UserError
from mednext.files import atomic_path
from mednext.metrics.segmentation import dice, organ_counts
from mednext.models.cam import CamLayer, gradcam_layer
from mednext.results import HEADLINE, read_run
from mednext.training.augment import center_crop
from mednext.training.batches import ordered_batches
from mednext.training.device import autocast
from mednext.training.evaluate import load_model, paths_of, stored_predictions


def grad_cam(model: nn.Module, layer: CamLayer, images: Tensor, target: Tensor) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, 10.1109/ICCV.2017.74) of class ``target`` (B,).

    Images (B, 3, S, S) -> (B, S, S) in [0, 1], each map scaled by its own maximum.
    """
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = layer.module.register_forward_hook(keep)
    try:
        logits = model(images.requires_grad_())
        logits.gather(1, target[:, None]).sum().backward()
    finally:
        handle.remove()
    output = kept[0]
    assert output.grad is not None  # retained above
    with torch.no_grad():
        features = layer.to_map(output)
        weights = layer.to_map(output.grad).mean(dim=(2, 3), keepdim=True)
        maps = (weights * features).sum(dim=1, keepdim=True).relu()
        maps = layer.assemble(maps, features, target)
    maps = F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
    peaks = maps.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12)
    return np.asarray((maps / peaks)[:, 0].cpu().numpy(), dtype=np.float32)


def heatmaps_of(run: RunConfig, model: nn.Module, images: Tensor, target: Tensor) -> np.ndarray:
    """Grad-CAM as :func:`grad_cam` makes it; all 0, and a note, of a network that does not say
    where its feature maps are (a custom one without ``feature_info``).
    """
    try:
        layer = gradcam_layer(run.method, model)
    except UserError as error:
        print(f"{run.method}: shown without heatmaps: {error.what}", file=sys.stderr)
        return np.zeros((len(images), *images.shape[-2:]), np.float32)
    return grad_cam(model, layer, images.clone(), target)


def _shown(runs: Sequence[RunConfig]) -> list[RunConfig]:
    """The runs that have weights; a failed one has nothing to show."""
    shown = [r for r in runs if HEADLINE.selection in read_run(paths_of(r).run_json).weights]
    if not shown:
        raise UserError("no run of this figure has weights", remedy="see the runs' logs")
    return shown


def _check_ranks(ranks: Sequence[int], count: int, what: str) -> None:
    if not all(0 <= rank < count for rank in ranks):
        raise UserError(
            "a figure asks for a test case that is not there",
            found=", ".join(map(str, ranks)),
            expected=f"ranks from 0 to {count - 1} ({what})",
            remedy="change 'figures' in the configuration",
        )


def explain_classification(runs: Sequence[RunConfig], ranks: Sequence[int], out: Path) -> None:
    """Grad-CAM of the predicted class for the ``ranks``-th test image of each class, by name.

    ``images`` is (N, S, S) uint8 for grey images and (N, S, S, 3) for coloured ones.
    """
    runs = _shown(runs)
    data = load(runs[0])
    assert isinstance(data, ClassificationData)
    test = sorted(data.subsets["test"], key=lambda row: data.items[row])
    by_class = [[row for row in test if data.labels[row] == k] for k in range(len(data.classes))]
    _check_ranks(ranks, min(len(rows) for rows in by_class), "test images of each class")
    chosen = [rows[rank] for rows in by_class for rank in ranks]
    rows = np.asarray(chosen)
    heatmaps, scores = [], []
    for run in runs:
        model = load_model(run, HEADLINE.selection)
        device = next(model.parameters()).device
        images = torch.cat([x for x, _ in ordered_batches(data, run, rows)]).to(device)
        with torch.no_grad(), autocast(run, device):
            logits = model(images).float()
        scores.append(logits.softmax(dim=1).cpu().numpy())
        heatmaps.append(heatmaps_of(run, model, images, logits.argmax(dim=1)))
    cropped = center_crop(torch.from_numpy(np.ascontiguousarray(data.images[rows])), data.img_size)
    planes = cropped.permute(0, 2, 3, 1).numpy()
    _save(
        out,
        images=planes[..., 0] if planes.shape[-1] == 1 else planes,
        heatmaps=np.stack(heatmaps),
        labels=data.labels[rows],
        scores=np.stack(scores).astype(np.float32),
        items=np.asarray([data.items[row] for row in rows]),
        methods=np.asarray([run.method for run in runs]),
        classes=np.asarray(data.classes),
        source=np.asarray(runs[0].source),
    )


def explain_segmentation(runs: Sequence[RunConfig], ranks: Sequence[int], out: Path) -> None:
    """One slice of each of the ``ranks``-th test cases, by name, with every prediction.

    The slice is the middle one of those with the most organs.
    """
    runs = _shown(runs)
    data = load(runs[0])
    assert isinstance(data, SegmentationData)
    test = sorted((data.cases[i] for i in data.subsets["test"]), key=lambda case: case.case)
    _check_ranks(ranks, len(test), "test cases")
    cases = [test[rank] for rank in ranks]
    organs = range(1, len(data.classes))
    images, truths, slices = [], [], []
    predictions: list[list[np.ndarray]] = [[] for _ in runs]
    scores = np.zeros((len(runs), len(cases)), dtype=np.float32)
    stored = [stored_predictions(run, HEADLINE.selection) for run in runs]
    for column, case in enumerate(cases):
        image, truth = (np.asarray(v) for v in data.volume(case))
        present = np.asarray([[(plane == o).any() for o in organs] for plane in truth]).sum(axis=1)
        richest = np.flatnonzero(present == present.max())
        z = int(richest[len(richest) // 2])
        images.append(image[z])
        truths.append(truth[z])
        slices.append(z)
        for line, arrays in enumerate(stored):
            found = arrays[case.case]
            predictions[line].append(found[z])
            counts = np.asarray([organ_counts(truth, found, organ) for organ in organs])
            # "worst" counts an organ that was not found; organs that are not there are left out.
            scores[line, column] = np.nanmean(
                dice(counts[:, 0], counts[:, 1], counts[:, 2], policy="worst")
            )
    side = min(min(plane.shape) for plane in images)
    _save(
        out,
        images=np.stack([_middle(p, side) for p in images]).astype(np.float32),
        truth=np.stack([_middle(p, side) for p in truths]),
        predictions=np.stack([[_middle(p, side) for p in line] for line in predictions]),
        dice=scores,
        cases=np.asarray([case.case for case in cases]),
        slices=np.asarray(slices),
        methods=np.asarray([run.method for run in runs]),
        classes=np.asarray(data.classes),
        source=np.asarray(runs[0].source),
    )


def _middle(plane: np.ndarray, side: int) -> np.ndarray:
    """The middle ``side`` x ``side`` pixels, so that cases of different size fit one array."""
    y, x = (plane.shape[0] - side) // 2, (plane.shape[1] - side) // 2
    return plane[y : y + side, x : x + side]


def _save(out: Path, **arrays: np.ndarray) -> None:
    with atomic_path(out) as part:
        np.savez_compressed(part, **arrays)  # type: ignore[arg-type]
