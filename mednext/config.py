"""Everything a person may configure, as pydantic models: ``config/*.yaml`` (the scale of a run) and
``benchmarks/*.yaml`` (what is compared).

Every file is complete in itself; nothing merges, and an unknown key is an error. Errors name the
file, the key, the value found and the remedy.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mednext.errors import UserError
from mednext.files import hash_json

Task = Literal["classification", "segmentation"]
SourceKind = Literal["phantom", "local", "official"]
Protocol = Literal["paper", "grouped"]
Selection = Literal["last", "best_val"]
Device = Literal["auto", "cpu", "cuda"]
Status = Literal["stated", "ambiguous", "not stated"]


class Strict(BaseModel):
    """Unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------- benchmarks/datasets.yaml


class ClassSpec(Strict):
    """One class (classification) or label (segmentation); its place in the file is its index."""

    slug: str
    name: str
    disease: bool | None = None
    """Classification: is this the diseased class? Both orientations are always reported."""
    folder: str | None = None
    """Classification: the folder of the original delivery."""
    expected: int | None = None
    """Classification: number of images in the complete original."""
    paper_split: tuple[int, int, int] | None = None
    """Table 1: train, val, test images of this class."""


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
    paper_split_file: str | None = None
    """Official list below ``benchmarks/splits/`` (columns group, side)."""
    split_seed: int = 0
    duplicate_threshold: float | None = None
    """Classification, protocol ``grouped``: images whose thumbnails correlate above this are one
    group."""

    @property
    def num_classes(self) -> int:
        """Classes, or labels with the background."""
        return len(self.classes)


# ---------------------------------------------------------------- benchmarks/methods.yaml


class MethodSpec(Strict):
    """One entry of ``benchmarks/methods.yaml``."""

    task: Task
    constructor: str
    """``package.module:function``; called as ``f(num_classes=, in_chans=, img_size=, **kwargs)``"""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    printed: dict[str, str] = Field(default_factory=dict)
    """Table number -> the name printed in that table."""
    citation: str
    url: str
    source: str
    """The library the code comes from, with its version, or ``this project``."""
    assumed: str
    """What the paper leaves open and was assumed here."""
    pretrained: bool = False
    size_multiple: int = 32
    """Height and width must be divisible by this."""
    cost_classes: int | None = None
    """Outputs of the head behind the printed costs, where it is not the task's own; that row of
    ``cost.csv`` carries the verdict."""
    cost_note: str = ""
    """Why the measured costs are not the printed ones, as far as it is known."""


# ---------------------------------------------------------------- benchmarks/recipes.yaml


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


# ---------------------------------------------------------------- config/*.yaml


class SplitCounts(Strict):
    """Train, validation and test counts: images per class set, or patients."""

    train: int = Field(ge=1)
    val: int = Field(ge=0)
    test: int = Field(ge=1)


class DatasetRun(Strict):
    """How one data set enters a profile."""

    source: SourceKind
    folder: str | None = None
    """Source ``local``: the folder below MEDNEXT_LOCAL; without it the first known one is used."""
    phantom: SplitCounts | None = None
    """Source ``phantom``: how much to generate, per side (images of both classes, or patients)."""
    protocols: tuple[Protocol, ...] = ("paper",)
    methods: tuple[str, ...] = Field(min_length=1)
    img_size: int = Field(ge=32)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    limit: SplitCounts | None = None
    """Use only so many images (class proportions kept) or patients of each side."""

    @model_validator(mode="after")
    def _phantom_has_counts(self) -> DatasetRun:
        if (self.source == "phantom") != (self.phantom is not None):
            raise ValueError(
                "'phantom' (train, val, test) goes with source: phantom, and only there"
            )
        if self.folder is not None and self.source != "local":
            raise ValueError("'folder' goes with source: local, and only there")
        return self


class FigureCases(Strict):
    """Which test cases the image figures show: ranks in the sorted test set."""

    fig6: tuple[int, ...] = (0, 1)
    fig8: tuple[int, ...] = (0,)


class Profile(Strict):
    """One file of ``config/``: the scale of a run."""

    profile: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    seeds: tuple[int, ...] = Field(min_length=1)
    threads: int = Field(ge=1)
    """CPU threads of one training run; part of its identity, since sums depend on it."""
    device: Device = "auto"
    deterministic: bool = True
    selections: tuple[Selection, ...] = ("last", "best_val")
    datasets: dict[str, DatasetRun] = Field(min_length=1)
    figures: FigureCases = FigureCases()

    @field_validator("selections")
    @classmethod
    def _last_is_the_headline(cls, value: tuple[Selection, ...]) -> tuple[Selection, ...]:
        if "last" not in value:
            raise ValueError("'last' is the headline selection and must be listed")
        return value


