"""A trained classifier as an ONNX file of 8-bit integers, and what that costs in accuracy."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from mednext.analysis.differences import half_width
from mednext.datasets.load import ClassificationData, load
from mednext.errors import UserError
from mednext.files import atomic_path, scratch_folder, seed_of
from mednext.metrics.statistics import bootstrap
from mednext.training.batches import ordered_batches
from mednext.training.loaded import LoadedRun

CALIBRATION = 128
"""Images of the training set, evenly spread, that give the ranges of the activations."""
PRODUCTS = ["Conv", "MatMul", "Gemm"]
"""What computes in integers; softmaxes and normalisations stay in fp32."""


@dataclass(frozen=True)
class Change:
    """Accuracy on the test images before and after."""

    before: float
    after: float
    ci_low: float | None
    """Of after minus before, paired, whole groups drawn; None: a single group."""
    ci_high: float | None
    images: int
    groups: int
    calibration: int

    def __str__(self) -> str:
        change = f"accuracy {100 * self.before:.1f} % as fp32, {100 * self.after:.1f} % as int8"
        if self.ci_low is not None and self.ci_high is not None:
            change += f": {100 * (self.after - self.before):+.1f} points"
            change += f" [{100 * self.ci_low:+.1f}, {100 * self.ci_high:+.1f}]"
        return f"{change}, {self.images} test images of {self.groups} groups"


def export_int8(run: LoadedRun, path: Path) -> Change:
    """Write the folded network in 8-bit integers, calibrated on images of its training set.

    Weights have a range per channel, activations one per map, the smallest that holds all values.
    The accuracy before and after is stored beside the facts of the run (``int8``).

    Raises:
        UserError: a segmenter, or the run's data have not been prepared here.
    """
    if run.config.task != "classification":
        raise UserError(
            "no integers for this network",
            found=f"{run.config.method}, a segmenter",
            expected="a classifier",
            remedy="export it as fp32, without --int8",
        )
    data = load(run.config)
    assert isinstance(data, ClassificationData)
    train, test = data.subsets["train"], data.subsets["test"]
    chosen = train[np.linspace(0, len(train) - 1, min(CALIBRATION, len(train))).astype(int)]
    groups = [data.groups[row] for row in test]
    with scratch_folder(path) as scratch, atomic_path(path) as part:
        plain = scratch / "fp32.onnx"
        run.export(plain)
        logging.disable(logging.WARNING)  # a line per sum that could be faster still
        try:
            quantize_static(
                plain,
                part,
                _Images(batch for batch, _ in _batches(run, data, chosen)),
                op_types_to_quantize=PRODUCTS,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        right = np.stack([_right(file, run, data, test) for file in (plain, part)], axis=1)
        change = _change(right, groups, len(chosen), run.config.dataset)
        model = onnx.load(part)
        onnx.helper.set_model_props(model, run.facts() | {"int8": json.dumps(asdict(change))})
        onnx.save(model, part)
    return change


def _change(right: np.ndarray, groups: list[str], calibration: int, dataset: str) -> Change:
    draws = bootstrap(groups, lambda rows: right[rows].mean(axis=0), seed_of("int8", dataset))
    before, after = right.mean(axis=0)
    count = len(set(groups))
    half = half_width(draws[:, 1] - draws[:, 0], count)
    low, high = (None, None) if half is None else (after - before - half, after - before + half)
    return Change(float(before), float(after), low, high, len(groups), count, calibration)


def _batches(
    run: LoadedRun, data: ClassificationData, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for images, labels in ordered_batches(data, run.config, rows):
        yield images.numpy(), labels.numpy()


class _Images(CalibrationDataReader):
    """What onnxruntime asks for batches to calibrate with."""

    def __init__(self, batches: Iterator[np.ndarray]) -> None:
        self.batches = batches

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"images": batch}


def _right(file: Path, run: LoadedRun, data: ClassificationData, rows: np.ndarray) -> np.ndarray:
    """(N,) 1 where the graph's class is the label, else 0."""
    options = SessionOptions()
    options.intra_op_num_threads = run.config.threads
    session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return np.concatenate(
        [
            session.run(None, {"images": images})[0].argmax(axis=1) == labels
            for images, labels in _batches(run, data, rows)
        ]
    ).astype(float)
