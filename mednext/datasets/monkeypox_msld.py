"""Monkeypox Skin Lesion Dataset v1 (Ali et al. 2022, arXiv:2207.03342): photographs of skin.

Original delivery, folders doubled or tripled by the archive:
``Original Images/Original Images/{Monkey Pox,Others}/M01_01.jpg``,
``Augmented Images/Augmented Images/{Monkeypox_augmented,Others_augmented}/M01_01_00.jpg`` (14 of
each photograph), ``Fold1/Fold1/Fold1/{Train,Val,Test}/{Monkeypox,Others}/`` and
``Monkeypox_Dataset_metadata.csv`` (``ImageID,Label`` of the photographs). The patient is the number
in the name: ``M01``, ``NM01``.

Of Fold1 only the names are used: its augmented images bear the names of ``Augmented Images``, but
most have other bytes. A part of the patients may be missing, a part of a patient's images may not.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from mednext.config import DatasetSpec
from mednext.datasets.decode import ENDINGS, read_picture
from mednext.datasets.images import class_files
from mednext.datasets.reader import Files, Item, Picture
from mednext.datasets.scan import scan
from mednext.errors import UserError
from mednext.files import read_csv

NAME = re.compile(r"((N?M)\d+)_\d+(_\d\d)?\.jpg")
PHOTOGRAPHS = "Original Images/Original Images"
AUGMENTED = "Augmented Images/Augmented Images"
FOLD = "Fold1/Fold1/Fold1"
METADATA = "Monkeypox_Dataset_metadata.csv"
COPIES = 14
# Each class has another folder name in each part of the delivery.
FOLDERS = {"other": "Others", "monkeypox": "Monkey Pox"}
FOLD_FOLDERS = {"other": "Others", "monkeypox": "Monkeypox"}
PREFIXES = {"other": "NM", "monkeypox": "M"}
PRINTED = {"other": "Non Monkeypox", "monkeypox": "Monkeypox"}
FOLD_SUBSETS = {"Train": "train", "Val": "val", "Test": "test"}


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Augmented images, photographs, the table, and Fold1 where it is there.

    Raises:
        UserError: a class folder is missing or empty, or the table is missing.
    """
    expected = {c.slug: c.expected for c in spec.classes}
    found = class_files(root, {c.slug: f"{AUGMENTED}/{c.folder}" for c in spec.classes}, expected)
    photographs = {c.slug: f"{PHOTOGRAPHS}/{FOLDERS[c.slug]}" for c in spec.classes}
    found += class_files(
        root, photographs, {k: v // COPIES if v else v for k, v in expected.items()}
    )
    if not (root / METADATA).is_file():
        raise UserError(
            "the table of the photographs is missing",
            file=root / METADATA,
            found="no such file",
            expected="columns ImageID, Label",
            remedy="unpack the data set again",
        )
    for part in FOLD_SUBSETS:
        for klass in spec.classes:
            folder = f"{FOLD}/{part}/{FOLD_FOLDERS[klass.slug]}"
            if (root / folder).is_dir():
                found += [f"{folder}/{name}" for name in scan(root / folder, ENDINGS)]
    return [*found, METADATA]


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """Augmented images, then photographs, each with its patient and its subset in Fold1.

    Raises:
        UserError: a name or a class that does not fit, a photograph without its 14 copies or the
            other way round, a patient in two subsets of Fold1.
    """
    labels = _labels(files)
    folders = {f"{AUGMENTED}/{c.folder}": (c.slug, "augmented") for c in spec.classes}
    folders |= {f"{PHOTOGRAPHS}/{FOLDERS[c.slug]}": (c.slug, "original") for c in spec.classes}
    subsets = _fold_subsets(files)
    found = []
    for path in files.paths:
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            continue
        slug, part = folders[folder]
        match = NAME.fullmatch(name)
        if not match or match[2] != PREFIXES[slug] or bool(match[3]) != (part == "augmented"):
            raise UserError(
                "the name does not belong into this folder",
                file=files.file(path),
                found=name,
                expected=f"{PREFIXES[slug]}01_01{'_00' if part == 'augmented' else ''}.jpg",
                remedy="remove the file, or copy the original folder again",
            )
        if labels.get(_photograph(name)) != PRINTED[slug]:
            raise UserError(
                "the table does not have this photograph in this class",
                file=files.file(path),
                found=f"{_photograph(name)}: {labels.get(_photograph(name), 'not listed')}",
                expected=PRINTED[slug],
                remedy=f"copy {METADATA} and the image folders of one version",
            )
        subset = subsets.get(match[1], "")
        photograph = _photograph(name)
        found.append(
            Item(path, path, slug, match[1], photograph=photograph, part=part, subset=subset)
        )
    _check_copies(found, files)
    if subsets and not all(i.subset for i in found):
        lost = next(i for i in found if not i.subset)
        raise UserError(
            f"Fold1 does not hold patient {lost.patient}",
            file=files.root / FOLD,
            found=f"no image of {lost.patient}",
            expected="all patients of the other folders",
            remedy="copy Fold1 again, or remove it: the authors' list is known",
        )
    return found


def _photograph(name: str) -> str:
    """``M01_02`` of ``M01_02.jpg`` and of ``M01_02_13.jpg``."""
    return "_".join(name.removesuffix(".jpg").split("_")[:2])


def _labels(files: Files) -> dict[str, str]:
    try:
        table = read_csv(files.read(METADATA), encoding="latin-1")
        return dict(zip(table.ImageID.str.strip(), table.Label.str.strip(), strict=True))
    except (UserError, AttributeError, ValueError) as error:
        raise UserError(
            "the table of the photographs cannot be read",
            file=files.file(METADATA),
            found=error.found if isinstance(error, UserError) else str(error),
            expected="columns ImageID, Label",
            remedy="copy the original file again",
        ) from None


def _fold_subsets(files: Files) -> dict[str, str]:
    """Patient -> subset in the Fold1 folder; empty where it is not there."""
    subsets: dict[str, str] = {}
    for path in files.paths:
        if not path.startswith(f"{FOLD}/"):
            continue
        part, _, name = path.removeprefix(f"{FOLD}/").split("/")
        match = NAME.fullmatch(name)
        patient = match[1] if match else ""
        if subsets.setdefault(patient, FOLD_SUBSETS[part]) != FOLD_SUBSETS[part] or not match:
            raise UserError(
                "Fold1 has a patient in two subsets" if match else "a name of Fold1 is not known",
                file=files.file(path),
                found=f"{name} in {part}",
                expected=subsets[patient] if match else "M01_01_00.jpg",
                remedy="copy Fold1 again, or remove it: the authors' list is known",
            )
    return subsets


def _check_copies(found: list[Item], files: Files) -> None:
    copies = Counter(_photograph(i.path.split("/")[-1]) for i in found if i.part == "augmented")
    photographs = {_photograph(i.path.split("/")[-1]) for i in found if i.part == "original"}
    for name in sorted(photographs | set(copies)):
        if name not in photographs or copies[name] != COPIES:
            raise UserError(
                f"the images of {name} are not complete",
                file=files.root,
                found=f"{int(name in photographs)} photograph, {copies[name]} augmented images",
                expected=f"1 photograph, {COPIES} augmented images",
                remedy="copy all images of this photograph, or remove all of them",
            )


def read(item: Item, files: Files, spec: DatasetSpec) -> Picture:
    """Decode one image in colour."""
    return read_picture(files, item.path, "RGB")


def stand_in(paths: list[str]) -> str | None:
    """Nothing stands in for this set."""
    return None
