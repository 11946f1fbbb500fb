"""The ResNet-50 of three stages before TransUNet's encoder, as its authors' public form has it.

timm's hybrid has the same weights under the same names, but pads as TensorFlow does ("same": one
more row and column below and to the right) and normalises otherwise. The public form
(github.com/Beckschen/TransUNet, ``networks/vit_seg_modeling_resnet_skip.py``) pads on both sides,
pools without padding, standardises weights with eps 1e-5, and has GroupNorm of 32 groups and eps
1e-6, but of one group per channel and eps 1e-5 behind the projections.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F
from timm.layers import GroupNormAct, StdConv2d
from timm.models.resnetv2 import ResNetV2
from torch import Tensor, nn

DEPTHS = [3, 4, 9]


def resnet(in_chans: int) -> ResNetV2:
    """``B x in_chans x S x S`` -> ``B x 1024 x S/16 x S/16``, with torch's initial weights."""
    net = ResNetV2(
        DEPTHS,
        num_classes=0,
        in_chans=in_chans,
        global_pool="",
        preact=False,
        conv_layer=partial(StdConv2d, eps=1e-5),
        norm_layer=partial(GroupNormAct, num_groups=32, eps=1e-6),
    )
    net.stem.pool = nn.MaxPool2d(3, stride=2)
    stage: Any
    for stage in net.stages:
        norm = stage.blocks[0].downsample.norm
        norm.num_groups, norm.eps = norm.num_channels, 1e-5
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    return net


def skipped_maps(net: Any, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The deepest map, and those at 1/8, 1/4 and 1/2 for the decoder.

    Pooling without padding leaves the map at 1/4 a row and a column short; as in the public form
    the ResNet goes on with it, and the decoder gets it filled up with zeros.
    """
    half = net.stem.norm(net.stem.conv(x))
    quarter = net.stages[0](net.stem.pool(half))
    eighth = net.stages[1](quarter)
    missing = x.shape[-1] // 4 - quarter.shape[-1]
    filled = F.pad(quarter, (0, missing, 0, missing))
    return net.stages[2](eighth), [eighth, filled, half]
