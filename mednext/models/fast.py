"""How the parts of a MED block are computed: the same functions as their definitions in
:mod:`mednext.models.blocks`, with less traffic to memory.

Everything works on tokens ``B x H x W x C``, which is how a channels_last map lies in memory:
pointwise convolutions are matrix products, LayerNorm and the softmax over C run along the innermost
axis, and nothing is copied into another layout. Sums of products accumulate in place where the
definition concatenates. ``benchmarks/speed/NOTES.md`` has what each step brought; the tests compare
values and gradients with the definitions in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mednext.models.layers import full_precision, lowered_to


def tokens_of(x: Tensor) -> Tensor:
    """``B x C x H x W`` -> ``B x H x W x C``; a view if ``x`` is in channels_last."""
    return x.permute(0, 2, 3, 1).contiguous()


def map_of(tokens: Tensor) -> Tensor:
    """``B x H x W x C`` -> ``B x C x H x W`` in channels_last; always a view."""
    return tokens.permute(0, 3, 1, 2)


def _matrix(conv: nn.Conv2d) -> Tensor:
    """The C_out x C_in matrix of a pointwise convolution."""
    return conv.weight.flatten(1)


def _lowered(x: Tensor, *others: Tensor | None) -> tuple[Any, ...]:
    """All of them in the type that autocast gives to matrix products, if it is on.

    Autocast does not reach the in-place products of this module.
    """
    dtype = lowered_to(x)
    if dtype is None:
        return x, *others
    return tuple(t if t is None else t.to(dtype) for t in (x, *others))


def _is_half(x: Tensor) -> bool:
    """Is the type so short that a sum of products must not be rounded after each of them?"""
    return x.dtype in (torch.bfloat16, torch.float16)


def _summed(xs: Sequence[Tensor], ws: Sequence[Tensor]) -> Tensor:
    """``sum_i x_i W_i`` of (M, n_i) and (n_i, m), rounded once to the type of a half-precise x."""
    if _is_half(xs[0]):
        return torch.cat(tuple(xs), 1) @ torch.cat(tuple(ws))
    out = torch.mm(xs[0], ws[0])
    for x, w in zip(xs[1:], ws[1:], strict=True):
        out.addmm_(x, w)
    return out


class _DualLinear(torch.autograd.Function):
    """Two linear maps of one input; their gradients for it are summed within the product."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, wa: Tensor, wb: Tensor, ba: Tensor | None, bb: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, wa, wb)
        ctx.biased = (ba is not None, bb is not None)
        return F.linear(x, wa, ba), F.linear(x, wb, bb)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, ga: Tensor, gb: Tensor) -> tuple[Tensor | None, ...]:
        x, wa, wb = ctx.saved_tensors
        rows, ga, gb = x.flatten(0, -2), ga.flatten(0, -2), gb.flatten(0, -2)
        biases = [g.sum(0) if has else None for g, has in zip((ga, gb), ctx.biased, strict=True)]
        with full_precision(ga):  # a backward pass inside autocast must not change types, either
            gx = _summed((ga, gb), (wa, wb)).view_as(x)
            return gx, ga.t() @ rows, gb.t() @ rows, *biases


class _Sum(torch.autograd.Function):
    """``bias + sum_i x_i W_i^T``: what a pointwise map of a concatenation is, without making it."""

    @staticmethod
    def forward(ctx: Any, bias: Tensor | None, *pairs: Tensor) -> Tensor:
        ctx.save_for_backward(*pairs)
        ctx.biased = bias is not None
        half = len(pairs) // 2
        xs, ws = pairs[:half], pairs[half:]
        if _is_half(xs[0]):
            return F.linear(torch.cat(xs, -1), torch.cat(ws, 1), bias)
        out = F.linear(xs[0], ws[0], bias)
        rows = out.flatten(0, -2)
        for x, w in zip(xs[1:], ws[1:], strict=True):
            rows.addmm_(x.flatten(0, -2), w.t())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: checkpointing hands them out a single time
        xs, ws = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        rows = g.flatten(0, -2)
        with full_precision(g):
            gx = [torch.mm(rows, w).view_as(x) for x, w in zip(xs, ws, strict=True)]
            gw = [rows.t() @ x.flatten(0, -2) for x in xs]
        return rows.sum(0) if ctx.biased else None, *gx, *gw


