"""What training and evaluation read: memory-mapped arrays and the rows of each subset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.config import RunConfig, SplitCounts
from mednext.datasets.columns import INDEX
from mednext.datasets.prepare import prepared_key
from mednext.datasets.seeds import stream
from mednext.datasets.splits import proportional
from mednext.datasets.subsets import SUBSETS, read_split, split_hash
from mednext.errors import UserError
from mednext.files import read_csv, sha256_file
from mednext.layout import DataPaths


@dataclass(frozen=True)
class ClassificationData:
    """Images (N, C, P, P) uint8, P = 8/7 of the training size; labels (N,) int64."""

    images: np.ndarray
    labels: np.ndarray
    items: list[str]
    groups: list[str]
    subsets: dict[str, np.ndarray]
    classes: tuple[str, ...]
    img_size: int
    data_hash: str
    split_hash: str


@dataclass(frozen=True)
class Case:
    """One volume: rows ``start:stop`` of the slices, spacing (z, y, x) in mm if it is known."""

    case: str
    patient: str
    frame: str
    start: int
    stop: int
    shape: tuple[int, int, int]
    offset: int
    spacing: tuple[float, float, float] | None


@dataclass(frozen=True)
class SegmentationData:
    """Slices (N, S, S): float32 images and uint8 labels of the training size; native volumes."""

    images: np.ndarray
    labels: np.ndarray
    native_images: np.ndarray
    native_labels: np.ndarray
    cases: list[Case]
    subsets: dict[str, list[int]]
    classes: tuple[str, ...]
    img_size: int
    data_hash: str
    split_hash: str

    def volume(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        """Image (D, H, W) float32 and label (D, H, W) uint8 in native resolution."""
        span = slice(case.offset, case.offset + int(np.prod(case.shape)))
        images, labels = self.native_images[span], self.native_labels[span]
        return images.reshape(case.shape), labels.reshape(case.shape)

    def plane(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and label (H, W) of the slice of one row, in native resolution."""
        case = next(c for c in self.cases if c.start <= row < c.stop)
        image, label = self.volume(case)
        return image[row - case.start], label[row - case.start]

    def rows(self, subset: str) -> np.ndarray:
        """Rows of all slices of a subset, in the order of its cases."""
        spans = [np.arange(self.cases[i].start, self.cases[i].stop) for i in self.subsets[subset]]
        return np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)


def load(run: RunConfig) -> ClassificationData | SegmentationData:
    """Open the prepared arrays of a run; nothing is decoded or copied.

    Raises:
        UserError: the data set has not been prepared or split.
    """
    paths = DataPaths(run.source_id, run.dataset)
    folder = paths.prepared(prepared_key(run.dataset, run.img_size))
    split_file = paths.split(run.protocol)
    for file, step in ((folder / "meta.json", "prepare"), (split_file, "split")):
        if not file.is_file():
            raise UserError(
                "the data set is not ready", file=file, remedy=f"run 'mednext datasets {step}'"
            )
    data_hash = json.loads((folder / "meta.json").read_text())["data_hash"]
    table = read_split(split_file)
    table["subset"] = limited(table, run.limit, run.task, run.dataset)
    digests = (data_hash, split_hash(split_file))
    if run.task == "classification":
        return _classification(run, folder, table, *digests)
    return _segmentation(run, folder, table, *digests)


def mapped(file: Path) -> np.ndarray:
    """One prepared array, mapped into memory.

    Raises:
        UserError: it is gone or cut short.
    """
    try:
        array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(file, str(error)) from None
    return array


def check_prepared(run: RunConfig) -> None:
    """Refuse prepared arrays whose content is not what was written, before a training.

    Raises:
        UserError: a file is gone or has changed.
    """
    paths = DataPaths(run.source_id, run.dataset)
    meta = paths.prepared_meta(prepared_key(run.dataset, run.img_size))
    for name, digest in json.loads(meta.read_text())["files"].items():
        file = meta.parent / name
        found = sha256_file(file) if file.is_file() else "no file"
        if found != digest:
            raise _damaged(file, found)


def _damaged(file: Path, found: str) -> UserError:
    return UserError(
        "a prepared array is damaged",
        file=file,
        found=found,
        expected="the file that 'mednext datasets prepare' wrote",
        remedy="run 'mednext datasets prepare' again",
    )


def limited(
    table: pd.DataFrame, limit: SplitCounts | None, task: str, dataset: str
) -> pd.Series[str]:
    """The ``subset`` column with everything above ``limit`` set to ``unused``.

    Images are drawn at random in the proportion of the classes, patients at random.
    """
    subset = table.subset.copy()
    if limit is None:
        return subset
    unit = "item" if task == "classification" else "group"
    for name in SUBSETS:
        members = table[table.subset == name]
        strata = [m for _, m in members.groupby("label")]
        if unit == "group":
            strata = [members.drop_duplicates("group")]
        sizes = [len(s) for s in strata]
        wanted = min(int(getattr(limit, name)), sum(sizes))
        counts = proportional(wanted, sizes) if sum(sizes) else []
        kept: set[str] = set()
        for stratum, count in zip(strata, counts, strict=True):
            order = stream("limit", dataset, name).permutation(sorted(stratum[unit]))
            kept.update(order[:count].tolist())
        subset[(table.subset == name) & ~table[unit].isin(kept)] = "unused"
    return subset


def _classification(
    run: RunConfig, folder: Path, table: pd.DataFrame, data_hash: str, split_hash: str
) -> ClassificationData:
    codes = {slug: index for index, slug in enumerate(run.classes)}
    return ClassificationData(
        images=mapped(folder / "images.npy"),
        labels=table.label.map(codes).to_numpy(np.int64),
        items=table.item.tolist(),
        groups=table.group.tolist(),
        subsets={s: table.row[table.subset == s].to_numpy(np.int64) for s in SUBSETS},
        classes=run.classes,
        img_size=run.img_size,
        data_hash=data_hash,
        split_hash=split_hash,
    )


def _segmentation(
    run: RunConfig, folder: Path, table: pd.DataFrame, data_hash: str, split_hash: str
) -> SegmentationData:
    cases = [
        Case(
            case=str(v.item),
            patient=str(v.patient),
            frame=str(v.frame),
            start=int(v.start),
            stop=int(v.start + v.depth),
            shape=(int(v.depth), int(v.height), int(v.width)),
            offset=int(v.offset),
            spacing=None
            if np.isnan(v.spacing_z)
            else (float(v.spacing_z), float(v.spacing_y), float(v.spacing_x)),
        )
        for v in read_csv(folder / "index.csv", INDEX).itertuples()
    ]
    return SegmentationData(
        images=mapped(folder / "slices_image.npy"),
        labels=mapped(folder / "slices_label.npy"),
        native_images=mapped(folder / "volumes_image.npy"),
        native_labels=mapped(folder / "volumes_label.npy"),
        cases=cases,
        subsets={s: table.row[table.subset == s].tolist() for s in SUBSETS},
        classes=run.classes,
        img_size=run.img_size,
        data_hash=data_hash,
        split_hash=split_hash,
    )
