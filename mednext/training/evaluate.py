"""Predict the test set with stored weights, and count per case from the stored predictions."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from scipy.ndimage import zoom
from torch import Tensor, nn

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData, load
from mednext.errors import UserError
from mednext.files import atomic_path, exclusive, remove_leftovers, sha256_file, write_csv
from mednext.layout import RunPaths
from mednext.metrics.segmentation import image_diagonal, organ_counts
from mednext.metrics.surface import hd95_of_organs
from mednext.models.registry import create_model
from mednext.results import DIAGONALS, DISTANCES, RunRecord, case_columns, read_run
from mednext.training.batches import subset_rows
from mednext.training.device import autocast, pick_device, prepare_torch
from mednext.training.validate import in_batches


def paths_of(run: RunConfig) -> RunPaths:
    """Where the run's files are."""
    return RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)


def verified_weights(file: Path, record: RunRecord, selection: str) -> Path:
    """``file``, if it holds what the training of ``record`` wrote.

    Raises:
        UserError: it is not there, or holds anything else; or there was no such selection.
    """
    expected = record.weights.get(selection)
    found = sha256_file(file) if file.is_file() else None
    if expected is None or found != expected:
        raise UserError(
            "the weights are not those that the training wrote",
            file=file,
            found=found or "no file",
            expected=expected or f"one of {', '.join(record.weights) or 'none: ' + record.status}",
            remedy="train the run again, or name a selection that it has",
        )
    return file


def load_model(run: RunConfig, selection: str) -> nn.Module:
    """The trained network of one selection, in evaluation mode.

    Raises:
        UserError: no such weights, or not those that the training wrote.
    """
    record = read_run(paths_of(run).run_json)
    file = verified_weights(paths_of(run).weights(selection), record, selection)
    prepare_torch(run)
    model = create_model(
        run.method, num_classes=len(run.classes), in_chans=run.in_chans, img_size=run.img_size
    )
    model.load_state_dict(load_file(file))
    return model.to(pick_device(run), memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


@torch.no_grad()
def outputs_of(
    run: RunConfig,
    model: nn.Module,
    data: ClassificationData | SegmentationData,
    rows: np.ndarray,
    micro_batch: int,
) -> np.ndarray:
    """Softmax scores (N, K) of images, or label maps (N, S, S) uint8 of slices."""
    device = next(model.parameters()).device

    def work(images: Tensor, _: Tensor) -> Tensor:
        with autocast(run, device):
            logits = model(images)
        if run.task == "classification":
            return logits.float().softmax(dim=1)
        return logits.argmax(dim=1).to(torch.uint8)

    found = in_batches(run, data, rows, micro_batch, device, work)
    return np.asarray(torch.cat(found).cpu().numpy())


def native_labels(small: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Label maps (D, S, S) -> (D, H, W) by nearest neighbours, as TransUNet's evaluation does."""
    factors = (shape[1] / small.shape[1], shape[2] / small.shape[2])
    return np.stack([zoom(plane, factors, order=0) for plane in small]).astype(np.uint8)


def predict(run: RunConfig) -> None:
    """Write ``predictions.<selection>.npz`` of every selection, an empty one if it has no weights.

    Classification: ``row``, ``score`` (N, K). Segmentation: one uint8 array (D, H, W) per case, in
    the resolution of the volume.

    Raises:
        UserError: not trained, weights that were changed, or another process works on the run.
    """
    record = read_run(paths_of(run).run_json)
    data = load(run)
    with exclusive(paths_of(run).work, "this run"):
        remove_leftovers(paths_of(run).root)
        for selection in run.selections:
            if selection not in record.weights:
                _write_arrays(run, selection)
                continue
            model = load_model(run, selection)
            found = outputs_of(run, model, data, subset_rows(data, "test"), record.micro_batch)
            _write_arrays(run, selection, **_arrays(data, found))


def _write_arrays(run: RunConfig, selection: str, **arrays: Any) -> None:
    with atomic_path(paths_of(run).predictions(selection)) as part:
        np.savez_compressed(part, **arrays)


def _arrays(data: ClassificationData | SegmentationData, found: np.ndarray) -> dict[str, Any]:
    """What is stored of the network's outputs for the test set."""
    if isinstance(data, ClassificationData):
        return {"row": data.subsets["test"], "score": found}
    arrays: dict[str, Any] = {}
    start = 0
    for index in data.subsets["test"]:
        case = data.cases[index]
        stop = start + case.stop - case.start
        arrays[case.case] = native_labels(found[start:stop], case.shape)
        start = stop
    return arrays


def stored_predictions(run: RunConfig, selection: str) -> dict[str, np.ndarray]:
    """The arrays that :func:`predict` wrote, or a :class:`UserError` if it has not run."""
    file = paths_of(run).predictions(selection)
    if not file.is_file():
        raise UserError("this run has no predictions", file=file, remedy="run 'mednext predict'")
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(
            "the predictions are damaged",
            file=file,
            found=str(error),
            expected="arrays that 'mednext predict' wrote",
            remedy="run 'mednext predict' again",
        ) from None


def evaluate(run: RunConfig) -> None:
    """Write ``cases.<selection>.csv`` from the predictions; of a failed run, its header alone.

    Raises:
        UserError: not trained or predicted, or another process works on the run.
    """
    record = read_run(paths_of(run).run_json)
    data = load(run)
    with exclusive(paths_of(run).work, "this run"):
        remove_leftovers(paths_of(run).root)
        for selection in run.selections:
            rows: list[dict[str, object]] = []
            if selection in record.weights:
                arrays = stored_predictions(run, selection)
                if isinstance(data, ClassificationData):
                    rows = _image_rows(data, arrays["row"], arrays["score"])
                else:
                    rows = _volume_rows(data, arrays)
            frame = pd.DataFrame(rows, columns=case_columns(run))
            write_csv(paths_of(run).cases(selection), frame)


def _image_rows(
    data: ClassificationData, rows: np.ndarray, scores: np.ndarray
) -> list[dict[str, object]]:
    return [
        {
            "row": int(row),
            "path": data.items[row],
            "group": data.groups[row],
            "side": "test",
            "label": int(data.labels[row]),
            **{f"score_{k}": float(s) for k, s in enumerate(score)},
            "prediction": int(score.argmax()),
        }
        for row, score in zip(rows, scores, strict=True)
    ]


def _volume_rows(
    data: SegmentationData, predictions: dict[str, np.ndarray]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for index in data.subsets["test"]:
        case = data.cases[index]
        _, truth = data.volume(case)
        truth, prediction = np.asarray(truth), predictions[case.case]
        spacings = [None, case.spacing] if case.spacing else [None]
        distances = np.full((len(data.classes) - 1, 2, 2), np.nan)
        organs = range(1, len(data.classes))
        distances[:, : len(spacings)] = hd95_of_organs(truth, prediction, organs, spacings)
        diagonals = image_diagonal(case.shape), np.nan
        if case.spacing:
            diagonals = diagonals[0], image_diagonal(case.shape, case.spacing)
        for value in organs:
            tp, fp, fn = organ_counts(truth, prediction, value)
            rows.append(
                {
                    "case": case.case,
                    "group": case.patient,
                    "organ": data.classes[value],
                    "side": "test",
                    "tp": tp,
                    "fp": fp,
                    "fn": fn,
                    **dict(zip(DISTANCES, distances[value - 1].flatten(), strict=True)),
                    **dict(zip(DIAGONALS, diagonals, strict=True)),
                }
            )
    return rows
