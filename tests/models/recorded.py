"""Weights and an image that are the same everywhere, and the logits that are looked at.

Drawn from PCG64's raw 64-bit integers, whose stream numpy keeps fixed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

SAMPLES = 12


def uniform(stream: int, shape: torch.Size) -> Tensor:
    """Numbers of [-1, 1) in float64."""
    raw = np.random.PCG64(stream).random_raw(shape.numel())
    return torch.from_numpy((raw >> np.uint64(11)) / 2.0**52 - 1.0).reshape(shape)


@torch.no_grad()
def fill(net: nn.Module) -> None:
    """Weights by position in the state dict: maps within +-sqrt(3 / inputs), variances and the
    weights of norms within 1 +- 0.5, everything else within +-0.5."""
    for number, (name, value) in enumerate(net.state_dict().items()):
        if not value.is_floating_point() or name.endswith("attn_mask"):
            continue
        drawn = uniform(number, value.shape)
        if value.ndim > 1 and name.endswith("weight"):
            value.copy_(drawn * (3 / value[0].numel()) ** 0.5)
        else:
            one = name.endswith(("weight", "running_var"))
            value.copy_(drawn * 0.5 + (1.0 if one else 0.0))


def image(size: int) -> Tensor:
    """``1 x 3 x size x size``."""
    return uniform(10**6, torch.Size([1, 3, size, size]))


def samples(logits: Tensor) -> list[float]:
    """Evenly spaced entries of the flattened logits."""
    flat = logits.flatten()
    where = torch.linspace(0, len(flat) - 1, min(SAMPLES, len(flat))).round().long()
    return [float(v) for v in flat[where]]
