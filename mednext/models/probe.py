"""A number that changes when the function of a network does: its output on a fixed input.

Training hides many a changed sign or a dropped branch, since the weights adapt. With drawn weights
and nothing trained, the output shows it.
"""

from __future__ import annotations

import torch

from mednext.config import load_methods
from mednext.models.registry import create_model

SEED = 20260124
CLASSES = {"classification": 2, "segmentation": 4}
VALUES = 8


@torch.no_grad()
def probe(method: str, img_size: int = 64) -> list[float]:
    """Eight samples of the float32 output of a registered method at its initial weights.

    Args:
        method: a name of ``methods.yaml``.
        img_size: height and width of the input ``1 x 3 x S x S``.

    Returns:
        evenly spaced entries of the flattened logits (repeated where there are fewer than eight),
        the same on all machines up to the rounding of sums.
    """
    task = load_methods()[method].task
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(SEED)
        model = create_model(method, num_classes=CLASSES[task], img_size=img_size).eval()
        image = torch.randn(1, 3, img_size, img_size)
    finally:
        torch.random.set_rng_state(state)
    out = model(image).flatten()
    where = torch.linspace(0, len(out) - 1, VALUES).round().long()
    return [float(v) for v in out[where]]
