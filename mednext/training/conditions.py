"""Finished networks under other conditions: repaired scores, worse images, data of others.

Nothing that a training runs imports this module: it is no part of any run's ``code_hash``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mednext.config import DatasetRun, RunConfig, load_datasets
from mednext.datasets.decode import read_picture
from mednext.datasets.images import resized
from mednext.datasets.load import ClassificationData, SegmentationData, load
from mednext.datasets.prepare import padded_size
from mednext.datasets.reader import Files, Item
from mednext.datasets.source import open_files, resolve_source
from mednext.errors import UserError
from mednext.files import exclusive, seed_of, write_csv
from mednext.metrics.calibration import scaled, temperature
from mednext.results import HEADLINE, case_columns, read_run
from mednext.training.batches import subset_rows
from mednext.training.corruptions import SEVERITIES, Steps, corrupted, corruptions_of
from mednext.training.evaluate import (
    _arrays,
    _image_rows,
    _volume_rows,
    load_model,
    outputs_of,
    paths_of,
)

CONDITIONS = ("calibrated", "shifted", "external")


@dataclass(frozen=True)
class Worse:
    """Images that are made worse as they are read; each draw depends on names alone."""

    images: np.ndarray
    names: list[str]
    dataset: str
    steps: Steps
    corruption: str
    severity: int

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        axes = ("corruption", self.dataset, self.corruption, self.severity)
        return np.stack(
            [
                corrupted(
                    np.asarray(self.images[row]),
                    self.steps,
                    self.corruption,
                    self.severity,
                    np.random.default_rng(seed_of(*axes, self.names[row])),
                )
                for row in rows
            ]
        )


def evaluate_under(run: RunConfig, condition: str, folder: str | None = None) -> list[str]:
    """Write ``conditions/<name>.csv`` of a finished run, counts per case; returns the names.

    ``calibrated``: a temperature fitted on the validation set, applied to the test set.
    ``shifted``: every corruption in five severities. ``external``: all images of another folder.

    Args:
        run: trained here, with its weights.
        condition: one of :data:`CONDITIONS`.
        folder: of ``external``: the data set's folder below ``MEDNEXT_LOCAL``.

    Raises:
        UserError: no weights, no validation set to fit on, or other classes outside.
    """
    written = []
    with exclusive(paths_of(run).work, "this run"):
        weights = read_run(paths_of(run).run_json).weights.get(HEADLINE.selection, "")
        place = paths_of(run).conditions(weights)
        for name, rows in _tables(run, condition, folder):
            if condition == "calibrated":  # another temperature is another name
                for old in place.glob("calibrated.*.csv"):
                    old.unlink()
            write_csv(place / f"{name}.csv", pd.DataFrame(rows, columns=case_columns(run)))
            written.append(name)
    return written


Rows = list[dict[str, object]]


def _tables(run: RunConfig, condition: str, folder: str | None) -> Iterator[tuple[str, Rows]]:
    model = load_model(run, HEADLINE.selection)
    micro_batch = read_run(paths_of(run).run_json).micro_batch
    if condition == "external":
        others = outside(run, folder or "")
        scores = outputs_of(run, model, others, others.subsets["test"], micro_batch)
        yield f"external.{folder}", _image_rows(others, others.subsets["test"], scores)
        return
    data = load(run)
    if condition == "calibrated":
        if not isinstance(data, ClassificationData) or not len(data.subsets["val"]):
            raise UserError(
                "there is nothing to fit a temperature on",
                found=f"{run.dataset}/{run.protocol}: {run.task}",
                expected="a classifier with a validation set",
                remedy="choose another data set",
            )
        val, test = data.subsets["val"], data.subsets["test"]
        fitted = temperature(outputs_of(run, model, data, val, micro_batch), data.labels[val])
        found = scaled(outputs_of(run, model, data, test, micro_batch), fitted)
        yield f"calibrated.T={fitted:.4f}", _image_rows(data, test, found)
        return
    steps = corruptions_of(run.dataset, run.channels)
    rows = subset_rows(data, "test")
    for corruption in steps:
        for severity in SEVERITIES:
            worse = Worse(data.images, _names(data), run.dataset, steps, corruption, severity)
            # Evaluation reads the images by rows, and in no other way.
            changed = replace(data, images=worse)  # type: ignore[arg-type]
            found = outputs_of(run, model, changed, rows, micro_batch)
            if isinstance(data, ClassificationData):
                table = _image_rows(data, rows, found)
            else:
                table = _volume_rows(data, _arrays(data, found))
            yield f"shifted.{corruption}.{severity}", table


def _names(data: ClassificationData | SegmentationData) -> list[str]:
    """What names each image or slice, whatever else the data set holds."""
    if isinstance(data, ClassificationData):
        return data.items
    return [f"{c.case} {k}" for c in data.cases for k in range(c.stop - c.start)]


def outside(run: RunConfig, folder: str) -> ClassificationData:
    """All images of a folder that no subset of the run's own data set contains.

    For SARS-COV-2 CT the folder is read as one of ``large_covid_ct``, whose sources and stand-ins
    it knows, else as one of the run's own data set; every image is tested, patients stay whole.

    Raises:
        UserError: the folder is not there, or its classes are not those of the run.
    """
    dataset = "large_covid_ct" if run.dataset == "sars_cov2_ct" else run.dataset
    spec = load_datasets()[dataset]
    if tuple(c.slug for c in spec.classes) != run.classes or run.task != "classification":
        raise UserError(
            "the outside data have other classes than the network",
            file=folder,
            found=", ".join(c.slug for c in spec.classes),
            expected=", ".join(run.classes),
        )
    entry = {"source": "local", "folder": folder, "methods": [run.method], "epochs": 1}
    entry |= {"img_size": run.img_size, "batch_size": run.batch_size}
    source = resolve_source(dataset, DatasetRun.model_validate(entry))
    files = open_files(source) if source.entries is None else Files(source.root, source.entries)
    items = source.reader.items(files, source.spec)
    mode = "L" if run.channels == 1 else "RGB"
    side = padded_size(run.img_size)
    images = np.stack([resized(read_picture(files, i.path, mode).image, side) for i in items])
    rows = np.arange(len(items))
    return ClassificationData(
        images=images,
        labels=np.array([run.classes.index(item.label) for item in items], dtype=np.int64),
        items=[item.name for item in items],
        groups=scans(items),
        subsets={"train": rows[:0], "val": rows[:0], "test": rows},
        classes=run.classes,
        img_size=run.img_size,
        data_hash=source.id,
        split_hash="",
    )


def scans(items: list[Item]) -> list[str]:
    """Group of each item: its patient, or the run of successive numbers of its class."""
    found: dict[str, str] = {}
    before: Item | None = None
    for item in sorted(items, key=lambda item: (item.label, item.order)):
        follows = before and (before.label, before.order + 1) == (item.label, item.order)
        if item.patient:
            found[item.name] = f"{item.label}/{item.patient}"
        elif follows and before is not None and item.order >= 0:
            found[item.name] = found[before.name]
        else:
            found[item.name] = item.name
        before = item
    return [found[item.name] for item in items]
