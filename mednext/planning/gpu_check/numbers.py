"""Peaks of the device, a step of every method, and its logits beside the CPU's in float64."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from mednext.config import RunConfig
from mednext.planning.gpu_check.scale import PRECISIONS, Scale, run_of
from mednext.planning.microbenchmark import random_data
from mednext.training.batches import train_batches
from mednext.training.device import fresh_network, prepare_torch
from mednext.training.step import Stepper

TOLERANCE = {"fp32": 1e-4, "tf32": 5e-3, "bf16": 3e-2}
"""Largest error of a logit over the largest logit."""
TENSOR_CORES = 1.5
"""A product in TF32 must be so many times faster than in fp32, else the setting has no effect."""
IMAGES = 2
Found = tuple[str, dict[str, Any], str | None]
"""What was looked at, the values found, and what is wrong with them."""


def synchronise(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def rate(work: Any, device: str, least: float = 0.2) -> float:
    """Calls per second, back to back, after a warm-up."""
    for _ in range(3):
        work()
    synchronise(device)
    calls, begun = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() - begun < least:
        work()
        calls += 1
        if device == "cuda" and calls % 10 == 0:
            torch.cuda.synchronize()
    synchronise(device)
    return calls / (time.perf_counter() - begun)


def peaks(device: str, scale: Scale) -> Iterator[Found]:
    """TFLOPS of a large product in each precision, GB/s of a large copy."""
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        prepare_torch(run_of("resnet18", device, precision))
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a = torch.rand(scale.matrix, scale.matrix, device=device, dtype=dtype)
        out = torch.empty_like(a)
        calls = rate(lambda a=a, out=out: torch.mm(a, a, out=out), device)
        found[f"{precision}_tflops"] = round(calls * 2 * scale.matrix**3 / 1e12, 3)
    source = torch.zeros(scale.matrix**2 * 4, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copies = rate(lambda: target.copy_(source), device)
    found["copy_gbs"] = round(copies * 2 * source.nbytes / 1e9, 1)
    slow = (
        device == "cuda"
        and torch.cuda.get_device_capability() >= (8, 0)
        and found["tf32_tflops"] < TENSOR_CORES * found["fp32_tflops"]
    )
    yield "peaks", found, "TF32 is no faster than fp32: is it in effect?" if slow else None


def steps(device: str, scale: Scale) -> Iterator[Found]:
    """One training step of each method in each precision: a finite loss and finite new weights."""
    for method in scale.methods:
        for precision in PRECISIONS:
            run = run_of(method, device, precision, img_size=scale.small, batch_size=IMAGES)
            yield f"{method} {precision}", *_step(run)


def _step(run: RunConfig) -> tuple[dict[str, Any], str | None]:
    prepare_torch(run)
    device = torch.device(run.device)
    model = fresh_network(run, device)
    before = [p.detach().clone() for p in model.parameters()]
    stepper = Stepper(run, model.train(), device)
    for images, labels in train_batches(random_data(run, IMAGES), run, 0):
        loss = float(stepper.step(images, labels, run.recipe["lr"]))
    after = list(model.parameters())
    problems = []
    if not math.isfinite(loss):
        problems.append(f"the loss is {loss}")
    if not all(bool(p.isfinite().all()) for p in after):
        problems.append("weights are not finite")
    still = sum(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    if still == len(before):
        problems.append("no weight moved")
    elsewhere = {str(p.device) for p in after if p.device.type != device.type}
    if elsewhere:
        problems.append(f"weights on {', '.join(elsewhere)}")
    return {"loss": loss, "weights_unmoved": still}, "; ".join(problems) or None


def parity(device: str, scale: Scale) -> Iterator[Found]:
    """Logits of the untrained network in evaluation against those of the CPU in float64."""
    for method in scale.methods:
        run = run_of(method, "cpu", "fp32", img_size=scale.small)
        prepare_torch(run)
        # One image through a network that has seen no data: batch norm passes it on as it is.
        model, side = _voter(fresh_network(run, torch.device("cpu")).eval(), scale.small)
        draw_zeros(model)
        images = torch.randn(IMAGES, 3, side, side, dtype=torch.float64)
        with torch.no_grad():
            expected = deepcopy(model).double()(images)
        for precision in PRECISIONS:
            there = run_of(method, device, precision, img_size=scale.small)
            prepare_torch(there)
            network = deepcopy(model).to(device).to(memory_format=torch.channels_last)
            stepper = Stepper(there, network, torch.device(device))
            with torch.no_grad(), stepper.autocast():
                logits = network(images.float().to(device))
            error = float((logits.double().cpu() - expected).abs().max() / expected.abs().max())
            bad = not error <= TOLERANCE[precision]  # NaN is bad, too
            text = f"{error:.2g} of the largest logit, at most {TOLERANCE[precision]:g}"
            yield f"{method} {precision}", {"error": error}, text if bad else None


def draw_zeros(model: nn.Module) -> None:
    """Give matrices and kernels that begin at zero small random values: some heads do, and would
    answer 0 in every precision.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1 and not parameter.any():
                parameter.normal_(std=0.02)


def _voter(model: nn.Module, side: int) -> tuple[nn.Module, int]:
    """The network itself; of one whose patches vote, what each vote comes from: a vote is all or
    nothing, so that the least rounding may turn it.
    """
    net = getattr(model, "net", None)
    return (net, side // 2) if hasattr(model, "votes") and net is not None else (model, side)