class RunConfig(Strict):
    """One training run, fully resolved: equal values give equal results on one machine."""

    profile: str
    source: SourceKind
    source_id: str
    task: Task
    dataset: str
    protocol: Protocol
    method: str
    method_kwargs: dict[str, Any]
    constructor: str
    seed: int
    img_size: int
    channels: int
    classes: tuple[str, ...]
    epochs: int
    batch_size: int
    limit: SplitCounts | None
    recipe: dict[str, Any]
    threads: int
    device: Device
    deterministic: bool
    selections: tuple[Selection, ...]

    @property
    def config_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over everything but the profile's name."""
        return hash_json(self.model_dump(mode="json", exclude={"profile"}))[:16]


# ---------------------------------------------------------------- loading

M = TypeVar("M", bound=BaseModel)


def benchmarks_dir() -> Path:
    """``benchmarks/`` of the checkout, else the copy inside the installed package."""
    package = Path(__file__).resolve().parent
    checkout = package.parent / "benchmarks"
    return checkout if (checkout / "methods.yaml").is_file() else package / "_benchmarks"


def read_yaml(path: Path) -> Any:
    """Parse one YAML file; a missing or malformed one is a :class:`UserError`."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("the file does not exist", file=path, remedy="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError("not valid YAML", file=path, found=str(error)) from None


def parse(model: type[M], value: Any, path: Path) -> M:
    """Validate ``value`` as ``model``; the first problem becomes one clear message."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(top level)"
        remedy = None
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, first["loc"][:-1])
            close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            remedy = f"{hint}known keys here: {', '.join(known)}"
            what = f"unknown key '{where}'"
        else:
            what = f"bad value at '{where}'"
        raise UserError(
            what, file=path, found=repr(first["input"])[:200], expected=first["msg"], remedy=remedy
        ) from None


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The field names of the (sub)model that ``loc`` points into."""
    current: Any = model
    for part in loc:
        fields = getattr(current, "model_fields", {})
        annotation = fields[part].annotation if part in fields else current
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        current = models[0] if models else current
    return sorted(getattr(current, "model_fields", {}))


def _load_map(name: str, model: type[M]) -> dict[str, M]:
    path = benchmarks_dir() / name
    return {slug: parse(model, entry, path) for slug, entry in read_yaml(path).items()}


@cache
def load_datasets() -> dict[str, DatasetSpec]:
    """``benchmarks/datasets.yaml`` by slug."""
    return _load_map("datasets.yaml", DatasetSpec)


@cache
def load_methods() -> dict[str, MethodSpec]:
    """``benchmarks/methods.yaml`` by slug."""
    return _load_map("methods.yaml", MethodSpec)


@cache
def load_recipes() -> dict[str, Recipe]:
    """``benchmarks/recipes.yaml`` by task."""
    return _load_map("recipes.yaml", Recipe)


def lookup(kind: str, slug: str, known: dict[str, M], path: str | Path | None = None) -> M:
    """``known[slug]``, or a :class:`UserError` that lists what exists and the nearest match."""
    if slug in known:
        return known[slug]
    close = difflib.get_close_matches(slug, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "use one of the known names"
    raise UserError(
        f"unknown {kind}", file=path, found=slug, expected=", ".join(sorted(known)), remedy=hint
    )


def load_profile(path: str | Path) -> Profile:
    """Read one file of ``config/`` and check it against the benchmarks.

    Raises:
        UserError: unknown key, data set or method, a method of the wrong task, or an image size
            that one of the methods cannot take.
    """
    path = Path(path)
    profile = parse(Profile, read_yaml(path), path)
    for slug, run in profile.datasets.items():
        dataset = lookup("data set", slug, load_datasets(), path)
        for name in run.methods:
            method = lookup("method", name, load_methods(), path)
            if method.task != dataset.task:
                raise UserError(
                    f"'{name}' is a {method.task} method and '{slug}' a {dataset.task} data set",
                    file=path,
                    found=name,
                    expected=f"a {dataset.task} method",
                )
            if run.img_size % method.size_multiple:
                lower = run.img_size // method.size_multiple * method.size_multiple
                raise UserError(
                    f"'{name}' cannot take images of this size",
                    file=path,
                    found=f"datasets.{slug}.img_size = {run.img_size}",
                    expected=f"a multiple of {method.size_multiple}",
                    remedy=f"use {lower or method.size_multiple} or {lower + method.size_multiple}",
                )
    return profile
