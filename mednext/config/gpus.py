"""The GPUs that a plan prices: ``benchmarks/gpus.yaml``."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from mednext.config.benchmarks import load_map
from mednext.config.files import Strict

LEAST_CAPABILITY = 7.5
"""CUDA 13, which the lock brings, has no code for older GPUs (CUDA Toolkit 13.0 release notes)."""
LEAST_DRIVER = 580
"""The branch of the driver that CUDA 13 needs (the same notes, table of driver versions)."""


class GpuSpec(Strict):
    """One GPU by its data sheet; two operations are one multiply-accumulate."""

    name: str
    compute_capability: float = Field(ge=LEAST_CAPABILITY)
    memory_gb: float = Field(gt=0)
    bandwidth_gbs: float = Field(gt=0)
    """Of its memory, 10^9 bytes per second."""
    vector_tflops: float = Field(gt=0)
    """Single precision without tensor cores."""
    tensor_tflops: dict[Literal["tf32", "bf16", "fp16"], float]
    """Dense peak of the tensor cores by precision; at another the vector peak holds."""
    pcie_gbs: float = Field(gt=0)
    """From the host, one direction."""
    source: str
    """The document that states all this."""

    def peak_tflops(self, precision: str) -> float:
        """Of a large matrix product."""
        found = (peak for name, peak in self.tensor_tflops.items() if name == precision)
        return next(found, self.vector_tflops)


@cache
def load_gpus() -> dict[str, GpuSpec]:
    """``benchmarks/gpus.yaml`` by short name."""
    return load_map("gpus.yaml", GpuSpec)
