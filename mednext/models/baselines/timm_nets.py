"""Classifiers taken from timm (pytorch-image-models), with fresh weights."""

from __future__ import annotations

from typing import Any

import timm
from torch import nn


def timm_model(
    name: str, num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any
) -> nn.Module:
    """A convolutional network of timm by its name there; such networks take any ``img_size``.

    ``B x in_chans x S x S`` -> logits ``B x num_classes``. The paper does not say whether its
    baselines started from ImageNet weights; here all of them start from random ones.
    """
    model: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=num_classes, in_chans=in_chans, **options
    )
    return model
