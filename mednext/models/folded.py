"""MED blocks folded for inference: one pass over memory less wherever two maps join.

Blocks work on rows, one per position: ``B H W x C``. Branches add to the stream of rows in place;
weights are stored as the products take them. At batch 1 a third of the time is spent between the
operations rather than in them, hence torch's functions instead of modules within a block. Products
of weights are made in float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mednext.models.blocks import FFN, LAFFN, SDFFN, SEM, MEDBlock
from mednext.models.fast import map_of, tokens_of
from mednext.models.layers import full_precision

Size = tuple[int, int, int]
"""B, H, W."""


def with_bn_folded(layers: nn.Sequential) -> nn.Sequential:
    """Convolution and BN right behind it as one; the other layers keep their names."""
    kept: dict[str, nn.Module] = {}
    last = ""
    for name, layer in layers.named_children():
        before = kept.get(last)
        if isinstance(layer, nn.BatchNorm2d) and type(before) is nn.Conv2d:
            kept[last] = _joined(before, layer)
        else:
            kept[name], last = layer, name
    return nn.Sequential(OrderedDict(kept))


def _joined(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    dtype = conv.weight.dtype
    return fuse_conv_bn_eval(conv.double(), norm.double()).to(dtype)


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
        self.branches = nn.ModuleList()
        for pair in block.parts:
            layers: Any = pair
            norm, part = layers
            branch = kinds.get(type(part), Added)(part)
            branch.keep(norm_weight=norm.weight, norm_bias=norm.bias)
            branch.eps = norm.eps
            self.branches.append(branch)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape, in the type of the weights even under autocast,
        which does not reach products in place; ``x`` itself stays as it was.
        """
        with full_precision(x):
            return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        rows = tokens_of(x).view(-1, c)
        for i, module in enumerate(self.branches):
            branch: Any = module
            t = branch.tensors
            rows = rows.to(t["norm_weight"].dtype)
            y = torch.layer_norm(rows, (c,), t["norm_weight"], t["norm_bias"], branch.eps)
            bias = t["bias"]
            if i == 0:
                rows = rows.clone() if bias is None else rows + bias
            elif bias is not None:
                rows.add_(bias)
            branch.add_to(rows, y, (b, h, w))
        return map_of(rows.view(b, h, w, c))


class Branch(nn.Module, ABC):
    """Weights as buffers; ``bias`` is that of the last map, which the block adds."""

    eps: float
    """Of the LayerNorm before it."""

    def keep(self, **tensors: Tensor | None) -> None:
        """Register detached copies; None where there is no such bias."""
        for name, tensor in tensors.items():
            self.register_buffer(name, None if tensor is None else tensor.detach().clone())

    @property
    def tensors(self) -> dict[str, Any]:
        """The buffers by name; a module's own look-up of attributes takes as long as a small
        operation."""
        return self._buffers

    @abstractmethod
    def add_to(self, rows: Tensor, y: Tensor, size: Size) -> None:
        """Add the branch of the normalised ``y`` to ``rows``, both ``B H W x C``, in place."""


