"""Which label map of a folder of predictions belongs to which test case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mednext.analysis.score.truth import nearest
from mednext.datasets.decode import ENDINGS
from mednext.datasets.manifest import list_entries
from mednext.datasets.reader import Files
from mednext.datasets.scan import left_out, normal, scan
from mednext.datasets.volumes import VOLUMES, readable
from mednext.errors import UserError

ARRAYS = (".npz", ".h5")
KNOWN = (*VOLUMES, *ARRAYS, *ENDINGS)
SLICE = re.compile(r"(.+)_slice_?(\d+)")
FORM = (
    "a folder with one label map per case, named after it "
    f"({', '.join((*VOLUMES, *ARRAYS))}, or .png), or one .npz of all"
)


@dataclass(frozen=True)
class Place:
    """Where the predicted label map of one case is."""

    files: tuple[str, ...]
    """One, or one picture per slice."""
    key: str | None = None
    """Its name in an npz file of all cases."""


def find_maps(folder: Path, cases: list[str]) -> tuple[Files, dict[str, Place]]:
    """Which files or arrays belong to which case.

    Args:
        folder: of label maps, or one npz file that holds an array per case.
        cases: names of the test cases.

    Raises:
        UserError: a case has no label map or several, or one is of no case.
    """
    if folder.is_file() and folder.suffix == ".npz":
        files = Files(folder.parent, list_entries(folder.parent, [folder.name]))
        with readable(folder), np.load(folder, allow_pickle=False) as stored:
            found = {name: [Place((folder.name,), name)] for name in stored.files}
        names, others = found, {}
    else:
        if not folder.is_dir():
            what = (
                "one file is not the label maps of all cases"
                if folder.exists()
                else "there are no predictions"
            )
            raise UserError(what, file=folder, expected=FORM, remedy="give their folder")
        listed = scan(folder, KNOWN)
        others = left_out(folder, listed, KNOWN)
        files = Files(folder, list_entries(folder, listed))
        names = _by_case(listed, {_stem(case) for case in cases})
    wanted = {_stem(case): case for case in cases}
    beside = "".join(f"; not read: {number} {what}" for what, number in others.items())
    if not names:
        raise UserError(
            "the folder holds no label map",
            file=folder,
            found=f"none{beside}",
            expected=FORM,
            remedy="give the folder in which they lie, in one of these forms",
        )
    if unknown := sorted(set(names) - set(wanted)):
        near = nearest(unknown[0], wanted)
        raise UserError(
            f"{len(unknown)} of {len(names)} label maps are of no test case",
            file=folder,
            found=", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else ""),
            expected=f"the names of {len(cases)} test cases, e.g. {cases[0]}",
            remedy=f"did you mean {near}?" if near else "keep the test cases alone",
        )
    if missing := sorted(set(wanted) - set(names)):
        raise UserError(
            f"{len(missing)} of {len(cases)} test cases have no label map",
            file=folder,
            found=f"none of {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}{beside}",
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
    slices: dict[str, list[tuple[int, str]]] = {}
    for name in listed:
        stem = _stem(name)
        part = SLICE.fullmatch(stem)
        if part and stem not in stems and name.lower().endswith(ENDINGS):
            slices.setdefault(part[1], []).append((int(part[2]), name))
        else:
            found.setdefault(stem, []).append(Place((name,)))
    for stem, planes in slices.items():
        numbers, pictures = zip(*sorted(planes), strict=True)
        if numbers[0] > 1 or numbers != tuple(range(numbers[0], numbers[0] + len(numbers))):
            raise UserError(
                "slices of a case are missing or doubled",
                found=f"{stem}: {', '.join(map(str, numbers))}",
                expected="every number from 0 or 1 on, once",
                remedy="write one picture per slice",
            )
        found.setdefault(stem, []).append(Place(pictures))
    return found
