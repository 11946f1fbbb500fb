"""Networks folded for inference: fewer operations, the same function up to rounding.

What is linear and has nothing between it becomes one map: BN joins the convolution before it, SEM's
``axes`` joins ``fuse``, the 1 x 3 and 3 x 1 kernels join, UConv's residual branch joins its second
convolution. BN behind a ReLU becomes a clamp, since ``s relu(c) + t`` is ``s c + t`` cut off at
``t``; a clamp is monotone, so that it moves behind max pooling. Branches add to the residual stream
in place. Products of weights are made in float64.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mednext.models.blocks import FFN, LAFFN, SDFFN, SEM, MEDBlock
from mednext.models.fast import along_height, along_width, gate, map_of, tokens_of
from mednext.models.layers import full_precision
from mednext.models.mednext import MedNeXt
from mednext.models.medunext import UConv


def optimize_for_inference(model: nn.Module) -> nn.Module:
    """A folded copy of MedNeXt, MedUNeXt or a variant, in evaluation mode and without gradients.

    Its weights have other names and shapes; save and train the original. A part for which nothing
    is known to fold stays as it is, and so does any other network.

    Args:
        model: the network, on its device and in its type; it is left as it was.
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
    if isinstance(module, nn.Sequential):
        return _with_bn_folded(module)
    return module


def _with_bn_folded(layers: nn.Sequential) -> nn.Sequential:
    """Convolution and BN right behind it as one."""
    kept: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d) and kept and type(kept[-1]) is nn.Conv2d:
            kept[-1] = _joined(kept[-1], layer)
        else:
            kept.append(layer)
    return nn.Sequential(*kept)


