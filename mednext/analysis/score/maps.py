"""Predictions of a segmenter: label maps named after the cases, compared voxel by voxel."""

from __future__ import annotations

import difflib
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd

from mednext.analysis.score.truth import Truth, files_of
from mednext.config import DatasetSpec
from mednext.datasets.decode import ENDINGS, check_size, read_label_map
from mednext.datasets.labels import class_indices, whole
from mednext.datasets.manifest import list_entries
from mednext.datasets.reader import Files, Volume
from mednext.datasets.scan import normal, scan
from mednext.datasets.volumes import MOST_VOXELS, VOLUMES, open_nifti, readable, upright
from mednext.errors import UserError
from mednext.metrics.segmentation import image_diagonal, organ_counts
from mednext.metrics.surface import hd95_of_organs
from mednext.results import DIAGONALS, DISTANCES

ARRAYS = (".npz", ".h5")
KNOWN = (*VOLUMES, *ARRAYS, *ENDINGS)
KEYS = ("label", "prediction")
"""Names of the array in an npz or h5 file that holds several."""
SLICE = re.compile(r"(.+)_slice_?(\d+)")
FORM = f"one label map per case, named after it ({', '.join((*VOLUMES, *ARRAYS))}, or .png)"
NEAR = 0.01
"""How far two affines may differ, in parts of a voxel."""


@dataclass(frozen=True)
class Place:
    """Where the predicted label map of one case is."""

    files: tuple[str, ...]
    """One, or one picture per slice."""
    key: str | None = None
    """Its name in an npz file of all cases."""


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
    files, places = _find(folder, truth.cases.case.tolist())
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
    return pd.DataFrame(rows), tuple(sorted(notes))


def _find(folder: Path, cases: list[str]) -> tuple[Files, dict[str, Place]]:
    """Which files or arrays belong to which case."""
    if folder.is_file() and folder.suffix == ".npz":
        files = Files(folder.parent, list_entries(folder.parent, [folder.name]))
        with readable(folder), np.load(folder, allow_pickle=False) as stored:
            found = {name: [Place((folder.name,), name)] for name in stored.files}
        names = found
    else:
        if not folder.is_dir():
            raise UserError("there are no predictions", file=folder, expected=FORM)
        listed = scan(folder, KNOWN)
        files = Files(folder, list_entries(folder, listed))
        names = _by_case(listed, {_stem(case) for case in cases})
    wanted = {_stem(case): case for case in cases}
    if not names:
        raise UserError("the folder holds no label map", file=folder, found="none", expected=FORM)
    if unknown := sorted(set(names) - set(wanted)):
        near = difflib.get_close_matches(unknown[0], wanted, n=1, cutoff=0.6)
        raise UserError(
            f"{len(unknown)} label maps are of no test case",
            file=folder,
            found=", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else ""),
            expected=f"the names of {len(cases)} test cases, e.g. {cases[0]}",
            remedy=f"did you mean {near[0]}?" if near else "keep the test cases alone",
        )
    if missing := sorted(set(wanted) - set(names)):
        raise UserError(
            f"{len(missing)} of {len(cases)} test cases have no label map",
            file=folder,
            found=f"none of {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}",
            expected=FORM,
            remedy="predict these cases, too",
        )
    for stem, several in names.items():
        if len(several) > 1:
            raise UserError(
                "a case has two label maps",
                file=folder,
                found=", ".join(place.files[0] for place in several),
                expected=f"one of {wanted[stem]}",
                remedy="remove one of them",
            )
    return files, {wanted[stem]: place for stem, (place,) in names.items()}


def _stem(name: str) -> str:
    ending = next((end for end in KNOWN if name.lower().endswith(end)), "")
    return normal(name[: len(name) - len(ending)])


def _by_case(listed: list[str], stems: set[str]) -> dict[str, list[Place]]:
    """Stem -> its label maps; the pictures of its slices, in their order, are one."""
    found: dict[str, list[Place]] = {}
    slices: dict[str, dict[int, str]] = {}
    for name in listed:
        stem = _stem(name)
        part = SLICE.fullmatch(stem)
        if part and stem not in stems and name.lower().endswith(ENDINGS):
            slices.setdefault(part[1], {})[int(part[2])] = name
        else:
            found.setdefault(stem, []).append(Place((name,)))
    for stem, planes in slices.items():
        first = min(planes)
        if first > 1 or sorted(planes) != list(range(first, first + len(planes))):
            raise UserError(
                "slices of a case are missing",
                found=f"{stem}: {', '.join(map(str, sorted(planes)))}",
                expected="every number from 0 or 1 on",
                remedy="write one picture per slice",
            )
        ordered = tuple(planes[k] for k in sorted(planes))
        found.setdefault(stem, []).append(Place(ordered))
    return found


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
    with readable(file):
        if name.lower().endswith(".npz"):
            with zipfile.ZipFile(files.read(name)) as members:
                total = sum(member.file_size for member in members.infolist())
            check_size(total // 8, MOST_VOXELS, file, "voxels")
            with np.load(files.read(name), allow_pickle=False) as stored:
                values = stored[place.key or _key(stored.files, file)]
        else:
            with h5py.File(files.read(name), "r") as stored:
                array = stored[_key(list(stored), file)]
                check_size(int(array.size or 0), MOST_VOXELS, file, "voxels")
                values = array[()]
    values = np.asarray(values)
    return values[None] if values.ndim == 2 else values


def _key(names: list[str], file: Path) -> str:
    there = [name for name in names if name in KEYS] or names
    if len(there) != 1:
        raise UserError(
            "the file does not say which array is the label map",
            file=file,
            found=", ".join(names) or "no array",
            expected=f"an array named {' or '.join(KEYS)}, or one alone",
            remedy="save the label map alone",
        )
    return there[0]


def _nifti(files: Files, name: str, truth: nib.Nifti1Image | None, notes: set[str]) -> np.ndarray:
    image, file = open_nifti(files, name), files.file(name)
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3):
        raise UserError(
            "the label map is not a volume",
            file=file,
            found=f"shape {image.shape}",
            expected="three axes (x, y, slice)",
            remedy="save one label per voxel, not a channel per class",
        )
    with readable(file):
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
