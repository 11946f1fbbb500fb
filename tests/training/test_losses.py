from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mednext.training.losses import ce_dice, pixel_cross_entropy, soft_dice_loss


def test_soft_dice_by_hand() -> None:
    # Two pixels, two classes, scores (3/4, 1/4) and (1/2, 1/2), labels 0 and 1.
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2)
    labels = torch.tensor([[[0, 1]]])
    first = 2 * 0.75 / (0.75**2 + 0.5**2 + 1)
    second = 2 * 0.5 / (0.25**2 + 0.5**2 + 1)
    expected = 1 - (first + second) / 2
    assert soft_dice_loss(logits, labels).item() == pytest.approx(expected, abs=1e-4)
    cross = -(math.log(0.75) + math.log(0.5)) / 2
    assert ce_dice(logits, labels).item() == pytest.approx(0.5 * cross + 0.5 * expected, abs=1e-4)


def test_soft_dice_is_transunets() -> None:
    # DiceLoss of Beckschen/TransUNet utils.py, class by class
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=generator)
    labels = torch.randint(0, 4, (3, 5, 6), generator=generator)
    scores, loss = logits.softmax(1), 0.0
    for k in range(4):
        score, target = scores[:, k], (labels == k).float()
        intersect = (score * target).sum()
        y_sum, z_sum = (target * target).sum(), (score * score).sum()
        loss += (1 - (2 * intersect + 1e-5) / (z_sum + y_sum + 1e-5)).item()
    assert soft_dice_loss(logits, labels).item() == pytest.approx(loss / 4, abs=1e-6)


def test_pixel_cross_entropy_is_torchs() -> None:
    logits, labels = torch.randn(2, 4, 3, 3), torch.randint(0, 4, (2, 3, 3))
    torch.testing.assert_close(pixel_cross_entropy(logits, labels), F.cross_entropy(logits, labels))


def test_a_sure_and_right_answer_costs_nothing() -> None:
    labels = torch.randint(0, 4, (2, 8, 8))
    logits = 100 * F.one_hot(labels, 4).permute(0, 3, 1, 2).float()
    assert ce_dice(logits, labels).item() == pytest.approx(0, abs=1e-5)
