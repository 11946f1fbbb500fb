"""How much is checked, and the runs that are checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from mednext.config import (
    Profile,
    RunConfig,
    Task,
    load_datasets,
    load_methods,
    load_recipes,
)

PRECISIONS = ("fp32", "tf32", "bf16")
DATASET: dict[Task, str] = {"classification": "sars_cov2_ct", "segmentation": "acdc"}
"""Whose classes, channels and recipe the runs have."""
BATCH: dict[Task, int] = {"classification": 32, "segmentation": 12}
"""Of the paper's settings."""


@dataclass(frozen=True)
class Scale:
    """Sizes of all checks."""

    methods: tuple[str, ...]
    """That take a step and are compared with the CPU."""
    small: int
    """Image size there; the least that every method takes is 64."""
    repeated: tuple[str, ...]
    """Whose deterministic steps must repeat."""
    steps: int
    timed: tuple[str, ...]
    """Whose throughput is measured."""
    large: int
    """Image size there."""
    batch: int | None
    """Images per step there; None: the paper's."""
    seconds: float
    """About, of each throughput."""
    processes: tuple[int, ...]
    """At once on one GPU."""
    matrix: int
    """Side of the matrices whose product tells the peak."""


SHARED = ("mednext", "resnet18", "medunext", "unet")
TIMED = ("mednext", "resnet18", "vit", "swin_v2", "mlp_mixer", "medunext", "unet")


def full() -> Scale:
    """For a GPU: every method, and the paper's own sizes where time is measured."""
    return Scale(tuple(load_methods()), 64, SHARED, 10, TIMED, 224, None, 2.0, (1, 2, 4, 8), 8192)


TINY = Scale(("mednext",), 64, ("resnet18",), 2, ("resnet18",), 32, 4, 0.05, (1, 2), 128)
"""For the CPU: the same checks, to try their logic."""


def run_of(method: str, device: str, precision: str, **changes: Any) -> RunConfig:
    """A run of ``method`` on made-up images."""
    spec = load_methods()[method]
    dataset = DATASET[spec.task]
    facts = load_datasets()[dataset]
    values: dict[str, Any] = {
        "profile": "gpu_check",
        "source": "phantom",
        "source_id": "phantom-check",
        "task": spec.task,
        "dataset": dataset,
        "protocol": "paper",
        "method": method,
        "method_kwargs": spec.kwargs,
        "constructor": spec.constructor,
        "seed": 0,
        "img_size": 224,
        "channels": facts.channels,
        "classes": tuple(c.slug for c in facts.classes),
        "epochs": 2,
        "batch_size": BATCH[spec.task],
        "limit": None,
        "recipe": load_recipes()[spec.task].values(),
        "threads": 1,
        "device": device,
        "deterministic": False,
        "precision": precision,
        "selections": ("last",),
    }
    return RunConfig.model_validate({**values, **changes})


@cache
def training_profile(device: str) -> Profile:
    """Four epochs of MedNeXt on a few phantoms: long enough to be killed in between."""
    run = {
        "source": "phantom",
        "phantom": {"train": 16, "val": 4, "test": 4},
        "methods": ["mednext"],
        "img_size": 32,
        "epochs": 4,
        "batch_size": 8,
    }
    return Profile.model_validate(
        {
            "profile": "gpu_check",
            "seeds": [0],
            "threads": 1,
            "device": device,
            "deterministic": True,
            "datasets": {"sars_cov2_ct": run},
        }
    )
