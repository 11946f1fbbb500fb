"""In which scale a result was made, and how that differs from the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mednext.config import DatasetRun, Profile, RunConfig, load_recipes, parse
from mednext.config.benchmarks import PAPER_SIZE
from mednext.config.names import class_names
from mednext.layout import RunPaths
from mednext.results import HEADLINE, DatasetRow, read_run


@dataclass(frozen=True)
class Scale:
    """What the runs of one data set and protocol were made with, as their records say; where none
    has been made, what the profile plans."""

    runs: tuple[DatasetRun | RunConfig, ...]
    planned_precision: str
    """Of runs that have not been made."""

    @property
    def phantom(self) -> bool:
        """Made from synthetic data?"""
        return any(run.source == "phantom" for run in self.runs)

    @property
    def limited(self) -> bool:
        """Was less used than there is?"""
        return any(run.limit is not None for run in self.runs)

    @property
    def precision(self) -> str:
        """Of training, validation and prediction."""
        return _either(getattr(run, "precision", self.planned_precision) for run in self.runs)

    def words(self, name: str) -> str:
        """A setting of the runs; where they differ, each value once."""
        return _either(getattr(run, name) for run in self.runs)


def scale_of(profile: Profile, dataset: str, protocol: str = HEADLINE.protocol) -> Scale:
    """The scale of the runs that are there.

    Raises:
        UserError: a record is malformed.
    """
    planned = profile.datasets[dataset]
    axes = [cell for cell in planned.cells(profile.seeds) if cell[0] == protocol]
    files = [RunPaths(profile.profile, dataset, *cell).run_json for cell in axes]
    made = [parse(RunConfig, read_run(f).config, f) for f in files if f.is_file()]
    return Scale(tuple(made) or (planned,), profile.precision)


def scale_difference(scale: Scale, task: str) -> str | None:
    """How runs differ from the paper's scale; None if they do not."""
    recipe = load_recipes()[task]
    parts = ["synthetic data"] if scale.phantom else []
    if any(run.img_size != PAPER_SIZE for run in scale.runs):
        parts.append(f"{scale.words('img_size')} px instead of {PAPER_SIZE}")
    for name in ("epochs", "batch_size"):
        setting = getattr(recipe, name)
        if any(getattr(run, name) != setting.value for run in scale.runs):
            label = name.replace("_", " ")
            assumed = "" if setting.status == "stated" else " (assumed; the paper is silent)"
            parts.append(f"{label} {scale.words(name)} instead of {setting.value}{assumed}")
    if limits := [run.limit for run in scale.runs if run.limit is not None]:
        counts = _either(f"{n.train} train / {n.val} val / {n.test} test" for n in limits)
        parts.append(f"limited to {counts}")
    return "; ".join(parts) or None


def _either(values: Iterable[Any]) -> str:
    return " or ".join(dict.fromkeys(str(value) for value in values))


def data_difference(rows: Sequence[DatasetRow], protocol: str) -> str | None:
    """How the counts of one data set and protocol differ from Table 1; None if they do not.

    Protocol ``paper`` is compared side by side; the others move items between subsets on
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
            who = class_names(row.dataset, [row.klass])[0] if row.klass else "patients"
            parts.append(f"{who} {counts} train / val / test")
    return "; ".join(parts) or None


def describe(scale: Scale, seeds: str, rows: Sequence[DatasetRow]) -> str:
    """Source, size, epochs, precision and amount of data of a profile's runs, in words."""
    text = (
        f"Source {scale.words('source')}; {scale.words('img_size')} px, "
        f"epochs {scale.words('epochs')}, batch size {scale.words('batch_size')}, "
        f"precision {scale.precision}, seeds {seeds}"
    )
    if rows:
        subsets = ("train", "val", "test")
        counts = " / ".join(str(sum(getattr(row, name) for row in rows)) for name in subsets)
        text += f"; {counts} {rows[0].unit} for train / val / test"
    return text
