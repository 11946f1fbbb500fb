"""Synapse multi-organ CT (BTCV, syn3193805): 30 abdomens, 8 of 13 labelled organs.

Two layouts are read:

- the original: ``RawData/Training/{img/img0001.nii.gz,label/label0001.nii.gz}`` (also below
  ``Abdomen/``), Hounsfield units, labels 0 to 13. As TransUNet does it (Chen et al. 2021,
  arXiv:2102.04306), intensities are clipped to [-125, 275] and scaled to [0, 1] per volume, and the
  labels of datasets.yaml become 1 to 8, the others background. The affine turns every volume to
  axes (slice, y, x) with x to the patient's left, y to the back, slices upwards.
- TransUNet's: ``train_npz/case0005_slice000.npz`` and ``test_vol_h5/case0001.npy.h5`` (also below
  ``data/Synapse/`` or ``converted/``), with ``image`` and ``label`` in that form; no spacing.

Cases that are none of the 30 are a stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from mednext.config import DatasetSpec, benchmarks_dir, load_datasets
from mednext.datasets.reader import Files, Item, Volume
from mednext.datasets.scan import scan
from mednext.datasets.volumes import (
    VOLUMES,
    check_finite,
    checked,
    open_nifti,
    read_h5,
    read_npz,
    readable,
    same_grid,
    spacing_of,
    upright,
    voxels,
)
from mednext.errors import UserError
from mednext.files import read_csv

LOWEST, HIGHEST = -125.0, 275.0
ORIGINAL_LABELS = range(14)
NIFTI_BASES = ("RawData/Training", "Abdomen/RawData/Training", "Training")
TRANSUNET_BASES = (".", "data/Synapse", "converted")
IMAGE = re.compile(r"img(\d{4})\.nii(\.gz)?")
SLICE = re.compile(r"(case\d{4})_slice(\d{3})\.npz")
VOLUME = re.compile(r"(case\d{4})\.npy\.h5")


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Images and labels, or slices and volumes.

    Raises:
        UserError: neither layout is there.
    """
    for base in NIFTI_BASES:
        found = [f"{base}/img/{n}" for n in scan(root / base / "img", VOLUMES) if n[:3] == "img"]
        found += [f"{base}/label/{name}" for name in scan(root / base / "label", VOLUMES)]
        if found:
            return sorted(found)
    for base in TRANSUNET_BASES:
        places = {"train_npz": (".npz",), "test_vol_h5": (".h5",)}
        found = [
            Path(base, folder, name).as_posix()
            for folder, endings in places.items()
            for name in scan(root / base / folder, endings)
        ]
        if found:
            return sorted(found)
    raise UserError(
        "the folder holds no Synapse volume",
        file=root,
        expected=f"{NIFTI_BASES[0]}/img/img0001.nii.gz or train_npz/ and test_vol_h5/",
        remedy="unpack the data set again, keeping its folders",
    )


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """One volume per case, by case number.

    Raises:
        UserError: an image without its label or the other way round, slices missing between
            others, a case in both forms, a name that is not known.
    """
    nifti = any(p.endswith(VOLUMES) for p in files.paths)
    found = sorted(_nifti_items(files) if nifti else _transunet_items(files), key=lambda i: i.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            raise UserError(
                "a case is there twice",
                file=files.file(one.path),
                found=f"{one.path}, {other.path}",
                expected="one volume per case, for training or for testing",
                remedy="remove one of them",
            )
    return found


def _nifti_items(files: Files) -> Iterator[Item]:
    pairs: dict[str, list[str]] = {}
    for path in files.paths:
        image = path.replace("/label/label", "/img/img")
        match = IMAGE.fullmatch(Path(image).name)
        if not match:
            raise _unknown(files, path, "img0001.nii.gz or label0001.nii.gz")
        pairs.setdefault(image.removesuffix(".gz"), []).append(path)
    for image, paths in pairs.items():
        if sorted(Path(p).parent.name for p in paths) != ["img", "label"]:
            other = Path(paths[0]).as_posix()
            swap = ("/img/img", "/label/label")
            other = other.replace(*(swap if swap[0] in other else swap[::-1]))
            raise UserError(
                "an image lacks its label, or a label its image",
                file=files.file(paths[0]),
                found=", ".join(paths),
                expected=f"{paths[0]} and {other}",
                remedy="copy both original files again",
            )
        match = IMAGE.fullmatch(Path(image).name)
        assert match is not None  # matched above
        case, (image, label) = f"case{match[1]}", sorted(paths)
        yield Item(image, case, patient=case, more=(label,))


def _transunet_items(files: Files) -> Iterator[Item]:
    slices: dict[str, list[tuple[int, str]]] = {}
    for path in files.paths:
        name = Path(path).name
        one, whole = SLICE.fullmatch(name), VOLUME.fullmatch(name)
        if one:
            slices.setdefault(one[1], []).append((int(one[2]), path))
        elif whole:
            yield Item(path, whole[1], patient=whole[1], subset="test")
        else:
            raise _unknown(files, path, "case0005_slice000.npz or case0001.npy.h5")
    for case, members in slices.items():
        numbers, paths = zip(*sorted(members), strict=True)
        if case in _listed() and list(numbers) != list(range(len(numbers))):
            raise UserError(
                f"slices of {case} are missing",
                file=files.file(paths[0]),
                found=f"{len(numbers)} slices, the last is {numbers[-1]}",
                expected="all slices from 000 on",
                remedy="copy the case again",
            )
        yield Item(paths[0], case, patient=case, subset="train", more=paths[1:])


def _unknown(files: Files, path: str, expected: str) -> UserError:
    return UserError(
        "the name is not known",
        file=files.file(path),
        found=Path(path).name,
        expected=expected,
        remedy="remove the file if it does not belong to the data set",
    )


def read(item: Item, files: Files, spec: DatasetSpec) -> Volume:
    """Read and check one volume, in the form that TransUNet prepares."""
    file = files.file(item.path)
    meaning = ", ".join(f"{value} {c.name}" for value, c in enumerate(spec.classes))
    labels = range(spec.num_classes)
    if item.path.endswith(".npz"):
        image, label = _stacked(item, files)
        return checked(image, label, None, labels, meaning, file)
    if item.path.endswith(".h5"):
        return checked(*read_h5(files, item.path), None, labels, meaning, file)
    (label_path,) = item.more
    grid, truth = open_nifti(files, item.path), open_nifti(files, label_path)
    same_grid(grid, truth, files, item.path, label_path)
    if len(grid.shape) != 3:
        raise UserError(
            "not a volume",
            file=file,
            found=f"shape {grid.shape}",
            expected="three axes",
            remedy="copy the original file again",
        )
    with readable(file):
        spacing = spacing_of(grid)
        grid, truth = upright(grid), upright(truth)
    hounsfield = voxels(files, item.path, grid, np.float32).transpose(2, 1, 0)
    check_finite(hounsfield, file)
    original = voxels(files, label_path, truth, np.float32).transpose(2, 1, 0)
    known = "the 13 organs of the original as 1 to 13, 0 background"
    volume = checked(
        scaled(hounsfield), original, spacing, ORIGINAL_LABELS, known, file, files.file(label_path)
    )
    return Volume(volume.image, eight_of_13(volume.label, spec), volume.spacing)


def scaled(hounsfield: np.ndarray) -> np.ndarray:
    """Clipped to [-125, 275], then scaled so that the volume's own extremes are 0 and 1."""
    clipped = np.clip(hounsfield, LOWEST, HIGHEST)
    low, high = float(clipped.min()), float(clipped.max())
    return np.asarray((clipped - low) / max(high - low, 1e-6), dtype=np.float32)


def eight_of_13(label: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    """The labels of datasets.yaml in place of the original's; what it does not list is 0."""
    table = np.zeros(len(ORIGINAL_LABELS), dtype=np.uint8)
    for value, klass in enumerate(spec.classes):
        if klass.original_label is not None:
            table[klass.original_label] = value
    return table[label]


def _stacked(item: Item, files: Files) -> tuple[np.ndarray, np.ndarray]:
    images, labels = [], []
    for path in (item.path, *item.more):
        image, label = read_npz(files, path)
        images.append(image)
        labels.append(label)
        if images[-1].shape != images[0].shape or labels[-1].shape != images[-1].shape:
            raise UserError(
                "image and label have different shapes",
                file=files.file(path),
                found=f"image {images[-1].shape}, label {labels[-1].shape}",
                expected=f"{images[0].shape}, as in the first slice",
                remedy="copy the original file again",
            )
    return np.stack(images), np.stack(labels)


def _listed() -> set[str]:
    """The 30 cases."""
    name = load_datasets()["synapse"].split_files["paper"]
    return set(read_csv(benchmarks_dir() / "splits" / name).group)


def stand_in(paths: list[str]) -> str | None:
    """What the files are, if a case is none of the 30."""
    cases = set()
    for path in paths:
        number = re.match(r"(?:img|label|case)(\d{4})", Path(path).name)
        cases.add(f"case{number[1]}" if number else path)
    strange = sorted(cases - _listed())
    return f"{len(strange)} cases that are not Synapse's, e.g. {strange[0]}" if strange else None
