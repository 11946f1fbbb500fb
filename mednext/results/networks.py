"""Rows of what networks cost, and of what they do with a signal."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from mednext.results.base import Outcome, Row

CostVerdict = Literal["matches", "near", "off", "not printed"]


class CostRow(Row):
    """One row of ``cost.csv``: one method of one task with one head."""

    later: ClassVar[frozenset[str]] = frozenset({"gmacs_without_maps"})
    method: str
    task: str
    input_shape: str
    """``1x3x224x224``."""
    num_classes: int
    params: int
    gmacs_torch: float
    gmacs_fvcore: float | None
    gmacs_ptflops: float | None
    activations_m: float | None
    uncounted_ops: str | None
    """Counter -> the operations it left out: ``torch: add x3, gelu x2; fvcore: ...``."""
    reported_params_m: float | None
    reported_gmacs: float | None
    verdict_params: CostVerdict | None
    """None in the row of the head that does not carry the verdict."""
    verdict_gmacs: CostVerdict | None
    reason: str | None
    gmacs_without_maps: float | None = None
    """fvcore's count without SEM's linear maps along H and W, of networks that have them."""
    train_batch: int | None = None
    """The recipe's batch size."""
    train_memory_mib: float | None = None
    """Peak of one training step with that batch (fp32, AdamW), without the allocator's overhead."""


def cost_verdict(measured: float, printed: float | None, digits: int) -> CostVerdict:
    """How a measured cost relates to the printed one.

    ``matches``: rounds or truncates to the printed digits; ``near``: within 0.5 %; else ``off``.
    Both are in the printed unit (millions of parameters, GMACs).
    """
    if printed is None:
        return "not printed"
    scale = 10**digits
    # In units of the last printed digit; a tie may be rounded either way.
    units, tiny = measured * scale, 1e-9
    printed_units = round(printed * scale)
    if abs(units - printed_units) <= 0.5 + tiny or printed_units == math.floor(units + tiny):
        return "matches"
    return "near" if abs(measured - printed) <= 0.005 * printed else "off"


CONVENTIONS = {
    "torch": "gmacs_torch",
    "fvcore": "gmacs_fvcore",
    "ptflops": "gmacs_ptflops",
    "fvcore without SEM's axis maps": "gmacs_without_maps",
}
"""Ways of counting multiply-accumulates, and the columns of ``cost.csv`` that hold them."""


class LatencyRow(Outcome):
    """One row of ``latency.csv``: one method in one setting, over all rounds."""

    method: str
    device: Literal["cpu", "cuda"]
    mode: Literal["eager", "compiled", "folded"]
    threads: int
    dtype: Literal["fp32", "tf32", "bf16"]
    memory_format: Literal["channels_last"]
    batch: int
    """Smaller than asked for where memory did not suffice; the reason says so."""
    input_shape: str
    median_ms: float | None
    """Of single runs, each waited for."""
    iqr_ms: float | None
    p95_ms: float | None
    images_per_s: float | None
    """Of runs that follow one another without a wait; on a CPU the batch over ``median_ms``."""
    peak_memory_mib: float | None
    """Of the device, or of the whole process on a CPU."""
    repeats: int
    busy: bool
    """Others took CPU time meanwhile, or used the GPU."""
    env_hash: str
    gpu_clock_mhz: int | None = None
    """Of the multiprocessors, right behind the runs; the lowest of all rounds."""
    gpu_throttled: bool | None = None
    """Did power or heat hold the clock down in any round?"""
    gpu_other_processes: int | None = None
    """The most that used the GPU beside this one."""


class SignalRow(Row):
    """One row of a dead-signal report: one part of one MED block (``mednext models signal``)."""

    method: str
    dataset: str
    """``noise`` for random images."""
    protocol: str | None
    seed: int
    weights: Literal["initial", "last"]
    images: int
    img_size: int
    module: str
    part: str
    channels: int
    positions: int
    branch_std: float
    """Of the part's output over the images; constants do not count."""
    stream_std: float
    """The same of the residual stream."""
    ratio: float
    grad_rms: float
    """Of the loss over the part's weights."""
    weight_rms: float


class ProbeRow(Row):
    """One row of ``probes.csv``: one sample of an untrained network's output."""

    method: str
    position: int
    value: float
