"""Custom data sets and networks, written in the configuration file of a run.

They join the ones of ``benchmarks/`` for the process that has loaded the file, under names of their
own, and pass through the same pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

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
OWNER = "the user's own"


class CustomDataset(Strict):
    """A folder of class folders (classification), or ``images/`` and ``labels/`` with equal file
    names (segmentation).
    """

    task: Task
    classes: tuple[ClassSpec, ...] = Field(min_length=2)
    """Classification: ``folder`` is the class folder (default: the slug). Segmentation: the labels
    in the order of their values, background first."""
    channels: int = Field(default=1, ge=1, le=3)
    """1: read as grey, 3: in colour."""
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, val and test."""
    patient: str | None = None
    """A regular expression whose first group is the patient in a file's name; no patient is then on
    two subsets under the protocol ``grouped`` (segmentation: under both)."""

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
