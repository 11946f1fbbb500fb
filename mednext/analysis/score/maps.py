"""Predictions of a segmenter: label maps named after the cases, compared voxel by voxel."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd

from mednext.analysis.score.places import ARRAYS, Place, find_maps
from mednext.analysis.score.truth import Truth, files_of
from mednext.config import DatasetSpec
from mednext.config.names import target_name
from mednext.datasets.decode import ENDINGS, check_size, read_label_map
from mednext.datasets.labels import class_indices, whole
from mednext.datasets.reader import Files, Volume
from mednext.datasets.volumes import MOST_VOXELS, VOLUMES, open_nifti, readable, upright
from mednext.errors import UserError
from mednext.metrics.segmentation import image_diagonal, organ_counts
from mednext.metrics.surface import hd95_of_organs
from mednext.results import DIAGONALS, DISTANCES

IMAGE = "image"
"""Name of the one array that may lie beside the label map in an npz or h5 file."""
UNREADABLE = "the volume cannot be read"
"""What ``readable`` says, of a data set's file."""
NEAR = 0.01
"""How far two affines may differ, in parts of a voxel."""


def read_maps(folder: Path, truth: Truth) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Counts and distances per case and organ, as ``cases.csv`` of a run has them, and notes.

    A NIfTI label map is turned as its affine says where the truth has one, too; else its axes
    (x, y, slice) are taken as they are stored. Nothing is resampled.

    Args:
        folder: of label maps, or one npz file that holds an array (slice, y, x) per case.
        truth: the test cases; the data set must be here.

    Raises:
        UserError: the first thing that keeps them from being scored.
    """
    files, places = find_maps(folder, truth.cases.case.tolist())
    source = truth.source()
    stored = files_of(source)
    items = {item.name: item for item in source.reader.items(stored, source.spec)}
    if lacking := [case for case in truth.cases.case if case not in items]:
        raise UserError(
            "a test case is not among the data",
            file=source.root,
            found=f"{len(lacking)} cases are missing, e.g. {lacking[0]}",
            remedy="restore the data set",
        )
    rows: list[dict[str, object]] = []
    shapes: dict[str, tuple[int, ...]] = {}
    notes: set[str] = set()
    for case, group in truth.cases.itertuples(index=False):
        item = items[case]
        volume = source.reader.read(item, stored, source.spec)
        assert isinstance(volume, Volume)  # of a segmentation
        shapes[case] = volume.label.shape
        grid = None
        if item.path.lower().endswith(VOLUMES):
            grid = _upright(open_nifti(stored, item.path))
        found = _read(files, places[case], grid, notes)
        file = files.file(places[case].files[0])
        if found.shape != volume.label.shape:
            raise _wrong_shape(found.shape, case, shapes, file)
        found = _classes(found, source.spec, file)
        rows += _rows(case, group, truth.run.classes, volume, found)
    table = pd.DataFrame(rows)
    for organ, counts in table.groupby("organ", sort=False)[["tp", "fp", "fn"]].sum().iterrows():
        if not counts.tp + counts.fp:
            name = target_name(truth.run.dataset, str(organ))
            notes.add(f"no voxel of any case is predicted as {name}")
    if not table[["fp", "fn"]].to_numpy().any():
        notes.add("every voxel equals the truth, as if the truth itself had been given")
    return table, tuple(sorted(notes))


def _read(files: Files, place: Place, truth: nib.Nifti1Image | None, notes: set[str]) -> np.ndarray:
    """(slices, height, width) stored values."""
    name = place.files[0]
    file = files.file(name)
    if name.lower().endswith(VOLUMES):
        return _nifti(files, name, truth, notes)
    if name.lower().endswith(ENDINGS):
        planes = [read_label_map(files, picture)[0] for picture in place.files]
        if len({plane.shape for plane in planes}) > 1:
            raise UserError(
                "the slices of a case differ in size",
                file=file,
                found=", ".join(sorted({str(plane.shape) for plane in planes})),
                expected="one size",
            )
        return np.stack(planes)
    with _as_predicted(file):
        if name.lower().endswith(".npz"):
            with zipfile.ZipFile(files.read(name)) as members:
                total = sum(member.file_size for member in members.infolist())
            check_size(total // 8, MOST_VOXELS, file, "voxels")
            with np.load(files.read(name), allow_pickle=False) as stored:
                values = stored[place.key or _key(stored.files, file)]
        else:
            with h5py.File(files.read(name), "r") as stored:
                array = stored[_key(list(stored), file)]
                if not isinstance(array, h5py.Dataset):
                    raise ValueError(f"{array.name} is a group, not an array")
                check_size(int(array.size or 0), MOST_VOXELS, file, "voxels")
                values = array[()]
    values = np.asarray(values)
    if values.ndim not in (2, 3):
        raise _no_volume(values.shape, "(slice, y, x)", file)
    return values[None] if values.ndim == 2 else values


@contextmanager
def _as_predicted(file: Path) -> Iterator[None]:
    """``readable``, in the words of someone who can write the file again."""
    try:
        with readable(file):
            yield
    except UserError as error:
        if error.what != UNREADABLE:
            raise
        raise UserError(
            "the label map cannot be read",
            file=file,
            found=error.found,
            expected=f"a complete file ({', '.join((*VOLUMES, *ARRAYS))}) of numbers",
            remedy="write the label map again",
        ) from None


def _no_volume(shape: tuple[int, ...], axes: str, file: Path) -> UserError:
    return UserError(
        "the label map is not a volume",
        file=file,
        found=f"shape {shape}",
        expected=f"three axes {axes}",
        remedy="save one label per voxel, not a channel per class, and one case per file",
    )


def _key(names: list[str], file: Path) -> str:
    there = [name for name in names if name != IMAGE]
    if len(there) != 1:
        raise UserError(
            "the file does not say which array is the label map",
            file=file,
            found=", ".join(names) or "no array",
            expected=f"one array, or one beside {IMAGE!r}; another could be the truth",
            remedy="save the predicted label map alone",
        )
    return there[0]


def _nifti(files: Files, name: str, truth: nib.Nifti1Image | None, notes: set[str]) -> np.ndarray:
    file = files.file(name)
    with _as_predicted(file):
        image = open_nifti(files, name)
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3):
        raise _no_volume(image.shape, "(x, y, slice)", file)
    with _as_predicted(file):
        plain = np.asarray(image.dataobj).reshape((*shape, 1)[:3])
    image = nib.Nifti2Image(plain, image.affine)
    if truth is None:
        notes.add("NIfTI axes as stored (x, y, slice): the data set's files have no orientation")
    else:
        image = _upright(image)
        if image.shape == truth.shape:
            _check_place(image, truth, file)
    return np.asarray(image.dataobj).transpose(2, 1, 0)


def _upright(image: nib.Nifti1Image) -> nib.Nifti1Image:
    return upright(image) if len(image.shape) == 3 else image


def _check_place(image: nib.Nifti1Image, truth: nib.Nifti1Image, file: Path) -> None:
    """Refuse a map whose voxels lie elsewhere: it would have been turned wrongly."""
    ends = np.array([[0, 0, 0], np.array(truth.shape[:3]) - 1])
    there, here = (nib.affines.apply_affine(grid.affine, ends) for grid in (truth, image))
    size = float(nib.affines.voxel_sizes(truth.affine).max())
    if not np.abs(there - here).max() <= NEAR * size * max(truth.shape):
        raise UserError(
            "the label map lies elsewhere than the image of its case",
            file=file,
            found=f"corners {here.round(2).tolist()} mm",
            expected=f"{there.round(2).tolist()} mm",
            remedy="save it with the affine of the image",
        )


def _wrong_shape(
    found: tuple[int, ...], case: str, shapes: dict[str, tuple[int, ...]], file: Path
) -> UserError:
    others = [other for other, shape in shapes.items() if shape == found]
    turned = Counter(found) == Counter(shapes[case])
    remedy = "predict at the resolution of the case; nothing is resampled here"
    if turned:
        remedy = "turn its axes to (slice, y, x), of NIfTI (x, y, slice)"
    elif others:
        remedy = f"it has the shape of {others[0]}: are the names right?"
    return UserError(
        "a label map has not the shape of its case",
        file=file,
        found=f"(slices, height, width) {found}",
        expected=f"{shapes[case]} of {case}",
        remedy=remedy,
    )


def _classes(values: np.ndarray, spec: DatasetSpec, file: Path) -> np.ndarray:
    if values.dtype.kind not in "buif":
        raise UserError(
            "a label map does not hold numbers",
            file=file,
            found=f"numpy type {values.dtype}",
            expected="whole numbers, e.g. uint8",
            remedy="write the number of a class into every voxel",
        )
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise UserError(
            "a label map holds NaN",
            file=file,
            found=f"{int(np.isnan(values).sum())} voxels",
            expected="a class in every voxel",
            remedy="write 0 where nothing is found",
        )
    if spec.layout is not None:
        return class_indices(values, spec, file)[0]
    found = whole(values, file)
    if wrong := sorted(set(np.unique(found).tolist()) - set(range(spec.num_classes))):
        raise UserError(
            "a label map holds values that no class has",
            file=file,
            found=", ".join(map(str, wrong[:20])),
            expected=", ".join(f"{k} {c.name}" for k, c in enumerate(spec.classes)),
            remedy="write the number of a class into every voxel",
        )
    return found.astype(np.uint8)


def _rows(
    case: str, group: str, classes: tuple[str, ...], volume: Volume, found: np.ndarray
) -> Iterator[dict[str, object]]:
    """As ``mednext evaluate`` counts; it imports torch, and its code is that of finished runs."""
    spacings = [None, volume.spacing] if volume.spacing else [None]
    distances = np.full((len(classes) - 1, 2, 2), np.nan)
    organs = range(1, len(classes))
    distances[:, : len(spacings)] = hd95_of_organs(volume.label, found, organs, spacings)
    diagonals = [image_diagonal(found.shape), np.nan]
    if volume.spacing:
        diagonals[1] = image_diagonal(found.shape, volume.spacing)
    for value in organs:
        counts = organ_counts(volume.label, found, value)
        yield {
            "case": case,
            "group": group,
            "organ": classes[value],
            "side": "test",
            **dict(zip(("tp", "fp", "fn"), counts, strict=True)),
            **dict(zip(DISTANCES, distances[value - 1].flatten(), strict=True)),
            **dict(zip(DIAGONALS, diagonals, strict=True)),
        }
