"""Large COVID-19 CT scan slice data set (Maftouni et al. 2021): slices of seven public sources.

Original delivery: ``curated_data/curated_data/{1NonCOVID,2COVID,3CAP}/*.png`` and three tables that
are not UTF-8, ``meta_data_{normal,covid,cap}.csv`` (``File name``, ``Patient ID``, ...), beside the
folders or above them. The paper leaves 3CAP out.

Two other layouts are accepted as stand-ins, never as the data set: ``CT_COVID``, ``CT_NonCOVID``
with the patient tables of UCSD-AI4H/COVID-CT (one of the seven sources), and ``COVID``,
``NonCOVID`` with numbered slices (no patient table; successive numbers are one scan).

The content of a file decides its format, not its ending. Names may hold ``%`` and may be the same
in two classes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd

from mednext.config import DatasetSpec
from mednext.datasets.decode import ENDINGS, read_picture
from mednext.datasets.images import class_files
from mednext.datasets.reader import Files, Item, Picture
from mednext.errors import UserError
from mednext.files import read_csv

BASES = ("curated_data/curated_data", "curated_data", ".")
NUMBERED = re.compile(r"(\D*)(\d+)\.\w+")


@dataclass(frozen=True)
class Table:
    """A patient table: its file and the names of its columns."""

    file: str
    name: str
    patient: str
    diagnosis: tuple[str, str] | None = None
    """Column and value that every row must have."""


@dataclass(frozen=True)
class Layout:
    """One way the images may lie: folder and table per class."""

    folders: dict[str, str]
    tables: dict[str, Table]
    stand_in: str | None


ORIGINAL = Layout(
    {"normal": "1NonCOVID", "covid19": "2COVID"},
    {
        "normal": Table(
            "meta_data_normal.csv", "File name", "Patient ID", ("COVID-19 Infection", "Normal")
        ),
        "covid19": Table(
            "meta_data_covid.csv", "File name", "Patient ID", ("COVID-19 Infection", "COVID-19")
        ),
    },
    None,
)
STAND_INS = (
    Layout(
        {"normal": "CT_NonCOVID", "covid19": "CT_COVID"},
        {
            "normal": Table("NonCOVID-CT-MetaInfo.csv", "image name", "patient id"),
            "covid19": Table("COVID-CT-MetaInfo.xlsx", "File name", "Patient ID"),
        },
        "UCSD-AI4H/COVID-CT, one of the seven sources",
    ),
    Layout(
        {"normal": "NonCOVID", "covid19": "COVID"},
        {},
        "CT slices of undocumented origin",
    ),
)


def list_files(root: Path, spec: DatasetSpec) -> list[str]:
    """Images of both classes, then the tables.

    Raises:
        UserError: no known layout is there, or a folder or table of it is missing.
    """
    layout, base = _found(lambda folder: (root / folder).is_dir(), root)
    prefix = "" if base == "." else f"{base}/"
    folders = {c.slug: f"{prefix}{layout.folders[c.slug]}" for c in spec.classes}
    found = class_files(root, folders, {c.slug: c.expected for c in spec.classes})
    for table in layout.tables.values():
        places = [f"{base}/{table.file}", f"{Path(base).parent.as_posix()}/{table.file}"]
        places = [Path(p).as_posix() for p in (*places, table.file)]
        there = [p for p in places if (root / p).is_file()]
        if not there:
            raise UserError(
                "a patient table is missing",
                file=root / places[0],
                found="no such file beside or above the images",
                expected=f"columns {table.name}, {table.patient}",
                remedy="copy the data set's tables beside its folders",
            )
        found.append(there[0])
    return found


def _found(is_there: Callable[[str], bool], root: Path) -> tuple[Layout, str]:
    """The layout of which at least one class folder is there, and the folder they lie in."""
    for layout in (ORIGINAL, *STAND_INS):
        for base in BASES if layout is ORIGINAL else (".",):
            if any(is_there(Path(base, f).as_posix()) for f in layout.folders.values()):
                return layout, base
    raise UserError(
        "the folder does not hold the data set",
        file=root,
        found="no folder of a class",
        expected=f"{BASES[0]}/ with 1NonCOVID and 2COVID",
        remedy="unpack the data set again, keeping its folders",
    )


def _layout_of(paths: list[str], root: Path = Path()) -> Layout:
    folders = {Path(p).parent.as_posix() for p in paths}
    return _found(lambda folder: folder in folders, root)[0]


def items(files: Files, spec: DatasetSpec) -> list[Item]:
    """Every image with its class and its patient, as far as a table names one.

    Raises:
        UserError: a table cannot be read, has a row of another class, or gives one image to two
            patients.
    """
    layout = _layout_of(files.paths, files.root)
    slugs = {folder: slug for slug, folder in layout.folders.items()}
    patients = {
        slug: _patients(files, next(p for p in files.paths if Path(p).name == table.file), table)
        for slug, table in layout.tables.items()
    }
    images = [p for p in files.paths if p.lower().endswith(ENDINGS)]
    if not layout.tables:
        scans = _scans(images)
        return [Item(p, p, slugs[Path(p).parent.name], scans[p]) for p in images]
    found = []
    for path in images:
        slug = slugs[Path(path).parent.name]
        found.append(Item(path, path, slug, patients[slug].get(_stem(Path(path).name), "")))
    return found


def _stem(name: str) -> str:
    """The name without its ending: some rows of the tables lack it."""
    name = name.strip()
    ending = next((e for e in ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def _patients(files: Files, path: str, table: Table) -> dict[str, str]:
    """Name without ending -> patient."""
    columns = [table.name, table.patient, *(table.diagnosis or ())[:1]]
    try:
        rows = _rows(files.read(path), path)[columns].dropna()
    except (UserError, ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            "the patient table cannot be read",
            file=files.file(path),
            found=error.found if isinstance(error, UserError) else str(error),
            expected=f"columns {', '.join(columns)}",
            remedy="copy the original table again",
        ) from None
    found: dict[str, str] = {}
    for name, patient, *diagnosis in rows.itertuples(index=False):
        if table.diagnosis and diagnosis[0].strip() != table.diagnosis[1]:
            raise UserError(
                "the patient table has a row of another class",
                file=files.file(path),
                found=f"{name}: {diagnosis[0]}",
                expected=table.diagnosis[1],
                remedy="copy the original table again",
            )
        if found.setdefault(_stem(name), patient.strip()) != patient.strip():
            raise UserError(
                "the patient table gives one image to two patients",
                file=files.file(path),
                found=f"{name}: {found[_stem(name)]} and {patient}",
                expected="one patient per image",
                remedy="copy the original table again",
            )
    return found


def _rows(content: BytesIO, path: str) -> pd.DataFrame:
    if path.endswith(".xlsx"):
        return pd.read_excel(content, dtype=str)
    # Latin-1 reads any byte; the tables hold some that are not UTF-8.
    return read_csv(content, encoding="latin-1").replace("", None)


def _scans(images: list[str]) -> dict[str, str]:
    """Image -> name of its run of successive numbers within one folder and one kind of name."""
    numbered: dict[tuple[str, str], list[tuple[int, str]]] = {}
    scans = {}
    for path in images:
        match = NUMBERED.fullmatch(Path(path).name)
        if match:
            key = (Path(path).parent.name, match[1])
            numbered.setdefault(key, []).append((int(match[2]), path))
        else:
            scans[path] = ""
    for (folder, kind), members in numbered.items():
        start = previous = -1
        for number, path in sorted(members):
            start = number if start < 0 or number != previous + 1 else start
            previous = number
            scans[path] = f"{folder}/{kind}{start}"
    return scans


def read(item: Item, files: Files, spec: DatasetSpec) -> Picture:
    """Decode one image as 8-bit grey."""
    return read_picture(files, item.path, "L")


def stand_in(paths: list[str]) -> str | None:
    """What the files are, if they are not the data set itself."""
    return _layout_of(paths).stand_in
