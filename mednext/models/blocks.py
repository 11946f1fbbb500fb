"""The blocks of the paper (10.1371/journal.pone.0340108): LAFFN, SEM, SDFFN, their stand-ins of
the ablations (SA, FFN) and the MED block that joins them (Eqs. 1-3).

The text leaves widths, biases and the order of some operations open. They were recovered from the
parameter and FLOP counts of Tables 7 and 8: LAFFN holds 3 C^2 weights, SEM 8 C^2 (ratio 1) or
2.75 C^2 (ratio 1/2), SDFFN 2 C^2 + 9 C. Where the counts and the text differ, the default follows
the counts and the text is an option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mednext.models import fast
from mednext.models.arguments import check_choice
from mednext.models.layers import (
    LayerNorm2d,
    check_map,
    conv1x1,
    depthwise,
    full_precision,
    in_type_of,
    lowered_to,
    runs_fast,
    take_former_name,
)
from mednext.models.linear_attention import LinearAttention, SimplifiedLinearAttention

LaffnScale = Literal["none", "nc"]
SemFusion = Literal["cat", "sum"]
Attention = Literal["laffn", "linear", "linear_simple"]
Enhancement = Literal["sem", "sa"]
FeedForward = Literal["sdffn", "smooth", "ffn"]


class LAFFN(nn.Module):
    """Linear attention feed-forward network: ``M_v(softmax_C(M_q x) * softmax_N(M_k x))``.

    Linear in the N = H W positions; 3 C^2 weights and C biases (those of M_v). The softmaxes run
    over the channels (q) and over the positions (k), so their product averages 1 / (N C). Under
    autocast to bf16 the three products are bf16, the softmaxes and the gate fp32; in fp16, whose
    exponent is too short for such numbers, the whole block is fp32.

    Args:
        dim: channels C.
        scale: ``none`` is the printed equation; ``nc`` multiplies the product by N C, which makes
            it a gate of mean about 1 whatever the size.
        query_bias: M_q has a bias, too (C more). M_k never has one: the softmax over positions
            does not see it.
    """

    def __init__(self, dim: int, scale: LaffnScale = "none", query_bias: bool = False) -> None:
        super().__init__()
        check_choice("LAFFN", "scale", scale, ("none", "nc"))
        self.dim, self.scale = dim, scale
        self.q = conv1x1(dim, dim, bias=query_bias)
        self.k = conv1x1(dim, dim)
        self.v = conv1x1(dim, dim, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape and type."""
        check_map(x, "LAFFN", self.dim)
        layers = self._fast if runs_fast() else self._defined
        if lowered_to(x) == torch.bfloat16:
            return layers(x).to(x.dtype)
        with full_precision(x):
            return layers(x.to(fast.wide(x))).to(x.dtype)

    def _defined(self, x: Tensor) -> Tensor:
        q, k = in_type_of(x, self.q), in_type_of(x, self.k)
        over_channels = q.softmax(dim=1, dtype=fast.wide(q))
        over_positions = k.flatten(2).softmax(dim=2, dtype=fast.wide(k))
        if self.scale == "nc":  # factor by factor: N C itself is beyond the range of fp16
            over_channels = over_channels * self.dim
            over_positions = over_positions * over_positions.shape[2]
        return in_type_of(over_channels * over_positions.reshape(k.shape), self.v)

    def _fast(self, x: Tensor) -> Tensor:
        maps = [fast.matrix_and_bias(c, x.dtype) for c in (self.q, self.k)]
        q, k = fast.dual_linear(fast.tokens_of(x), *maps)
        gate = fast.gate(q, k, x[0].numel() if self.scale == "nc" else 1)
        return fast.map_of(F.linear(gate, *fast.matrix_and_bias(self.v, x.dtype)))


