"""What the page's case browser shows: all test cases of one data set and protocol, with pictures.

Everything is small: pictures of at most ``SIDE`` pixels, of at most ``PICTURES`` test images or
``PLANES`` slices per volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData, load
from mednext.files import atomic_path
from mednext.metrics.segmentation import dice
from mednext.results import HEADLINE, read_cases, read_run
from mednext.training.augment import center_crop
from mednext.training.batches import ordered_batches
from mednext.training.device import autocast
from mednext.training.evaluate import load_model, paths_of, stored_predictions
from mednext.training.explain import heatmaps_of

SIDE = 128
HEAT_SIDE = 32
"""Of a stored heatmap: more than any of the networks' last feature maps has."""
PICTURES = 300
PLANES = 6
SELECTION = HEADLINE.selection


def browse(runs: Sequence[RunConfig], out: Path) -> None:
    """Write what ``runs`` (of one data set and protocol) predicted for every test case.

    Arrays of both tasks: ``task``, ``source``, ``selection``, ``methods`` and their ``seeds`` (M),
    ``absent`` (methods without weights), ``classes``, ``names`` (N). Classification: ``labels``
    (N), ``scores`` (M, N, K), ``pictured`` (P, rows of N), ``images`` (P, S, S[, 3]), ``heatmaps``
    (M, P, H, H). Segmentation: ``dice`` (M, N, organs) and ``hd95`` (the same, voxels), NaN where
    an organ is in neither mask; ``pictured`` (P), ``planes`` (P, slice numbers), ``images``
    (P, S, S), ``truth`` (P, S, S), ``masks`` (M, P, S, S). Pictures are uint8.

    Raises:
        UserError: a run has not been trained or evaluated.
    """
    shown = [r for r in runs if SELECTION in read_run(paths_of(r).run_json).weights]
    common = {
        "task": runs[0].task,
        "source": runs[0].source,
        "selection": SELECTION,
        "methods": [r.method for r in shown],
        "seeds": [r.seed for r in shown],
        "absent": [r.method for r in runs if r not in shown],
        "classes": list(runs[0].classes),
    }
    data = load(runs[0])
    cases = [read_cases(paths_of(run).cases(SELECTION), run) for run in shown]
    if isinstance(data, ClassificationData):
        arrays = _images(data, shown, cases)
    else:
        arrays = _volumes(data, shown, cases)
    with atomic_path(out) as part:
        both = {name: np.asarray(value) for name, value in (common | arrays).items()}
        np.savez_compressed(part, **both)  # type: ignore[arg-type]


