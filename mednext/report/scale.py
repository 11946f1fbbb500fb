"""In which scale a result was made, and how that differs from the paper's."""

from __future__ import annotations

from collections.abc import Sequence

from mednext.config import DatasetRun, load_recipes
from mednext.results import DatasetRow

PAPER_SIZE = 224


def scale_difference(run: DatasetRun, task: str) -> str | None:
    """How a run differs from the paper's scale; None if it does not."""
    recipe = load_recipes()[task]
    parts = []
    if run.source == "phantom":
        parts.append("synthetic data")
    if run.img_size != PAPER_SIZE:
        parts.append(f"{run.img_size} px instead of {PAPER_SIZE}")
    for name in ("epochs", "batch_size"):
        setting = getattr(recipe, name)
        if getattr(run, name) != setting.value:
            label = name.replace("_", " ")
            assumed = "" if setting.status == "stated" else " (assumed; the paper is silent)"
            parts.append(f"{label} {getattr(run, name)} instead of {setting.value}{assumed}")
    if run.limit is not None:
        limit = run.limit
        parts.append(f"limited to {limit.train} train / {limit.val} val / {limit.test} test")
    return "; ".join(parts) or None


def data_difference(rows: Sequence[DatasetRow], protocol: str) -> str | None:
    """How the counts of one data set and protocol differ from Table 1; None if they do not.

    Protocol ``paper`` is compared side by side; the others move items between the sides on
    purpose, so there only the total counts.
    """
    if not rows:
        return "the amount of data is not known"
    parts = [f"stand-in data: {rows[0].stand_in}"] if rows[0].stand_in else []
    for row in rows:
        ours = (row.train, row.val, row.test)
        printed = (row.printed_train or 0, row.printed_val or 0, row.printed_test or 0)
        if (ours != printed) if protocol == "paper" else (sum(ours) != sum(printed)):
            counts = " / ".join(map(str, ours)) + " instead of " + " / ".join(map(str, printed))
            parts.append(f"{row.klass or 'patients'} {counts} train / val / test")
    return "; ".join(parts) or None


def describe(run: DatasetRun, seeds: str, rows: Sequence[DatasetRow]) -> str:
    """Source, image size, epochs and amount of data of a profile's runs, in words."""
    text = (
        f"Source {run.source}; {run.img_size} px, epochs {run.epochs}, "
        f"batch size {run.batch_size}, seeds {seeds}"
    )
    if rows:
        sides = (sum(getattr(row, side) for row in rows) for side in ("train", "val", "test"))
        counts = " / ".join(str(count) for count in sides)
        text += f"; {counts} {rows[0].unit} for train / val / test"
    return text
