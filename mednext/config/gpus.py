"""GPUs that a plan may assume where there is none: ``benchmarks/gpus.yaml``."""

from __future__ import annotations

from functools import cache

from pydantic import Field

from mednext.config.benchmarks import load_map
from mednext.config.files import Strict


class GpuSpec(Strict):
    """One GPU by its data sheet."""

    name: str
    fp32_tflops: float = Field(gt=0)
    """Peak of single precision without tensor cores; two operations are one multiply-accumulate."""
    source: str
    """The document that states it."""

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates per second, in thousand millions."""
        return self.fp32_tflops * 1000 / 2


@cache
def load_gpus() -> dict[str, GpuSpec]:
    """``benchmarks/gpus.yaml`` by short name."""
    return load_map("gpus.yaml", GpuSpec)