class Added(Branch):
    """A branch that has no folded form."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part
        self.keep(bias=None)

    def add_to(self, rows: Tensor, y: Tensor, size: Size) -> None:
        """``rows += part(y)``."""
        out = self.part(map_of(y.view(*size, -1)))
        rows.add_(tokens_of(out).view(rows.shape))


class FoldedLAFFN(Branch):
    """:class:`~mednext.models.blocks.LAFFN`, but for the bias of M_v."""

    def __init__(self, part: LAFFN) -> None:
        super().__init__()
        self.normalised = part.scale == "nc"
        self.keep(q=_matrix(part.q), k=_matrix(part.k), v=_matrix(part.v))
        self.keep(query_bias=part.q.bias, bias=part.v.bias)

    def add_to(self, rows: Tensor, y: Tensor, size: Size) -> None:
        """``rows += M_v (softmax_C(q) * softmax_N(k))``, as the block in fp32 at least."""
        t = self.tensors
        narrow = None
        full = torch.promote_types(y.dtype, torch.float32)
        if full != y.dtype:
            t = {name: None if v is None else v.to(full) for name, v in t.items()}
            rows, y, narrow = torch.zeros_like(rows, dtype=full), y.to(full), rows
        positions = size[1] * size[2]
        images = (size[0], positions, -1)
        gate = _product(y, t["q"], t["query_bias"]).softmax(1)
        over_positions = torch.mm(y, t["k"]).view(images).softmax(1)
        if self.normalised:  # N here and C below: N C is beyond the range of fp16
            over_positions.mul_(positions)
        gate.view(images).mul_(over_positions)
        rows.addmm_(gate, t["v"], alpha=gate.shape[1] if self.normalised else 1)
        if narrow is not None:
            narrow.add_(rows)


class FoldedSEM(Branch):
    """:class:`~mednext.models.blocks.SEM` with ``axes`` and ``join`` as one, BN in the kernels."""

    def __init__(self, part: SEM) -> None:
        super().__init__()
        wq, wk = part.qk.weight.flatten(1).chunk(2)
        bq, bk = (None, None) if part.qk.bias is None else part.qk.bias.chunk(2)
        self.keep(q=wq.t(), k=wk.t(), bq=bq, bk=bk, v=_matrix(part.v), bias=part.v.bias)
        self.near = self._keep_kernels("near", part.local3)
        self.far = self._keep_kernels("far", part.local7)
        dtype, inner = wq.dtype, len(wq)
        fuse = part.join.weight.flatten(1).double()
        near, far, joined = fuse.split(inner, dim=1) if part.fusion == "cat" else (fuse,) * 3
        self.keep(fuse_near=near.t().to(dtype), fuse_far=far.t().to(dtype))
        along = (joined @ part.axes.weight.flatten(1).double()).split(inner, dim=1)
        # The maps along an axis and those of the channels change places: F A q = A F W_q y.
        constant = torch.zeros(1, 1, inner, dtype=torch.float64, device=wq.device)
        for name, axis, of_q in zip("hw", (part.axis_h, part.axis_w), along, strict=True):
            self.keep(**{f"along_{name}": (of_q @ wq.double()).t().to(dtype)})
            self.keep(**{f"axis_{name}": axis.weight})
            if bq is not None:  # each axis sees the same bias of q at every position
                sums = axis.weight.double().sum(1)
                there = torch.outer(sums, of_q @ bq.double())
                there = there + torch.outer(axis.bias.double(), of_q.sum(1))
                constant = constant + (there[:, None] if name == "h" else there)
        if part.join.bias is not None and part.axes.bias is not None:
            constant = constant + part.join.bias.double() + joined @ part.axes.bias.double()
        self.keep(constant=constant.to(dtype) if bq is not None else None)

    def _keep_kernels(self, view: str, layers: nn.Sequential) -> list[tuple[str, str]]:
        """Names of the kernels and biases of a view's depthwise convolutions."""
        names = []
        for i, (kernel, bias) in enumerate(_local(layers)):
            self.keep(**{f"{view}{i}": kernel, f"{view}{i}_bias": bias})
            names.append((f"{view}{i}", f"{view}{i}_bias"))
        return names

    def add_to(self, rows: Tensor, y: Tensor, size: Size) -> None:
        """``rows += W_v (join(views of q) * k)``."""
        t = self.tensors
        q = _product(y, t["q"], t["bq"])
        shape = q.shape
        tokens = q.view(*size, shape[1])
        near = far = map_of(tokens)
        for kernel, bias in self.near:
            near = _depthwise(near, t[kernel], t[bias])
        for kernel, bias in self.far:
            far = _depthwise(far, t[kernel], t[bias])
        joined = torch.mm(tokens_of(near).view(shape), t["fuse_near"])
        joined.addmm_(tokens_of(far).view(shape), t["fuse_far"])
        b, h, w = size
        of_rows, of_columns = (b * h, w, shape[1]), (b, h, w * shape[1])
        along_h = torch.mm(y, t["along_h"]).view(of_columns)
        joined.view(of_columns).baddbmm_(t["axis_h"].expand(b, h, h), along_h)
        along_w = torch.mm(y, t["along_w"]).view(of_rows)
        joined.view(of_rows).baddbmm_(t["axis_w"].expand(b * h, w, w), along_w)
        if t["constant"] is not None:
            joined.view(*size, shape[1]).add_(t["constant"])
        rows.addmm_(joined.mul_(_product(y, t["k"], t["bk"])), t["v"])


class FoldedFFN(Branch):
    """SDFFN or FFN, but for the bias of the last map."""

    def __init__(self, part: SDFFN | FFN) -> None:
        super().__init__()
        self.keep(expand=_matrix(part.expand), expand_bias=part.expand.bias)
        self.keep(project=_matrix(part.project), bias=part.project.bias)
        self.smooth = isinstance(part, SDFFN)
        if isinstance(part, SDFFN):
            self.keep(local=part.local.weight, local_bias=part.local.bias)

    def add_to(self, rows: Tensor, y: Tensor, size: Size) -> None:
        """``rows += project(gelu(local(expand y)))``."""
        t = self.tensors
        wide = _product(y, t["expand"], t["expand_bias"])
        if self.smooth:
            of_wide = map_of(wide.view(*size, wide.shape[1]))
            of_wide = _depthwise(of_wide, t["local"], t["local_bias"])
            wide = tokens_of(of_wide).view(wide.shape)
        rows.addmm_(F.gelu(wide), t["project"])


def _matrix(conv: nn.Conv2d) -> Tensor:
    """A pointwise convolution as ``C_in x C_out``."""
    return conv.weight.flatten(1).t()


def _product(rows: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    """``rows matrix (+ bias)``."""
    return torch.mm(rows, matrix) if bias is None else torch.addmm(bias, rows, matrix)


def _depthwise(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """A depthwise convolution that keeps the size."""
    channels, _, height, width = kernel.shape
    return torch.conv2d(x, kernel, bias, 1, (height // 2, width // 2), 1, channels)


def _local(layers: nn.Sequential) -> list[tuple[Tensor, Tensor | None]]:
    """Depthwise 1 x k, k x 1 and perhaps BN, as few convolutions as are fast: kernels, biases."""
    row: Any
    column: Any
    row, column, *_ = with_bn_folded(layers)
    if row.bias is not None or row.kernel_size[1] != 3:
        return [(row.weight, row.bias), (column.weight, column.bias)]
    both = row.weight.double() * column.weight.double()
    return [(both.to(row.weight.dtype), column.bias)]
