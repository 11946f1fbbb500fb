"""``cases.<selection>.csv`` of a run: its columns, and the one reader that checks them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.files import read_csv

if TYPE_CHECKING:
    import pandas as pd

DISTANCES = ("hd95_pooled_vox", "hd95_max_vox", "hd95_pooled_mm", "hd95_max_mm")
DIAGONALS = ("diagonal_vox", "diagonal_mm")
NUMBERS = {
    **dict.fromkeys(("row", "label", "prediction", "tp", "fp", "fn"), "int64"),
    **dict.fromkeys(("score_*", *DISTANCES, *DIAGONALS), "float64"),
}
"""Types of the columns that are numbers; all others are names, which may read "nan" or "007"."""
CASE_KEYS = {"classification": ["path"], "segmentation": ["case", "organ"]}
"""Task -> the columns that name a row."""


def case_columns(run: RunConfig) -> list[str]:
    """Every column of the file: one row per image, or per organ of a volume."""
    # "side" as in version 0.1: a repeated run must give the bytes of the stored one.
    if run.task == "classification":
        return ["row", "path", "group", "side", "label", *_scores(run), "prediction"]
    return ["case", "group", "organ", "side", "tp", "fp", "fn", *DISTANCES, *DIAGONALS]


def _scores(run: RunConfig) -> list[str]:
    return [f"score_{k}" for k in range(len(run.classes))]


def read_cases(file: Path, run: RunConfig) -> pd.DataFrame:
    """The counts per case of one run and selection.

    Args:
        file: as ``mednext evaluate`` wrote it.
        run: as ``run.json`` records it: labels and predictions are places in its ``classes``.

    Raises:
        UserError: the run has not been evaluated, or the file is not as it was written.
    """
    if not file.is_file():
        raise UserError("this run has not been evaluated", file=file, remedy="evaluate it first")
    names = [*CASE_KEYS[run.task], "group"]
    numbers = ["tp", "fp", "fn"]
    if run.task == "classification":
        numbers = ["row", "label", "prediction", *_scores(run)]
    try:
        cases = read_csv(file, NUMBERS)
        if lacking := {*names, *numbers} - set(cases.columns):
            raise ValueError(f"no column {', '.join(sorted(lacking))}")
        if empty := [name for name in numbers if cases[name].isna().any()]:
            raise ValueError(f"empty cells in column {empty[0]}")
        for name in {"label", "prediction"} & set(numbers):
            if other := sorted(set(cases[name]) - set(range(len(run.classes)))):
                raise ValueError(f"{name} {other[0]} of {len(run.classes)} classes")
        if len(organs := set(cases.get("organ", ())) - set(run.classes[1:])):
            raise ValueError(f"organ {min(organs)!r} instead of {', '.join(run.classes[1:])}")
    except (ValueError, UserError) as error:
        raise UserError(
            "the counts per case are damaged",
            file=file,
            found=error.found if isinstance(error, UserError) else str(error)[:200],
            expected="the file that 'mednext evaluate' wrote",
            remedy="run 'mednext evaluate' again",
        ) from None
    return cases