class SEM(nn.Module):
    """Spatial Encoding Module: three views of q, fused, gate k (Eqs. 11-15).

    z0: depthwise 1x3 then 3x1; z1: depthwise 1x7 then 7x1; z2: linear maps along H and along W,
    joined by a pointwise map. out = W_v(join(z0, z1, z2) * W_k x), with h = ratio C inner channels.

    Args:
        dim: channels C.
        size: (H, W) of the map; the linear maps along the axes are built for it.
        ratio: inner width over C (1 in MedNeXt, 1/2 in MedUNeXt, from the printed counts).
        fusion: ``cat`` fuses the concatenation by a 3h -> h map, the count of the tables; ``sum``
            is Eq. 12 as it stands: the sum of the three, then h -> h.
        bias_norm: every linear map has a bias, and BN follows z0 and z1. Off in MedNeXt and on in
            MedUNeXt: the choice that meets the last digits of Tables 7 and 8.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        ratio: float = 1.0,
        fusion: SemFusion = "cat",
        bias_norm: bool = False,
    ) -> None:
        super().__init__()
        check_choice("SEM", "sem_fusion", fusion, ("cat", "sum"))
        self.dim, self.size, self.fusion = dim, size, fusion
        inner = round(dim * ratio)
        self.qk = conv1x1(dim, 2 * inner, bias_norm)  # W_q and W_k in one product
        self.local3 = self._local(inner, 3, bias_norm)
        self.local7 = self._local(inner, 7, bias_norm)
        self.axis_h = nn.Linear(size[0], size[0], bias=bias_norm)
        self.axis_w = nn.Linear(size[1], size[1], bias=bias_norm)
        self.axes = conv1x1(2 * inner, inner, bias_norm)
        self.join = conv1x1(3 * inner if fusion == "cat" else inner, inner, bias_norm)
        self.v = conv1x1(inner, dim, bias_norm)
        self.register_load_state_dict_pre_hook(take_former_name)

    @staticmethod
    def _local(inner: int, kernel: int, bias_norm: bool) -> nn.Sequential:
        """Depthwise 1 x kernel, then kernel x 1."""
        layers: list[nn.Module] = [
            depthwise(inner, (1, kernel), bias_norm),
            depthwise(inner, (kernel, 1), bias_norm),
        ]
        return nn.Sequential(*layers, *([nn.BatchNorm2d(inner)] if bias_norm else []))

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape.

        Raises:
            UserError: other channels, or other H, W than the module was built for.
        """
        check_map(x, "SEM", self.dim, self.size)
        return self._fast(x) if runs_fast() else self._defined(x)

    def _defined(self, x: Tensor) -> Tensor:
        q, k = self.qk(x).chunk(2, dim=1)
        along_h = self.axis_h(q.transpose(2, 3)).transpose(2, 3)
        views = (
            self.local3(q),
            self.local7(q),
            self.axes(torch.cat([along_h, self.axis_w(q)], dim=1)),
        )
        joined = torch.cat(views, dim=1) if self.fusion == "cat" else views[0] + views[1] + views[2]
        out: Tensor = self.v(self.join(joined) * k)
        return out

    def _fast(self, x: Tensor) -> Tensor:
        wq, wk = self.qk.weight.flatten(1).chunk(2)
        bq, bk = (None, None) if self.qk.bias is None else self.qk.bias.chunk(2)
        q, k = fast.dual_linear(fast.tokens_of(x), (wq, bq), (wk, bk))
        along = fast.along_height(q, self.axis_h), fast.along_width(q, self.axis_w)
        near, far = (
            fast.tokens_of(fast.local(fast.map_of(q), layers))
            for layers in (self.local3, self.local7)
        )
        if self.fusion == "cat":
            joined = fast.fused(near, far, along, self.axes, self.join)
        else:
            joined = fast.product(near + far + fast.sum_of_products(along, self.axes), self.join)
        return fast.map_of(fast.product(joined * k, self.v))


