"""Where tensors lie. Training imports this, and nothing else of what networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """``x`` on ``device``. To a GPU from pinned memory, so that the host does not wait for it."""
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    if torch.cuda.is_initialized():  # it is not where a GPU is only imagined
        x = x.pin_memory()
    return x.to(device, non_blocking=True)
