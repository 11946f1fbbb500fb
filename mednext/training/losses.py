"""The losses of ``benchmarks/recipes.yaml``."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - soft Dice, averaged over the classes with the background, squares in the denominator.

    Logits (B, K, H, W), labels (B, H, W); each class is summed over the whole batch, as TransUNet's
    ``DiceLoss`` does (reference 12 of the paper, upstream ``utils.py``).
    """
    scores = logits.float().softmax(dim=1)
    target = F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).to(scores.dtype)
    axes = (0, 2, 3)
    shared = (scores * target).sum(axes)
    sizes = (scores * scores).sum(axes) + target.sum(axes)
    return (1 - (2 * shared + 1e-5) / (sizes + 1e-5)).mean()


def ce_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """0.5 cross-entropy + 0.5 soft Dice loss, as TransUNet."""
    return 0.5 * pixel_cross_entropy(logits, labels) + 0.5 * soft_dice_loss(logits, labels)


def pixel_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over all pixels, from operations that are deterministic on a GPU, too."""
    picked = logits.float().log_softmax(dim=1).gather(1, labels[:, None])
    return -picked.mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": torch.nn.functional.cross_entropy,
    "ce_dice": ce_dice,
}
