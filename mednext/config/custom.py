"""Custom data sets and networks, written in the configuration file of a run.

They join the ones of ``benchmarks/`` for the process that has loaded the file, under names of their
own, and pass through the same pipeline.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from unicodedata import normalize

from pydantic import Field, field_validator, model_validator

from mednext.config.benchmarks import (
    CUSTOM_DATASETS,
    CUSTOM_METHODS,
    ClassSpec,
    DatasetSpec,
    MethodSpec,
    Task,
    load_datasets,
    load_methods,
)
from mednext.config.files import Strict
from mednext.errors import UserError

SLUG = r"^[a-z][a-z0-9_]*$"
CLASS_SLUG = r"[^\W_][\w .-]*"
IDLE_IN_SEGMENTATION = ("disease", "expected", "paper_split")
OWNER = "the user's own"


class CustomDataset(Strict):
    """A folder of class folders (classification), or ``images/`` and ``labels/`` with equal file
    names (segmentation).
    """

    task: Task
    classes: tuple[ClassSpec, ...] = Field(min_length=2)
    """Classification: ``folder`` is the class folder (default: the slug). Segmentation: the labels
    0, 1, 2 ..., background first; other values of the files stand in ``original_label``."""
    channels: Literal[1, 3] = 1
    """1: read as grey, 3: in colour."""
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, val and test."""
    patient: str | None = None
    """A regular expression whose first group is the patient in a file's name; no patient is then on
    two subsets under the protocol ``grouped`` (segmentation: under both)."""

    @field_validator("classes", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """Numbers in place of names, as classes called 0 and 1 are written without quotes."""
        if not isinstance(value, list | tuple):
            return value
        return [_class_of_texts(entry) if isinstance(entry, dict) else entry for entry in value]

    @field_validator("split")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        train, val, test = value
        if not (train > 0 and val >= 0 and test > 0 and abs(sum(value) - 1) < 0.01):
            raise ValueError("shares of train, val and test add up to 1; only val may be 0")
        return value

    @field_validator("patient")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = re.compile(value).groups
        except (re.error, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if not groups:
            raise ValueError("a regular expression with the patient in a group, e.g. ^(p[0-9]+)_")
        return value

    @model_validator(mode="after")
    def _classes_are_apart(self) -> CustomDataset:
        images = self.task == "classification"
        idle = ("original_label", "paper_split") if images else ("folder", *IDLE_IN_SEGMENTATION)
        for klass in self.classes:
            if not re.fullmatch(CLASS_SLUG, klass.slug):
                raise ValueError(f"'{klass.slug}': letters, digits, blanks, '_', '-' and '.' only")
            if given := [name for name in idle if getattr(klass, name) is not None]:
                raise ValueError(f"'{given[0]}' has no effect in {self.task}: remove it")
            if klass.folder and not _below(klass.folder):
                raise ValueError(f"'{klass.folder}' is no folder below that of the data set")
        folders = [normalize("NFC", c.folder or c.slug) for c in self.classes] if images else []
        values = [c.original_label for c in self.classes if c.original_label is not None]
        for what, every in (
            ("slug", [c.slug for c in self.classes]),
            ("folder", folders),
            ("original_label", values),
        ):
            if twice := [one for one, count in Counter(every).items() if count > 1]:
                raise ValueError(f"two classes have the {what} '{twice[0]}'")
        if values and len(values) < len(self.classes):
            raise ValueError("'original_label' stands beside every class, or beside none")
        if values and not all(0 <= value < 1 << 16 for value in values):
            raise ValueError("'original_label' is from 0 to 65535")
        if not images and self.channels != 1:
            raise ValueError("'channels' has no effect in segmentation: images are read as grey")
        return self

    def spec(self, slug: str) -> DatasetSpec:
        """The same as an entry of ``datasets.yaml``."""
        classes = self.classes
        if self.task == "classification":
            classes = tuple(c.model_copy(update={"folder": c.folder or c.slug}) for c in classes)
        return DatasetSpec(
            name=slug,
            task=self.task,
            channels=self.channels,
            reference=OWNER,
            url="its owner",
            licence=OWNER,
            classes=classes,
            local_folders=(slug,),
            layout="class_folders" if self.task == "classification" else "pairs",
            split_shares=self.split,
            patient=self.patient,
        )


def _class_of_texts(entry: dict[str, Any]) -> dict[str, Any]:
    texts = {key: entry[key] for key in ("slug", "name", "folder") if key in entry}
    for key, value in texts.items():
        if isinstance(value, bool):
            raise ValueError(f"'{key}' reads as {value} in YAML: put the word in quotes")
        if isinstance(value, int):
            texts[key] = str(value)
    return entry | texts


def _below(folder: str) -> bool:
    path = PurePosixPath(folder)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


class CustomMethod(Strict):
    """A network: a function of a Python file in the working folder, or of an installed package."""

    task: Task
    constructor: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """``module:function``; called as ``f(num_classes=, in_chans=, img_size=, **kwargs)``."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    size_multiple: int = Field(default=1, ge=1)

    def spec(self) -> MethodSpec:
        """The same as an entry of ``methods.yaml``."""
        return MethodSpec(
            task=self.task,
            constructor=self.constructor,
            kwargs=self.kwargs,
            size_multiple=self.size_multiple,
            citation=OWNER,
            url="",
            source=OWNER,
            assumed="nothing",
        )


def register_custom(
    datasets: Mapping[str, CustomDataset], methods: Mapping[str, CustomMethod], path: Path
) -> None:
    """Make the custom data sets and networks of the file ``path`` known to this process.

    Raises:
        UserError: a name is taken by the suite.
    """
    CUSTOM_DATASETS.clear()
    CUSTOM_METHODS.clear()
    taken = {*load_datasets(), *load_methods()}
    taken |= {alias for spec in load_methods().values() for alias in spec.aliases}
    for slug in (*datasets, *methods):
        if slug in taken:
            raise UserError(
                "this name is taken by the suite",
                file=path,
                found=slug,
                expected="a name of your own",
                remedy=f"call it my_{slug}",
            )
    CUSTOM_DATASETS.update({slug: custom.spec(slug) for slug, custom in datasets.items()})
    CUSTOM_METHODS.update({slug: custom.spec() for slug, custom in methods.items()})
    if methods and "" not in sys.path:
        sys.path.append("")  # the working folder, as for `python -m mednext`
