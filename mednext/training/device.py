"""The device of a run, and the settings that make its sums repeat."""

from __future__ import annotations

import os

import torch
from torch import nn

from mednext.config import RunConfig
from mednext.models.registry import create_model
from mednext.training.seeds import seed_of


def prepare_torch(run: RunConfig) -> None:
    """Set threads, determinism and the global seed that initial weights are drawn from."""
    torch.set_num_threads(run.threads)
    if run.deterministic:
        # Without it CUDA's matrix products refuse to run deterministically.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(run.deterministic)
    torch.backends.cudnn.benchmark = not run.deterministic
    # Subnormal numbers make a CPU many times slower and carry nothing here.
    torch.set_flush_denormal(True)
    torch.manual_seed(seed_of(run.seed, run.dataset, "weights"))


def pick_device(run: RunConfig) -> torch.device:
    """``auto`` is the GPU where there is one."""
    if run.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(run.device)


def fresh_network(run: RunConfig, device: torch.device) -> nn.Module:
    """The untrained network of a run, on its device and in channels_last."""
    model = create_model(
        run.method, num_classes=len(run.classes), in_chans=3, img_size=run.img_size
    )
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def device_name(device: torch.device) -> str | None:
    """What the GPU calls itself; None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
