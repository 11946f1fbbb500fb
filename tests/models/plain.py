"""The blocks as plainly as torch can say them, module by module: the oracle of the fast paths.

Each function is the forward pass of one class of ``mednext.models.blocks`` with its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.blocks import FFN, LAFFN, SDFFN, SEM, MEDBlock
from mednext.models.layers import LayerNorm2d


def norm(block: Any, x: Tensor) -> Tensor:
    mean = x.mean(dim=1, keepdim=True)
    variance = (x - mean).square().mean(dim=1, keepdim=True)
    x = (x - mean) / (variance + block.eps).sqrt()
    return x * block.weight[:, None, None] + block.bias[:, None, None]


def laffn(block: Any, x: Tensor) -> Tensor:
    q, k = block.q(x), block.k(x)
    gate = q.softmax(dim=1) * k.flatten(2).softmax(dim=2).reshape(k.shape)
    if block.scale == "nc":
        gate = gate * (x.shape[1] * x.shape[2] * x.shape[3])
    return block.v(gate)


def sem(block: Any, x: Tensor) -> Tensor:
    q, k = block.qk(x).chunk(2, dim=1)
    along_h = block.axis_h(q.transpose(2, 3)).transpose(2, 3)
    axes = block.axes(torch.cat([along_h, block.axis_w(q)], dim=1))
    views = (block.local3(q), block.local7(q), axes)
    joined = torch.cat(views, dim=1) if block.fusion == "cat" else views[0] + views[1] + views[2]
    return block.v(block.join(joined) * k)


def sdffn(block: Any, x: Tensor) -> Tensor:
    return block.project(F.gelu(block.local(block.expand(x))))


def ffn(block: Any, x: Tensor) -> Tensor:
    return block.project(F.gelu(block.expand(x)))


def med(block: Any, x: Tensor) -> Tensor:
    for part in block.parts:
        x = x + part(x)
    return x


PLAIN = {LayerNorm2d: norm, LAFFN: laffn, SEM: sem, SDFFN: sdffn, FFN: ffn, MEDBlock: med}


@contextmanager
def plain(model: nn.Module) -> Iterator[None]:
    """Inside, the parts of ``model`` compute as written above."""
    changed = [m for m in model.modules() if type(m) in PLAIN]
    for module in changed:
        module.forward = partial(PLAIN[type(module)], module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward
