"""The scale of a run: one file of ``config/`` as pydantic models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from mednext.config.benchmarks import (
    Protocol,
    Task,
    load_datasets,
    load_methods,
    method_slug,
)
from mednext.config.custom import SLUG, CustomDataset, CustomMethod, register_custom
from mednext.config.files import Strict, lookup, parse, read_yaml
from mednext.config.retired import renamed
from mednext.errors import UserError
from mednext.files import hash_json

SourceKind = Literal["phantom", "local", "official"]
Selection = Literal["last", "best_val", "best_test", "averaged"]
"""Which epoch's weights are judged: ``last`` is the headline; ``best_test`` is chosen by the test
subset itself and only an upper bound of what another choice could have given. ``averaged``: the
mean of the last epochs' weights, a choice that no score takes part in."""
RESERVED = ("audit", "reference")
"""Folders below ``results/`` that are no profile's."""
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""Of products and convolutions alike. ``tf32``: fp32 numbers, of whose factors a GPU takes 10 bits;
``bf16``, ``fp16``: autocast, with weights, sums and losses in fp32."""


class SplitCounts(Strict):
    """Train, validation and test counts: images per class set, or patients."""

    train: int = Field(ge=1)
    val: int = Field(ge=0)
    test: int = Field(ge=1)


class ExtraRuns(Strict):
    """Runs of a data set beyond ``protocols`` x ``methods`` x the profile's seeds."""

    methods: tuple[str, ...] = Field(min_length=1)
    """Some of the data set's methods."""
    protocols: tuple[Protocol, ...] = ("paper",)
    seeds: tuple[int, ...] | None = None
    """None: the profile's."""


class DatasetRun(Strict):
    """How one data set enters a profile."""

    source: SourceKind
    folder: str | None = None
    """Source ``local``: the folder below MEDNEXT_LOCAL; without it the first known one is used."""
    phantom: SplitCounts | None = None
    """Source ``phantom``: how much to generate for each subset (images of both classes, as Table 1
    counts them, or patients)."""
    protocols: tuple[Protocol, ...] = ("paper",)
    methods: tuple[str, ...] = Field(min_length=1)
    img_size: int = Field(ge=32, le=4096)
    in_chans: Literal[1, 3] = 3
    """Channels of the networks; grey images are repeated to three, unless this is 1."""
    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=65_536)
    micro_batch: int | None = Field(default=None, ge=1)
    """Images per forward pass where the batch does not fit the device; None: the whole batch."""
    limit: SplitCounts | None = None
    """Use only so many images (class proportions kept) or patients of each subset."""
    extra_runs: tuple[ExtraRuns, ...] = ()
    """Seeds or protocols that only some of the methods get."""

    def cells(self, seeds: Sequence[int]) -> list[tuple[Protocol, str, int]]:
        """Every run as (protocol, method, seed), each once, in the file's order."""
        first = ExtraRuns(methods=self.methods, protocols=self.protocols)
        return list(
            dict.fromkeys(
                (protocol, method, seed)
                for block in (first, *self.extra_runs)
                for protocol in block.protocols
                for method in block.methods
                for seed in block.seeds or seeds
            )
        )

    @property
    def all_protocols(self) -> tuple[Protocol, ...]:
        """The protocols of all runs, each once."""
        blocks = (self.protocols, *(block.protocols for block in self.extra_runs))
        return tuple(dict.fromkeys(protocol for block in blocks for protocol in block))

    @model_validator(mode="before")
    @classmethod
    def _retired_keys(cls, value: Any) -> Any:
        return renamed(value, {"more": "extra_runs"})

    @model_validator(mode="after")
    def _phantom_has_counts(self) -> DatasetRun:
        if (self.source == "phantom") != (self.phantom is not None):
            raise ValueError(
                "'phantom' (train, val, test) goes with source: phantom, and only there"
            )
        if self.folder is not None and self.source != "local":
            raise ValueError("'folder' goes with source: local, and only there")
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise ValueError("'micro_batch' is a part of 'batch_size' and cannot be larger")
        return self


class FigureCases(Strict):
    """Which test cases the image figures show: ranks in the sorted test set."""

    fig6: tuple[int, ...] = (0,)
    """Of each class of each classification set."""
    fig7: tuple[int, ...] = (0,)
    fig8: tuple[int, ...] = (0,)