def pictured(true_scores: np.ndarray, count: int) -> np.ndarray:
    """Which images get a picture, by the scores (M, N) that the methods gave their true class.

    All, if there are at most ``count``. Otherwise the half that the methods got most wrong on
    average (ties by order), and the rest evenly spaced over the others: errors are what a reader
    looks for, and the others say what the data look like.
    """
    total = true_scores.shape[1]
    if total <= count:
        return np.arange(total)
    mean = true_scores.mean(axis=0) if len(true_scores) else np.zeros(total)
    order = np.argsort(mean, kind="stable")
    worst, others = order[: count // 2], np.sort(order[count // 2 :])
    spread = np.linspace(0, len(others) - 1, count - len(worst)).round().astype(int)
    return np.sort(np.concatenate([worst, others[spread]]))


def _images(
    data: ClassificationData, runs: Sequence[RunConfig], cases: Sequence[pd.DataFrame]
) -> dict[str, object]:
    test = np.asarray(sorted(data.subsets["test"], key=lambda row: data.items[row]))
    labels = np.asarray(data.labels[test])
    columns = [f"score_{k}" for k in range(len(data.classes))]
    scores = np.full((len(runs), len(test), len(columns)), np.nan, dtype=np.float32)
    for line, frame in enumerate(cases):
        scores[line] = frame.set_index("row").loc[test, columns].to_numpy()
    chosen = pictured(scores[:, np.arange(len(test)), labels], PICTURES)
    rows = test[chosen]
    planes = center_crop(torch.from_numpy(np.ascontiguousarray(data.images[rows])), data.img_size)
    heatmaps = np.zeros((len(runs), len(rows), HEAT_SIDE, HEAT_SIDE), dtype=np.uint8)
    for line, run in enumerate(runs):
        heatmaps[line] = _heatmaps(run, data, rows)
    return {
        "names": [data.items[row] for row in test],
        "labels": labels,
        "scores": scores,
        "pictured": chosen,
        "images": np.stack([_small(np.moveaxis(p.numpy(), 0, -1), SIDE) for p in planes]),
        "heatmaps": heatmaps,
    }


def _heatmaps(run: RunConfig, data: ClassificationData, rows: np.ndarray) -> np.ndarray:
    """Grad-CAM of the predicted class, (P, H, H) uint8."""
    model = load_model(run, SELECTION)
    device = next(model.parameters()).device
    maps = []
    for batch, _ in ordered_batches(data, run, rows):
        images = batch.to(device)
        with torch.no_grad(), autocast(run, device):
            target = model(images).argmax(dim=1)
        for heat in heatmaps_of(run, model, images, target):
            maps.append(_small((heat * 255).astype(np.uint8)[..., None], HEAT_SIDE))
    return np.stack(maps)


def _small(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, H, 1 or 3) uint8 -> (S, S[, 3]), at most ``side`` pixels wide."""
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    side = min(side, picture.shape[0]) if side == SIDE else side
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _volumes(
    data: SegmentationData, runs: Sequence[RunConfig], cases: Sequence[pd.DataFrame]
) -> dict[str, object]:
    test = sorted((data.cases[i] for i in data.subsets["test"]), key=lambda case: case.case)
    names, organs = [case.case for case in test], list(data.classes[1:])
    overlap = np.full((len(runs), len(test), len(organs)), np.nan, dtype=np.float32)
    distance = overlap.copy()
    for line, frame in enumerate(cases):
        ordered = frame.set_index(["case", "organ"]).loc[[(n, o) for n in names for o in organs]]
        # "worst" counts an organ that was not found as 0; one that is not there is left out.
        tp, fp, fn = (ordered[name].to_numpy() for name in ("tp", "fp", "fn"))
        values = dice(tp, fp, fn, policy="worst")
        overlap[line] = values.reshape(len(names), len(organs))
        distance[line] = ordered["hd95_pooled_vox"].to_numpy().reshape(len(names), len(organs))
    stored = [stored_predictions(run, SELECTION) for run in runs]
    images, truths, masks, which, planes = [], [], [], [], []
    for number, case in enumerate(test):
        image, truth = (np.asarray(v) for v in data.volume(case))
        for z in labelled_planes(truth):
            images.append(_fitted(_grey(image[z]), smooth=True))
            truths.append(_fitted(truth[z], smooth=False))
            masks.append([_fitted(a[case.case][z], smooth=False) for a in stored])
            which.append(number)
            planes.append(z)
    shape = (len(planes), len(runs), SIDE, SIDE)
    return {
        "names": names,
        "dice": overlap,
        "hd95": distance,
        "pictured": which,
        "planes": planes,
        "images": np.stack(images),
        "truth": np.stack(truths),
        "masks": np.asarray(masks, dtype=np.uint8).reshape(shape).swapaxes(0, 1),
    }


def labelled_planes(truth: np.ndarray) -> list[int]:
    """At most ``PLANES`` slices with a label, evenly spaced from the first to the last."""
    labelled = np.flatnonzero((truth > 0).any(axis=(1, 2)))
    if not len(labelled):
        labelled = np.arange(len(truth))
    spread = np.linspace(0, len(labelled) - 1, min(PLANES, len(labelled))).round().astype(int)
    return [int(z) for z in labelled[spread]]


def _grey(plane: np.ndarray) -> np.ndarray:
    """Darkest to brightest hundredth of a slice as 0 to 255."""
    low, high = np.percentile(plane, (1, 99))
    return np.asarray(np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255, dtype=np.uint8)


def _fitted(plane: np.ndarray, smooth: bool) -> np.ndarray:
    """(H, W) uint8 in the middle of ``SIDE`` x ``SIDE``, its longer side fitted."""
    height, width = plane.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    canvas = Image.new("L", (SIDE, SIDE))
    where = ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2)
    canvas.paste(Image.fromarray(plane).resize(size, how), where)
    return np.asarray(canvas)
