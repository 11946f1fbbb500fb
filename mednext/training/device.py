"""The device of a run, and the settings that make its sums repeat."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.models.registry import create_model
from mednext.training.seeds import seed_of

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precision -> the type that autocast gives to products; fp32 and tf32 go without."""


def prepare_torch(run: RunConfig) -> None:
    """Set threads, determinism and the global seed that initial weights are drawn from."""
    torch.set_num_threads(run.threads)
    if run.deterministic:
        # Without it CUDA's matrix products refuse to run deterministically.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(run.deterministic)
    torch.backends.cudnn.benchmark = not run.deterministic
    # torch's own default, TF32 for convolutions and fp32 for products, is not alike for networks.
    kind = "tf32" if run.precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = kind
    torch.backends.cudnn.conv.fp32_precision = kind  # type: ignore[attr-defined]
    # Partial sums of a half-precise product are added in fp32.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    # Subnormal numbers make a CPU many times slower and carry nothing here.
    torch.set_flush_denormal(True)
    torch.manual_seed(seed_of(run.seed, run.dataset, "weights"))


def autocast(run: RunConfig, device: torch.device) -> AbstractContextManager[object]:
    """The precision of forward passes: of training, validation and prediction alike."""
    dtype = HALF.get(run.precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def pick_device(run: RunConfig) -> torch.device:
    """The device of a run.

    Raises:
        UserError: CUDA finds no GPU, or one that the installed torch was not built for.
    """
    if run.device == "cuda":
        _check_cuda()
    return torch.device(run.device)


def _check_cuda() -> None:
    try:
        torch.cuda.init()
        capability = torch.cuda.get_device_capability()
    except (RuntimeError, AssertionError) as error:  # the second where torch is without CUDA
        raise UserError(
            "no CUDA device found, but the profile asks for one",
            found=" ".join(str(error).split())[:200],
            expected="a GPU that CUDA can use",
            remedy="run on a machine with a GPU (finished epochs are kept), or write "
            "'device: cpu' in the profile",
        ) from None
    built = torch.cuda.get_arch_list()
    if not runs_on(capability, built):
        raise UserError(
            "the installed torch was not built for this GPU",
            found=f"{torch.cuda.get_device_name()}, compute capability "
            f"{capability[0]}.{capability[1]}",
            expected=f"one of {', '.join(built)}, or a newer one of the same generation",
            remedy="use a newer GPU, install a torch that was built for this one, or write "
            "'device: cpu' in the profile",
        )


def runs_on(capability: tuple[int, int], built: Sequence[str]) -> bool:
    """Whether code built for ``built`` (``sm_80``, ``compute_90``, ...) runs on a GPU.

    Machine code runs on later GPUs of its own generation, intermediate code on every later one
    (CUDA C++ Programming Guide, "Compute Capability"). ``sm_90a`` runs on 9.0 alone.
    """
    for name in built:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", name)
        if found is None:
            continue
        kind, version = found[1], (int(found[2]), int(found[3]))
        if found[4] == "a":
            fits = version == capability
        elif kind == "sm":
            fits = version[0] == capability[0] and version <= capability
        else:
            fits = version <= capability
        if fits:
            return True
    return False


def device_of(run: RunConfig) -> str:
    """What a training's identity says of its device: ``cpu``, or the model of the GPU."""
    return device_name(pick_device(run)) or "cpu"


def fresh_network(run: RunConfig, device: torch.device) -> nn.Module:
    """The untrained network of a run, on its device and in channels_last."""
    model = create_model(
        run.method, num_classes=len(run.classes), in_chans=run.in_chans, img_size=run.img_size
    )
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def device_name(device: torch.device) -> str | None:
    """What the GPU calls itself; None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
