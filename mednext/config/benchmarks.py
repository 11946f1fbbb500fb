"""What is compared: ``benchmarks/{datasets,methods,recipes}.yaml`` as pydantic models."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field

from mednext.config.files import Strict, lookup, parse, read_yaml

Task = Literal["classification", "segmentation"]
Protocol = Literal[
    "paper",
    "grouped",
    "grouped_originals",
    "fold1",
    "overlap_in",
    "overlap_out",
    "cv1",
    "cv2",
    "cv3",
    "cv4",
    "cv5",
]
EVERY_SET: tuple[Protocol, ...] = (
    "paper",
    "grouped",
    "overlap_in",
    "overlap_out",
    "cv1",
    "cv2",
    "cv3",
    "cv4",
    "cv5",
)
"""The protocols that need nothing but items, labels and groups."""
Status = Literal["stated", "ambiguous", "not stated"]
PAPER_SIZE = 224
"""Pixels of the paper's images."""
M = TypeVar("M", bound=BaseModel)


class ClassSpec(Strict):
    """One class (classification) or label (segmentation); its place in the file is its index."""

    slug: str
    name: str
    disease: bool | None = None
    """Classification: is this the diseased class? Both orientations are always reported."""
    folder: str | None = None
    """Classification: the folder of the original delivery."""
    original_label: int | None = None
    """Segmentation: the label's value in the original delivery, where it is not the index."""
    expected: int | None = None
    """Classification: number of images in the complete original."""
    paper_split: tuple[int, int, int] | None = None
    """Table 1: train, val, test images of this class."""


class Typical(Strict):
    """Mean sizes of a segmentation set, for planning before it is there."""

    slices: float = 1.0
    """Per case (patient)."""
    phantom_slices: float = 1.0
    """The same of its phantom."""
    slice_pixels: int = 1
    """Of a slice in its own resolution."""


class DatasetSpec(Strict):
    """One entry of ``benchmarks/datasets.yaml``."""

    name: str
    task: Task
    channels: int
    reference: str
    url: str
    licence: str
    classes: tuple[ClassSpec, ...]
    local_folders: tuple[str, ...]
    """Folder names below ``MEDNEXT_LOCAL`` that are tried, in this order."""
    paper_split_cases: tuple[int, int, int] | None = None
    """Segmentation, Table 1: train, val, test patients."""
    protocols: tuple[Protocol, ...] = EVERY_SET
    """How it can be split."""
    split_files: dict[Protocol, str] = Field(default_factory=dict)
    """Protocol -> official list below ``benchmarks/splits/`` (columns group, subset)."""
    split_seed: int = 0
    duplicate_threshold: float | None = None
    """Classification, protocol ``grouped``: images whose thumbnails correlate above this are one
    group."""
    run_threshold: float | None = None
    """The same for two images with successive numbers in one class, where no patient is known."""
    count_note: str | None = None
    """What to know about the counts of the original."""
    typical: Typical = Typical()
    layout: Literal["class_folders", "pairs"] | None = None
    """Of a user's own data set; the others have readers of their own."""
    split_shares: tuple[float, float, float] | None = None
    """Custom data sets: shares of train, val and test."""
    patient: str | None = None
    """Custom data sets: a regular expression with the patient in its first group."""

    @property
    def num_classes(self) -> int:
        """Classes, or labels with the background."""
        return len(self.classes)


class MethodSpec(Strict):
    """One entry of ``benchmarks/methods.yaml``."""

    task: Task
    constructor: str
    """``package.module:function``; called as ``f(num_classes=, in_chans=, img_size=, **kwargs)``"""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    """Other names of the same network; a run under one of them is a run of this method."""
    printed: dict[str, str] = Field(default_factory=dict)
    """Table number -> the name printed in that table."""
    citation: str
    url: str
    source: str
    """The library the code comes from, with its version, or ``this project``."""
    assumed: str
    """What the paper leaves open and was assumed here."""
    weights: str = ""
    """Published weights that the option ``pretrained`` of ``kwargs`` starts from; empty where there
    are none. The option is off everywhere: the paper does not say what it did."""
    size_multiple: int = 32
    """Height and width must be divisible by this."""
    cost_classes: int | None = None
    """Outputs of the head behind the printed costs, where it is not the task's own; that row of
    ``cost.csv`` carries the verdict."""
    no_gradient: dict[str, str] = Field(default_factory=dict)
    """Parameters that a training step leaves without gradient (a regular expression of their
    names) -> why."""
    cost_note: str = ""
    """Why the measured costs are not the printed ones, as far as it is known."""

    @property
    def family(self) -> str:
        """The module that builds it, without its package: ``mednext``, ``timm_nets``."""
        return self.constructor.partition(":")[0].rpartition(".")[2]


class Setting(Strict):
    """A value of a recipe with its provenance in the paper."""

    value: Any
    status: Status
    line: int | None = None
    """Line of the paper's text that states it."""
    note: str = ""


class Recipe(Strict):
    """How one task is trained; see ``benchmarks/recipes.yaml`` for where each value comes from."""

    optimizer: Setting
    lr: Setting
    betas: Setting
    eps: Setting
    weight_decay: Setting
    schedule: Setting
    warmup_fraction: Setting
    epochs: Setting
    batch_size: Setting
    loss: Setting
    augment: Setting
    normalise: Setting

    def values(self) -> dict[str, Any]:
        """The bare values, by name."""
        return {name: getattr(self, name).value for name in type(self).model_fields}


def benchmarks_dir() -> Path:
    """``benchmarks/`` of the checkout, else the copy inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "benchmarks"
    return checkout if (checkout / "methods.yaml").is_file() else package / "_benchmarks"


def load_map(name: str, model: type[M]) -> dict[str, M]:
    """One file of ``benchmarks/`` by slug."""
    path = benchmarks_dir() / name
    return {slug: parse(model, entry, path) for slug, entry in read_yaml(path).items()}


CUSTOM_DATASETS: dict[str, DatasetSpec] = {}
CUSTOM_METHODS: dict[str, MethodSpec] = {}
"""Of the configuration that this process has loaded (:mod:`mednext.config.custom`)."""


@cache
def _datasets() -> dict[str, DatasetSpec]:
    return load_map("datasets.yaml", DatasetSpec)


@cache
def _methods() -> dict[str, MethodSpec]:
    return load_map("methods.yaml", MethodSpec)


def load_datasets() -> dict[str, DatasetSpec]:
    """``benchmarks/datasets.yaml`` by slug, then the user's own."""
    return _datasets() | CUSTOM_DATASETS


def load_methods() -> dict[str, MethodSpec]:
    """``benchmarks/methods.yaml`` by slug, then the user's own."""
    return _methods() | CUSTOM_METHODS


def reader_module(dataset: str) -> str:
    """The module that reads a data set, by name: its own, or that of its layout."""
    return f"mednext.datasets.{load_datasets()[dataset].layout or dataset}"


def method_slug(name: str, path: str | Path | None = None) -> str:
    """The registered name of a method given by its name or one of its aliases.

    Raises:
        UserError: no method has this name; ``path`` is the file that holds it.
    """
    methods = load_methods()
    names = {alias: slug for slug, spec in methods.items() for alias in (slug, *spec.aliases)}
    known = {alias: methods[slug] for alias, slug in names.items()}
    lookup("method", name, known, path)
    return names[name]


@cache
def load_recipes() -> dict[str, Recipe]:
    """``benchmarks/recipes.yaml`` by task."""
    return load_map("recipes.yaml", Recipe)