class SDFFN(nn.Module):
    """Smooth DwConv FFN: 1x1, depthwise 3x3, GELU, 1x1, all C wide.

    2 C^2 + 9 C weights and 3 C biases. The text names no activation; GELU after the depthwise
    convolution is this project's choice (it costs no parameters).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.expand = conv1x1(dim, dim, bias=True)
        self.local = depthwise(dim, (3, 3), bias=True)
        self.project = conv1x1(dim, dim, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        check_map(x, "SDFFN", self.dim)
        if runs_fast():
            wide = fast.map_of(fast.product(fast.tokens_of(x), self.expand))
            y = fast.tokens_of(F.gelu(self.local(wide)))
            return fast.map_of(fast.product(y, self.project))
        out: Tensor = self.project(F.gelu(self.local(self.expand(x))))
        return out


class FFN(nn.Module):
    """The usual feed-forward network of the ablations: C -> ratio C, GELU, -> C.

    With ratio 1 it is the smooth FFN of Fig. 4B: SDFFN without its depthwise convolution.
    """

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.dim = dim
        self.expand = conv1x1(dim, ratio * dim, bias=True)
        self.project = conv1x1(ratio * dim, dim, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        check_map(x, "FFN", self.dim)
        if runs_fast():
            y = F.gelu(fast.product(fast.tokens_of(x), self.expand))
            return fast.map_of(fast.product(y, self.project))
        out: Tensor = self.project(F.gelu(self.expand(x)))
        return out


class SA(nn.Module):
    """Multi-head self-attention of the ablations (4 C^2 weights), optionally with fewer keys.

    Args:
        dim: channels C.
        reduction: keys and values are read from a map this many times smaller, made by a strided
            convolution and LayerNorm (Pyramid Vision Transformer, 10.1109/ICCV48922.2021.00061).
        head_dim: channels per head; C below it means one head.
    """

    def __init__(self, dim: int, reduction: int = 1, head_dim: int = 64) -> None:
        super().__init__()
        self.dim = dim
        self.heads = max(dim // head_dim, 1)
        self.q = conv1x1(dim, dim, bias=True)
        self.kv = conv1x1(dim, 2 * dim, bias=True)
        self.project = conv1x1(dim, dim, bias=True)
        self.reduce = (
            nn.Sequential(nn.Conv2d(dim, dim, reduction, stride=reduction), LayerNorm2d(dim))
            if reduction > 1
            else nn.Identity()
        )

    def _split(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> ``B x heads x N x C/heads``."""
        return x.reshape(x.shape[0], self.heads, self.dim // self.heads, -1).transpose(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        check_map(x, "SA", self.dim)
        k, v = self.kv(self.reduce(x)).chunk(2, dim=1)
        out = F.scaled_dot_product_attention(self._split(self.q(x)), self._split(k), self._split(v))
        projected: Tensor = self.project(out.transpose(2, 3).reshape(x.shape))
        return projected


class MEDBlock(nn.Module):
    """Pre-norm residual block of three parts (Eqs. 1-3), each of which may be left out.

    ``x += attn(LN(x)); x += enhance(LN(x)); x += ffn(LN(x))``; LN is over C, with affine weights.

    Args:
        dim: channels C.
        size: (H, W) of the map.
        attn: ``laffn``, ``linear``, ``linear_simple`` (Fig. 2B and C) or None.
        enhance: ``sem``, ``sa`` (ablations) or None.
        ffn: ``sdffn``, ``smooth`` (Fig. 4B), ``ffn`` (ablations) or None.
        laffn_scale: see :class:`LAFFN`.
        sem_ratio: see :class:`SEM`.
        sem_fusion: see :class:`SEM`.
        sem_bias_norm: see :class:`SEM`.
        query_bias: see :class:`LAFFN`.
        ffn_ratio: see :class:`FFN`.
        sa_reduction: see :class:`SA`.
        drop_path: probability that a branch is left out for an image in training (stochastic depth,
            10.1007/978-3-319-46493-0_39).

    Attributes:
        grad_checkpointing: keep the block's input alone for the backward pass and compute the rest
            again, for less memory and more time.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        *,
        attn: Attention | None = "laffn",
        enhance: Enhancement | None = "sem",
        ffn: FeedForward | None = "sdffn",
        laffn_scale: LaffnScale = "none",
        sem_ratio: float = 1.0,
        sem_fusion: SemFusion = "cat",
        sem_bias_norm: bool = False,
        query_bias: bool = False,
        ffn_ratio: int = 4,
        sa_reduction: int = 1,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_path, self.grad_checkpointing = drop_path, False
        makers: dict[str, dict[str | None, Callable[[], nn.Module] | None]] = {
            "attn": {
                "laffn": lambda: LAFFN(dim, laffn_scale, query_bias),
                "linear": lambda: LinearAttention(dim),
                "linear_simple": lambda: SimplifiedLinearAttention(dim),
                None: None,
            },
            "enhance": {
                "sem": lambda: SEM(dim, size, sem_ratio, sem_fusion, sem_bias_norm),
                "sa": lambda: SA(dim, sa_reduction),
                None: None,
            },
            "ffn": {
                "sdffn": lambda: SDFFN(dim),
                "smooth": lambda: FFN(dim, 1),
                "ffn": lambda: FFN(dim, ffn_ratio),
                None: None,
            },
        }
        parts = []
        for option, chosen in (("attn", attn), ("enhance", enhance), ("ffn", ffn)):
            check_choice("MEDBlock", option, chosen, tuple(makers[option]))
            make = makers[option][chosen]
            if make is not None:
                parts.append(make())
        self.parts = nn.ModuleList(nn.Sequential(LayerNorm2d(dim), part) for part in parts)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        if self.grad_checkpointing and torch.is_grad_enabled():
            out: Tensor = checkpoint(self._forward, x, use_reentrant=False)
            return out
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        if runs_fast():
            x = x.contiguous(memory_format=torch.channels_last)
        for part in self.parts:
            x = x + self._some_dropped(part(x))
        return x

    def _some_dropped(self, branch: Tensor) -> Tensor:
        """Zero for some images, the others scaled to keep the mean; draws nothing at rate 0."""
        if not (self.training and self.drop_path):
            return branch
        kept = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1, 1).bernoulli_(kept).div_(kept)