class Profile(Strict):
    """One file of ``config/``: the scale of a run."""

    profile: str = Field(pattern=SLUG, max_length=64)
    seeds: tuple[Annotated[int, Field(ge=0, lt=1 << 32)], ...] = Field(min_length=1)
    threads: int = Field(ge=1, le=1024)
    """CPU threads of one training run; part of its identity, since sums depend on it."""
    device: Device = "auto"
    deterministic: bool = True
    precision: Precision = "fp32"
    """Of training, validation and prediction."""
    compile: bool = False
    """torch.compile the networks for training."""
    trainings_per_gpu: int = Field(default=1, ge=1)
    """Processes that share a GPU: small networks do not fill a large one. No part of a run's
    identity."""
    selections: tuple[Selection, ...] = ("last", "best_val")
    averaged_epochs: int | None = Field(default=None, ge=2)
    """How many of the last epochs' weights the selection ``averaged`` is the mean of."""
    datasets: dict[str, DatasetRun] = Field(min_length=1)
    figures: FigureCases = FigureCases()
    custom_datasets: dict[Annotated[str, Field(pattern=SLUG)], CustomDataset] = Field(
        default_factory=dict
    )
    custom_methods: dict[Annotated[str, Field(pattern=SLUG)], CustomMethod] = Field(
        default_factory=dict
    )

    @model_validator(mode="before")
    @classmethod
    def _retired_keys(cls, value: Any) -> Any:
        new = {"own_datasets": "custom_datasets", "own_methods": "custom_methods"}
        return renamed(value, new)

    @field_validator("profile")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError(f"'{value}' is a folder of the suite below results/: take another")
        return value

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("every seed once")
        return value

    @field_validator("selections")
    @classmethod
    def _last_is_the_headline(cls, value: tuple[Selection, ...]) -> tuple[Selection, ...]:
        if "last" not in value:
            raise ValueError("'last' is the headline selection and must be listed")
        return value

    @model_validator(mode="after")
    def _averaged_says_of_how_many(self) -> Profile:
        if ("averaged" in self.selections) != (self.averaged_epochs is not None):
            raise ValueError("'averaged_epochs' goes with the selection 'averaged', and only there")
        for slug, run in self.datasets.items():
            if run.epochs < (self.averaged_epochs or 0):
                raise ValueError(
                    f"averaged_epochs: {self.averaged_epochs} is more than datasets.{slug}.epochs: "
                    f"{run.epochs}"
                )
        return self


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
    """Of the images."""
    in_chans: int = 3
    """Of the network; grey images are repeated to as many."""
    classes: tuple[str, ...]
    epochs: int
    batch_size: int
    micro_batch: int | None = None
    limit: SplitCounts | None
    recipe: dict[str, Any]
    threads: int
    device: Device
    deterministic: bool
    precision: Precision = "fp32"
    compile: bool = False
    selections: tuple[Selection, ...]
    averaged_epochs: int | None = None
    own_code: str | None = None
    """Retired, since ``code_hash`` covers custom networks; here for the stored ``run.json``, whose
    hashes cover it."""

    @property
    def config_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over everything but the profile's name."""
        return self._hash_without("profile")

    @property
    def training_hash(self) -> str:
        """As ``config_hash``, but equal for other protocols: with an equal split hash it is the
        same training."""
        return hash_json(self.model_dump(mode="json", exclude={"profile", "protocol"}))[:16]

    @property
    def setting_hash(self) -> str:
        """As ``config_hash``, but equal for other seeds, threads and devices."""
        return self._hash_without("profile", "seed", "threads", "device")

    def _hash_without(self, *names: str) -> str:
        parts = self.model_dump(mode="json", exclude=set(names))
        if parts["own_code"] is None:  # no part of the identity of the suite's own networks
            del parts["own_code"]
        return hash_json(parts)[:16]

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked_for(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """A key that came later is no part of runs without it, which keep their hashes."""
        values: dict[str, Any] = handler(self)
        for name, default in (("averaged_epochs", None), ("in_chans", 3)):
            if values.get(name, default) == default:
                values.pop(name, None)
        return values


def load_profile(path: str | Path) -> Profile:
    """Read one file of ``config/`` and check it against the benchmarks.

    Raises:
        UserError: unknown key, data set or method, a method of the wrong task, or an image size
            that one of the methods cannot take.
    """
    path = Path(path)
    profile = parse(Profile, read_yaml(path), path)
    register_custom(profile.custom_datasets, profile.custom_methods, path)
    for slug, run in profile.datasets.items():
        dataset = lookup("data set", slug, load_datasets(), path)
        for protocol in set(run.all_protocols) - set(dataset.protocols):
            raise UserError(
                f"'{slug}' has no protocol '{protocol}'",
                file=path,
                found=f"datasets.{slug}.protocols: {protocol}",
                expected=", ".join(dataset.protocols),
            )
        if run.in_chans < dataset.channels:
            raise UserError(
                f"networks of one channel cannot take the colour images of '{slug}'",
                file=path,
                found=f"datasets.{slug}.in_chans: {run.in_chans}",
                expected=f"{dataset.channels}",
                remedy="remove the key, or read your own images as grey ('channels: 1')",
            )
        for name in run.methods:
            method = load_methods()[method_slug(name, path)]
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
        for name in {method for block in run.extra_runs for method in block.methods}:
            if method_slug(name, path) not in {method_slug(n, path) for n in run.methods}:
                raise UserError(
                    "'extra_runs' names a method that the data set does not have",
                    file=path,
                    found=f"datasets.{slug}.extra_runs: {name}",
                    expected=", ".join(run.methods),
                    remedy=f"add '{name}' to datasets.{slug}.methods",
                )
    return profile.model_copy(update={"datasets": _without_aliases(profile.datasets)})


def _without_aliases(datasets: dict[str, DatasetRun]) -> dict[str, DatasetRun]:
    """Every method under its registered name, once."""

    def named(methods: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return {"methods": tuple(dict.fromkeys(method_slug(name) for name in methods))}

    return {
        slug: run.model_copy(
            update={
                **named(run.methods),
                "extra_runs": tuple(b.model_copy(update=named(b.methods)) for b in run.extra_runs),
            }
        )
        for slug, run in datasets.items()
    }
