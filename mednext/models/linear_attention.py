"""The steps from self-attention to LAFFN that the paper's Fig. 2 shows beside it.

No table evaluates them; they are options of the MED block (``attn``).
"""

from __future__ import annotations

from torch import Tensor, nn

from mednext.models.layers import check_map, conv1x1, full_precision


def factorised(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """``softmax_C(q) (softmax_N(k)^T v)``: Eq. 6 times V, in O(N C^2) and without an N x N matrix.

    The product is associative, so the C x C matrix of keys and values is made first.

    Args:
        q: queries, ``B x C x H x W`` like the others.
        k: keys.
        v: values.
    """
    context = k.flatten(2).softmax(dim=2) @ v.flatten(2).transpose(1, 2)  # B x C (k) x C (v)
    out = context.transpose(1, 2) @ q.flatten(2).softmax(dim=1)
    return out.reshape(v.shape)


class LinearAttention(nn.Module):
    """Fig. 2B, Eq. 6: attention whose two softmaxes, over C and over N, factorise it.

    3 C^2 weights. As in LAFFN the softmaxes run in fp32 even under autocast.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.q, self.k, self.v = (conv1x1(dim, dim) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape and type."""
        check_map(x, "LinearAttention", self.dim)
        with full_precision(x):
            full = x.float()
            out = factorised(self.q(full), self.k(full), self.v(full))
        return out.to(x.dtype)


class SimplifiedLinearAttention(nn.Module):
    """Fig. 2C, Eq. 7: the same with Q = K = V = the input; no weights."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape and type."""
        check_map(x, "SimplifiedLinearAttention", self.dim)
        with full_precision(x):
            out = factorised(x.float(), x.float(), x.float())
        return out.to(x.dtype)
