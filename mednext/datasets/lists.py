"""Make ``benchmarks/splits/*.csv`` from the lists that their authors publish.

The lists are files of other repositories, reduced here to one row per patient or case, in the order
of their names: group, subset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mednext.datasets.monkeypox_msld import FOLD, FOLD_SUBSETS, NAME
from mednext.errors import UserError
from mednext.files import read_csv, sha256_file, write_csv, write_text
from mednext.layout import local_root

Rows = Iterator[tuple[str, str]]


def acdc_paper(root: Path) -> Rows:
    """``acdc/{train,val,test}.list`` of HiLab-git/SSL4MIS: ``patient001_frame01``."""
    for subset in ("train", "val", "test"):
        for line in _lines(root / "acdc" / f"{subset}.list"):
            yield line.split("_")[0], subset


def synapse_paper(root: Path) -> Rows:
    """``synapse-lists/{train,test_vol}.txt`` of Beckschen/TransUNet: ``case0005_slice000``."""
    for subset, name in (("train", "train.txt"), ("test", "test_vol.txt")):
        for line in _lines(root / "synapse-lists" / name):
            yield line.split("_")[0], subset


def monkeypox_fold1(root: Path) -> Rows:
    """Names below ``Fold1`` in the list of all files of the data set."""
    file = root / "monkeypox-skin-lesion-dataset" / "original_file_list.csv"
    _lines(file)
    for path in read_csv(file).path:
        if path.startswith(f"{FOLD}/"):
            part, _, name = path.removeprefix(f"{FOLD}/").split("/")
            match = NAME.fullmatch(name)
            if match is None:
                raise UserError(
                    "a name of Fold1 is not known",
                    file=file,
                    found=name,
                    expected="M01_01_00.jpg",
                    remedy="get the list again",
                )
            yield match[1], FOLD_SUBSETS[part]


LISTS = {
    "acdc_paper": acdc_paper,
    "synapse_paper": synapse_paper,
    "monkeypox_fold1": monkeypox_fold1,
}


def write_lists(out: Path) -> None:
    """Write every list and ``SHA256SUMS`` below ``out`` from the files below ``MEDNEXT_LOCAL``.

    Raises:
        UserError: a published list is missing, or has one patient in two subsets.
    """
    for name, rows in LISTS.items():
        subsets: dict[str, str] = {}
        for group, subset in rows(local_root()):
            if subsets.setdefault(group, subset) != subset:
                raise UserError(
                    f"the list {name} has one group in two subsets",
                    file=local_root(),
                    found=f"{group} in {subsets[group]} and {subset}",
                    expected="one subset",
                    remedy="get the published list again",
                )
        order = ("train", "val", "test")
        table = sorted(subsets.items(), key=lambda row: (order.index(row[1]), row[0]))
        write_csv(out / f"{name}.csv", pd.DataFrame(table, columns=["group", "subset"]))
    sums = [f"{sha256_file(out / f'{name}.csv')}  {name}.csv" for name in sorted(LISTS)]
    write_text(out / "SHA256SUMS", "\n".join(sums) + "\n")


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        raise UserError(
            "a published list is missing",
            file=file,
            remedy="get it from the repository that benchmarks/splits/README.md names",
        )
    return file.read_text(encoding="utf-8").split()