def gate_gradients(
    over_c: Tensor, over_n: Tensor, gate: Tensor, g: Tensor
) -> tuple[Tensor, Tensor]:
    """What :class:`_Gate` passes back, all images ``B x N x C`` at once."""
    u = g * gate
    gq = torch.addcmul(u, over_c, u.sum(2, keepdim=True), value=-1)
    gk = torch.addcmul(u, over_n, u.sum(1, keepdim=True), value=-1)
    return gq, gk


def wide(x: Tensor) -> torch.dtype:
    """At least fp32."""
    return torch.promote_types(x.dtype, torch.float32)


class _Gate(torch.autograd.Function):
    """``scale * softmax_C(q) * softmax_N(k)`` of ``B x N x C``, both softmaxes differentiated at
    once: their gradients differ from ``g * gate`` by one rank-one term each."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, scale: float) -> Tensor:
        over_c, over_n = (t.softmax(d, dtype=wide(t)) for t, d in ((q, 2), (k, 1)))
        gate = over_c * over_n
        if scale != 1:
            gate.mul_(scale)
        ctx.save_for_backward(over_c, over_n, gate)
        ctx.kind = q.dtype
        return gate

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        over_c, over_n, gate = ctx.saved_tensors
        if g.device.type != "cpu":  # five kernels for the batch instead of five for each image
            gq, gk = gate_gradients(over_c, over_n, gate, g)
            return gq.to(ctx.kind), gk.to(ctx.kind), None
        gq, gk = torch.empty_like(g), torch.empty_like(g)
        for i in range(len(g)):  # image by image, which the caches hold through all five passes
            u = g[i] * gate[i]
            torch.addcmul(u, over_c[i], u.sum(1, keepdim=True), value=-1, out=gq[i])
            torch.addcmul(u, over_n[i], u.sum(0, keepdim=True), value=-1, out=gk[i])
        return gq.to(ctx.kind), gk.to(ctx.kind), None


class _AlongRow(torch.autograd.Function):
    """Depthwise 1 x k convolution on the CPU, its weights' gradient taken column by column.

    oneDNN has no fast kernel for that gradient where k > 3, but it has one for k x 1; with H in the
    batch and W as the height the memory is the same.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        channels, pad = weight.shape[0], weight.shape[3] // 2
        return F.conv2d(x, weight, bias, padding=(0, pad), groups=channels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        b, c, h, w = x.shape
        pad = weight.shape[3] // 2

        def columns(t: Tensor) -> Tensor:
            return map_of(tokens_of(t).view(b * h, w, 1, c))

        backward = torch.ops.aten.convolution_backward
        gx, _, _ = backward(
            g, x, weight, None, (1, 1), (0, pad), (1, 1), False, (0, 0), c, (True, False, False)
        )
        _, gw, _ = backward(
            columns(g), columns(x), weight.transpose(2, 3), None,
            (1, 1), (pad, 0), (1, 1), False, (0, 0), c, (False, True, False),
        )  # fmt: skip
        return gx, gw.transpose(2, 3), g.sum(dim=(0, 2, 3)) if ctx.biased else None


def matrix_and_bias(conv: nn.Conv2d, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """The C_out x C_in matrix of a pointwise convolution and its bias, in a type."""
    return _matrix(conv).to(dtype), None if conv.bias is None else conv.bias.to(dtype)


def product(tokens: Tensor, conv: nn.Conv2d) -> Tensor:
    """A pointwise convolution of ``... x C`` as a matrix product."""
    return F.linear(tokens, _matrix(conv), conv.bias)


def dual_linear(
    tokens: Tensor, a: tuple[Tensor, Tensor | None], b: tuple[Tensor, Tensor | None]
) -> tuple[Tensor, Tensor]:
    """Two linear maps (matrix, bias) of the same tokens."""
    x, wa, wb, ba, bb = _lowered(tokens, a[0], b[0], a[1], b[1])
    out: tuple[Tensor, Tensor] = _DualLinear.apply(x, wa, wb, ba, bb)
    return out


def sum_of_products(xs: Sequence[Tensor], conv: nn.Conv2d) -> Tensor:
    """The pointwise convolution of the concatenation of ``xs`` over their last axis."""
    return _sum(xs, _matrix(conv).split([x.shape[-1] for x in xs], dim=1), conv.bias)


def fused(
    near: Tensor, far: Tensor, along: tuple[Tensor, Tensor], axes: nn.Conv2d, fuse: nn.Conv2d
) -> Tensor:
    """``fuse(near, far, axes(along))`` of token maps of C channels.

    Both are linear, so ``axes`` can join ``fuse``: one map less to make. That costs 2 C^3 and saves
    N C^2 for N positions in the batch, and as much again for each gradient.
    """
    channels = near.shape[-1]
    if near.numel() < 4 * channels**2:
        return sum_of_products((near, far, sum_of_products(along, axes)), fuse)
    of_near, of_far, of_axes = _matrix(fuse).split(channels, dim=1)
    with full_precision(near):
        of_along = (of_axes @ _matrix(axes)).split(channels, dim=1)
        bias = fuse.bias
        if bias is not None and axes.bias is not None:
            bias = torch.addmv(bias, of_axes, axes.bias)
    return _sum((near, far, *along), (of_near, of_far, *of_along), bias)


def _sum(xs: Sequence[Tensor], matrices: Sequence[Tensor], bias: Tensor | None) -> Tensor:
    first, bias, *pairs = _lowered(xs[0], bias, *xs[1:], *matrices)
    out: Tensor = _Sum.apply(bias, first, *pairs)
    return out


def gate(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """LAFFN's gate of two token maps ``B x H x W x C``, in fp32 at least."""
    out: Tensor = _Gate.apply(q.flatten(1, 2), k.flatten(1, 2), scale)
    return out.view_as(q)


def along_height(tokens: Tensor, linear: nn.Linear) -> Tensor:
    """A linear map H -> H of every column and channel."""
    b, h, w, c = tokens.shape
    return _left_product(linear, tokens.view(b, h, w * c)).view(b, h, w, c)


def along_width(tokens: Tensor, linear: nn.Linear) -> Tensor:
    """A linear map W -> W of every row and channel."""
    b, h, w, c = tokens.shape
    return _left_product(linear, tokens.view(b * h, w, c)).view(b, h, w, c)


def _left_product(linear: nn.Linear, x: Tensor) -> Tensor:
    """``A x (+ bias)`` for every matrix of the batch ``M x n x m``; matmul would transpose it."""
    weight = linear.weight.expand(len(x), -1, -1)
    if linear.bias is None:
        return torch.bmm(weight, x)
    return torch.baddbmm(linear.bias[:, None], weight, x)


def local(x: Tensor, layers: nn.Sequential) -> Tensor:
    """Depthwise 1 x k, k x 1 and perhaps BN of a map ``B x C x H x W``.

    Without a bias in between, 1 x 3 and 3 x 1 are one 3 x 3 kernel of rank one, zero padding
    included; for 1 x 7 and 7 x 1 one kernel would be slower than the two.
    """
    row: Any
    column: Any
    row, column, *rest = layers
    k = row.kernel_size[1]
    if k == 3 and row.bias is None:
        kernel = row.weight * column.weight
        x = F.conv2d(x, kernel, column.bias, padding=1, groups=x.shape[1])
    else:
        if x.device.type == "cpu" and k > 3:
            x = _AlongRow.apply(*_lowered(x, row.weight, row.bias))
        else:
            x = row(x)
        x = column(x)
    for layer in rest:
        x = layer(x)
    return x
