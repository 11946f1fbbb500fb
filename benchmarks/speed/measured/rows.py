"""The settings that are measured, and the lines of CSV that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mednext.results import Outcome, Row, Status

FOLDER = Path(__file__).resolve().parents[1]
ENGINES_FILE, PROFILE_FILE, PREDICTING_FILE = "engines.csv", "profile.csv", "predicting.csv"
PACKAGES = {
    "torch": "torch",
    "torch.compile": "torch",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
}
"""Engine -> the package that brings it."""
Work = Literal["prediction", "training step"]
TARGETS: dict[tuple[Work, str, int, int], float] = {
    ("prediction", "torch", 2, 1): 1.30,
    ("prediction", "torch", 2, 16): 1.35,
    ("training step", "torch", 2, 16): 1.55,
}
"""Work, engine, threads, batch -> the ratio that was aimed at."""


@dataclass(frozen=True)
class Setting:
    """One process."""

    engine: str
    threads: int
    batch: int
    rounds: int
    folder: str
    """Of the ONNX files, which are written once."""
    work: Work = "prediction"
    img_size: int = 224


class EngineRow(Outcome):
    """One line of ``engines.csv``: medians and quartiles over ``n`` rounds, ratios within one."""

    work: Work
    engine: str
    version: str | None = None
    threads: int
    batch: int
    img_size: int
    n: int = 0
    mednext_ms: float | None = None
    mednext_q1: float | None = None
    mednext_q3: float | None = None
    resnet18_ms: float | None = None
    resnet18_q1: float | None = None
    resnet18_q3: float | None = None
    ratio: float | None = None
    ratio_q1: float | None = None
    ratio_q3: float | None = None
    target: float | None = None
    busy_cores: float | None = None
    """CPU time that others took per second."""
    cpu: str | None = None
    flops_ratio: float | None = None
    """Counted, not timed, for torch alone: the others fuse what they like."""
    bytes_ratio: float | None = None
    """Of memory read and written, each map once per operation."""
    gflops_per_s: float | None = None
    """Measured beside the networks: a matrix product."""
    gbytes_per_s: float | None = None
    """A copy of a map, read and written."""
    mednext_memory_ms: float | None = None
    """If nothing but memory took time, at that rate."""
    resnet18_memory_ms: float | None = None
    mednext_limit_ms: float | None = None
    """If each operation took as long as the slower of its memory and its arithmetic."""
    resnet18_limit_ms: float | None = None


class ProfileRow(Row):
    """One line of ``profile.csv``: an operation of torch within one pass."""

    work: Work
    network: str
    threads: int
    batch: int
    operation: str
    ms: float


class StreamRow(Outcome):
    """One line of ``predicting.csv``: ``mednext predict`` on a folder."""

    images: int
    img_size: int
    seconds: float | None = None
    """Wall time of the whole command."""
    cpu_seconds: float | None = None
    peak_mib: float | None = None
    """Of its resident memory."""
    cores: int | None = None
    busy_cores: float | None = None
    """CPU time that others took per second."""
    cpu: str | None = None


def row_of(setting: Setting, status: Status, **values: Any) -> EngineRow:
    """A row of one setting."""
    what: Any = {"work": setting.work, "engine": setting.engine}
    what |= {"threads": setting.threads, "batch": setting.batch}
    return EngineRow(
        **what,
        img_size=setting.img_size,
        status=status,
        target=TARGETS.get((setting.work, setting.engine, setting.threads, setting.batch)),
        **values,
    )
