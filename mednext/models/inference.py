"""Networks folded for inference: fewer operations, the same function up to rounding.

What is linear and has nothing between it becomes one map: BN joins the convolution before it, SEM's
``axes`` its ``join``, the 1 x 3 kernel the 3 x 1, UConv's residual branch its second convolution.
BN behind a ReLU becomes a clamp, since ``s relu(c) + t`` is ``s c + t`` cut off at ``t``; a clamp
is monotone, so that it moves behind max pooling. MED blocks are in :mod:`mednext.models.folded`.
Products of weights are made in float64.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from mednext.models.blocks import MEDBlock
from mednext.models.folded import FoldedMED, with_bn_folded
from mednext.models.mednext import MedNeXt
from mednext.models.medunext import UConv


def optimize_for_inference(model: nn.Module) -> nn.Module:
    """A folded copy of MedNeXt, MedUNeXt or a variant, in evaluation mode and without gradients.

    Its weights have other names and shapes; save and train the original. A part for which nothing
    is known to fold stays as it is, and so does any other network.

    Args:
        model: the network, on its device and in its type; it is left as it was.

    >>> from mednext.models.registry import create_model
    >>> model = create_model("medunext", num_classes=4, in_chans=1, img_size=64).eval()
    >>> slices = torch.zeros(1, 1, 64, 64)
    >>> folded = optimize_for_inference(model)
    >>> torch.allclose(folded(slices), model(slices), atol=1e-4)
    True
    """
    folded: nn.Module = _folded(deepcopy(model).eval())
    return folded.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _folded(module: nn.Module) -> Any:
    if isinstance(module, MEDBlock):
        return FoldedMED(module)
    if isinstance(module, UConv):
        return _uconv(module)
    if isinstance(module, MedNeXt):
        module.stem = _stem(module.stem)
    for name, child in list(module.named_children()):
        setattr(module, name, _folded(child))
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        return with_bn_folded(module)
    return module


class Clamp(nn.Module):
    """Cuts every channel of ``B x C x H x W`` off at its own bounds, in place."""

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low[:, None, None])
        self.register_buffer("high", high[:, None, None])
        self.one_sided = not bool(torch.isfinite(high).any())

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        if self.one_sided:
            return x.clamp_min_(self.low)
        return x.clamp_(self.low, self.high)


def _stem(stem: nn.Sequential) -> nn.Sequential:
    """Convolution, ReLU and BN, several times, then pooling: convolutions, clamps and pooling."""
    layers: list[nn.Module] = []
    for layer in stem:
        if isinstance(layer, nn.ReLU):
            continue
        if isinstance(layer, nn.BatchNorm2d):
            conv: Any = layers.pop()
            positive = layer.weight >= 0
            scaled = _scaled_and_shifted(conv, layer.double())
            shift: Any = scaled.bias
            infinite = torch.full_like(shift, torch.inf)
            low, high = (
                torch.where(positive, shift, -infinite),
                torch.where(positive, infinite, shift),
            )
            layers += [scaled, Clamp(low.detach(), high.detach())]
        elif isinstance(layer, nn.MaxPool2d):
            clamp = layers.pop()
            layers += [layer, clamp]
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _scaled_and_shifted(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """``s conv(x) + t``, where BN is ``s y + t``; ``conv`` has no bias."""
    dtype = conv.weight.dtype
    mean: Any = norm.running_mean
    variance: Any = norm.running_var
    scale = norm.weight / (variance + norm.eps).sqrt()
    conv.weight = nn.Parameter(conv.weight.double() * scale[:, None, None, None])
    conv.bias = nn.Parameter(norm.bias - mean * scale)
    return conv.to(dtype)


def _uconv(block: UConv) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with a ReLU."""
    body: Any = with_bn_folded(block.body)
    branch: Any = with_bn_folded(block.residual)
    first, relu, second = body
    dtype = second.weight.dtype
    through = branch[0].weight.double().flatten(1)
    through = through + torch.eye(len(through), dtype=torch.float64, device=through.device)
    bias = through @ second.bias.double() + branch[0].bias.double()
    second.weight.data = torch.einsum("oc,cihw->oihw", through, second.weight.double()).to(dtype)
    second.bias.data = bias.to(dtype)
    return nn.Sequential(first, relu, second, relu)
