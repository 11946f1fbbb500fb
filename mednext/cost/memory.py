"""Peak memory of one training step, followed tensor by tensor without running anything.

Counted is what the step keeps alive at its worst moment: weights, gradients, both moments of Adam,
what the forward pass keeps for the backward pass, and intermediate results. Not counted: the
workspace of single operations and what an allocator or the process itself adds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker

PAPER_BATCH = 12
"""The batch size that the paper states (for segmentation; it states none for classification)."""


def training_bytes(model: nn.Module, shape: tuple[int, ...], task: str) -> int:
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
    tracker = MemTracker()
    tracker.track_external(model, optimizer, images, labels)
    with tracker:
        loss = F.cross_entropy(model(images), labels)
        extra = getattr(model, "auxiliary_loss", None)
        if extra is not None:
            loss = loss + extra(images)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    peak = tracker.get_tracker_snapshot("peak")
    return sum(int(parts["Total"]) for parts in peak.values())
