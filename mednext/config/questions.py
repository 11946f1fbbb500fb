"""Questions that were asked before their runs were made: ``benchmarks/wave2.yaml``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mednext.config.benchmarks import Protocol, benchmarks_dir
from mednext.config.files import Strict, parse, read_yaml


class Arm(Strict):
    """One side of a contrast: a method under a protocol, or over the folds of one."""

    method: str
    protocols: tuple[Protocol, ...] = Field(min_length=1)


class Contrast(Strict):
    """``a`` minus ``b`` in accuracy, or in the mean Dice of each patient."""

    dataset: str
    a: Arm
    b: Arm
    primary: bool = True
    """Corrected together with the other primary contrasts of the part."""
    under: str | None = None
    """Condition as ``conditions.csv`` names it, ``external: <folder>`` or ``shifted: mean``; empty
    for the test set as it is."""


class Part(Strict):
    """What one profile of runs is to answer."""

    profile: str
    question: str
    contrasts: tuple[Contrast, ...] = Field(min_length=1)


class Questions(Strict):
    """All parts, and the runs whose variances say what a design can show."""

    pilot: str
    parts: dict[str, Part]


def load_questions(path: Path | None = None) -> Questions:
    """Read ``benchmarks/wave2.yaml``, or another file of this form."""
    path = path or benchmarks_dir() / "wave2.yaml"
    return parse(Questions, read_yaml(path), path)
