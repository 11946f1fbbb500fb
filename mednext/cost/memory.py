"""Peak memory of one training step, followed tensor by tensor without running anything.

Counted is what the step keeps alive at its worst moment: weights, gradients, both moments of Adam
(as in every step but the first), what the forward pass keeps for the backward pass, and
intermediate results. Not counted: the workspace of single operations and what an allocator or the
process itself adds.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mednext.config import Task


class PeakBytes(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most there were at once."""

    def __init__(self, present: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._sizes: dict[weakref.ref[torch.UntypedStorage], int] = {}
        for tensor in present:
            self._see(tensor)

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = weakref.ref(storage, self._gone)  # equal to another one of the same living storage
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)

    def _gone(self, key: weakref.ref[torch.UntypedStorage]) -> None:
        self.now -= self._sizes.pop(key, 0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run ``func`` and count the storages that it made."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return out


def training_bytes(model: nn.Module, shape: tuple[int, ...], task: Task) -> int:
    """Peak bytes of one fp32 step of AdamW with cross-entropy.

    A network with a second task (``auxiliary_loss``) trains that, too.

    Args:
        model: on the device that is simulated or used; ``meta`` is fine.
        shape: ``B x C x H x W`` of the images.
        task: ``classification`` (a label per image) or ``segmentation`` (one per pixel).
    """
    device = next(model.parameters()).device
    images = torch.zeros(shape, device=device)
    labels_shape = shape[:1] if task == "classification" else (shape[0], *shape[2:])
    labels = torch.zeros(labels_shape, dtype=torch.long, device=device)
    optimizer = torch.optim.AdamW(model.train().parameters())
    for parameter in model.parameters():  # makes the moments, which a first step would do too late
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    moments = (v for s in optimizer.state.values() for v in s.values() if isinstance(v, Tensor))
    extra = getattr(model, "auxiliary_loss", None)
    with PeakBytes([images, labels, *model.parameters(), *model.buffers(), *moments]) as memory:
        loss = F.cross_entropy(model(images), labels)
        if extra is not None:
            loss = loss + extra(images)
        loss.backward()
        optimizer.step()
    return memory.peak
