"""Swin Transformer V2 (Liu et al., CVPR 2022, 10.1109/CVPR52688.2022.01170), timm's layers.

The published tiny model has windows of 8 x 8 tokens at 256 pixels. Its last stage then is one
window, S / 32 tokens wide, and every stage a whole number of windows; here that holds at any size.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from mednext.models.baselines.timm_nets import timm_model
from mednext.models.layers import check_multiple

NAME = "swinv2_tiny_window8_256"


def swin_v2(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> nn.Module:
    """Swin V2-T with windows of ``img_size / 32``: 7 at 224 pixels, 3 at 96, 2 at 64.

    The relative positions go through an MLP, so that the window adds no parameters. timm's
    stochastic depth (0.1) is off, as in the other methods.

    Args:
        num_classes: classes.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32.
        **options: of :func:`~mednext.models.baselines.timm_nets.timm_model`.

    Raises:
        UserError: ``img_size`` is not a multiple of 32 or below 64.
    """
    check_multiple("Swin V2", img_size, 32, at_least=64)
    options = {"window_size": img_size // 32, "drop_path_rate": 0.0, **options}
    return timm_model(NAME, num_classes, in_chans, img_size, sized=True, **options)