def _joined(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    dtype = conv.weight.dtype
    return fuse_conv_bn_eval(conv.double(), norm.double()).to(dtype)


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
    body: Any = _with_bn_folded(block.body)
    branch: Any = _with_bn_folded(block.residual)
    first, relu, second = body
    dtype = second.weight.dtype
    through = branch[0].weight.double().flatten(1)
    through = through + torch.eye(len(through), dtype=torch.float64, device=through.device)
    bias = through @ second.bias.double() + branch[0].bias.double()
    second.weight.data = torch.einsum("oc,cihw->oihw", through, second.weight.double()).to(dtype)
    second.bias.data = bias.to(dtype)
    return nn.Sequential(first, relu, second, relu)


class FoldedMED(nn.Module):
    """A MED block whose branches are added to the stream in place."""

    def __init__(self, block: MEDBlock) -> None:
        super().__init__()
        kinds: dict[type, Any] = {
            LAFFN: FoldedLAFFN,
            SEM: FoldedSEM,
            SDFFN: FoldedFFN,
            FFN: FoldedFFN,
        }
        self.norms = nn.ModuleList()
        self.parts = nn.ModuleList()
        for pair in block.parts:
            layers: Any = pair
            norm, part = layers
            self.norms.append(norm)
            self.parts.append(kinds[type(part)](part) if type(part) in kinds else Added(part))

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape; ``x`` itself stays as it was."""
        tokens = tokens_of(x)
        for i, (norm, part) in enumerate(zip(self.norms, self.parts, strict=True)):
            n: Any = norm
            y = F.layer_norm(tokens, n.normalized_shape, n.weight, n.bias, n.eps)
            bias = getattr(part, "bias", None)
            if i == 0:
                tokens = tokens.clone() if bias is None else tokens + bias
            elif bias is not None:
                tokens.add_(bias)
            part(tokens, y)
        return map_of(tokens)


class Added(nn.Module):
    """A branch that has no folded form."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, tokens: Tensor, y: Tensor) -> None:
        """``tokens += part(y)``."""
        tokens.add_(tokens_of(self.part(map_of(y))))


def _add_product(tokens: Tensor, y: Tensor, weight: Tensor, factor: float = 1) -> None:
    """``tokens += factor y W^T``."""
    tokens.flatten(0, 2).addmm_(y.flatten(0, -2), weight.t(), alpha=factor)


class _Folded(nn.Module):
    """Weights as buffers, by name; None where there is no such bias."""

    def keep(self, **tensors: Tensor | None) -> None:
        """Register detached copies."""
        for name, tensor in tensors.items():
            self.register_buffer(name, None if tensor is None else tensor.detach().clone())


class FoldedLAFFN(_Folded):
    """:class:`~mednext.models.blocks.LAFFN`, but for the bias of M_v, which the block adds."""

    q: Tensor
    k: Tensor
    v: Tensor
    query_bias: Tensor | None

    def __init__(self, part: LAFFN) -> None:
        super().__init__()
        self.normalised = part.scale == "nc"
        self.keep(
            q=part.q.weight.flatten(1), k=part.k.weight.flatten(1), v=part.v.weight.flatten(1)
        )
        self.keep(query_bias=part.q.bias, bias=part.v.bias)

    def forward(self, tokens: Tensor, y: Tensor) -> None:
        """``tokens += M_v (softmax_C(q) * softmax_N(k))`` of the normalised ``y``."""
        with full_precision(y):
            q, k = F.linear(y, self.q, self.query_bias), F.linear(y, self.k)
            product = gate(q, k, 1)
            factor = k[0].numel() if self.normalised else 1
            _add_product(tokens, product, self.v, factor)


class FoldedSEM(_Folded):
    """:class:`~mednext.models.blocks.SEM` with ``axes`` and ``fuse`` as one, BN in the kernels."""

    q: Tensor
    k: Tensor
    v: Tensor
    bq: Tensor | None
    bk: Tensor | None
    fuse_near: Tensor
    fuse_far: Tensor
    fuse_h: Tensor
    fuse_w: Tensor
    fuse_bias: Tensor | None

    def __init__(self, part: SEM) -> None:
        super().__init__()
        wq, wk = part.qk.weight.flatten(1).chunk(2)
        bq, bk = (None, None) if part.qk.bias is None else part.qk.bias.chunk(2)
        self.keep(q=wq, k=wk, bq=bq, bk=bk, v=part.v.weight.flatten(1), bias=part.v.bias)
        self.axis_h, self.axis_w = part.axis_h, part.axis_w
        self.near, self.far = _local(part.local3), _local(part.local7)
        dtype = wq.dtype
        inner = len(wq)
        fuse = part.fuse.weight.flatten(1).double()
        parts = fuse.split(inner, dim=1) if part.fusion == "cat" else (fuse, fuse, fuse)
        axes = parts[2] @ part.axes.weight.flatten(1).double()
        along_h, along_w = axes.split(inner, dim=1)
        bias = part.fuse.bias
        if bias is not None and part.axes.bias is not None:
            bias = (bias.double() + parts[2] @ part.axes.bias.double()).to(dtype)
        self.keep(fuse_near=parts[0].to(dtype), fuse_far=parts[1].to(dtype), fuse_bias=bias)
        self.keep(fuse_h=along_h.to(dtype), fuse_w=along_w.to(dtype))

    def forward(self, tokens: Tensor, y: Tensor) -> None:
        """``tokens += W_v (fuse(views of q) * k)`` of the normalised ``y``."""
        q, k = F.linear(y, self.q, self.bq), F.linear(y, self.k, self.bk)
        of_q = map_of(q)
        joined = F.linear(tokens_of(self.near(of_q)), self.fuse_near, self.fuse_bias)
        _add_product(joined, tokens_of(self.far(of_q)), self.fuse_far)
        _add_product(joined, along_height(q, self.axis_h), self.fuse_h)
        _add_product(joined, along_width(q, self.axis_w), self.fuse_w)
        _add_product(tokens, joined.mul_(k), self.v)


def _local(layers: nn.Sequential) -> nn.Sequential:
    """Depthwise 1 x k, k x 1 and perhaps BN, as few convolutions as are fast."""
    row: Any
    column: Any
    row, column, *_ = folded = _with_bn_folded(layers)
    if row.bias is not None or row.kernel_size[1] != 3:
        return folded
    channels = row.in_channels
    both = nn.Conv2d(
        channels, channels, 3, padding=1, groups=channels, bias=column.bias is not None
    )
    both.weight = nn.Parameter((row.weight.double() * column.weight.double()).to(row.weight.dtype))
    both.bias = column.bias
    return nn.Sequential(both)


class FoldedFFN(_Folded):
    """SDFFN or FFN, but for the bias of the last map, which the block adds."""

    expand: Tensor
    project: Tensor
    expand_bias: Tensor | None

    def __init__(self, part: SDFFN | FFN) -> None:
        super().__init__()
        self.local = part.local if isinstance(part, SDFFN) else None
        self.keep(expand=part.expand.weight.flatten(1), expand_bias=part.expand.bias)
        self.keep(project=part.project.weight.flatten(1), bias=part.project.bias)

    def forward(self, tokens: Tensor, y: Tensor) -> None:
        """``tokens += project(gelu(local(expand y)))`` of the normalised ``y``."""
        wide = F.linear(y, self.expand, self.expand_bias)
        if self.local is not None:
            wide = tokens_of(self.local(map_of(wide)))
        _add_product(tokens, F.gelu(wide), self.project)
