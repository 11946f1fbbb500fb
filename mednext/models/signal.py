"""How much of what comes out of each part of a MED block depends on the image at all.

LAFFN as printed multiplies a softmax over C by a softmax over N: its output is about 1 / (N C), so
next to the residual stream it is a constant (the bias of M_v) and its weights get hardly any
gradient. This measures that, part by part, for any network of MED blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.errors import UserError
from mednext.models.blocks import MEDBlock


@dataclass(frozen=True)
class PartSignal:
    """One part of one block."""

    module: str
    """Its name in the network, ``stages.0.1.parts.0`` say."""
    part: str
    """Its class: LAFFN, SEM, SDFFN, FFN, SA."""
    channels: int
    positions: int
    """H x W of the map."""
    branch_std: float
    """Standard deviation over the images of the part's output, RMS over channels and positions."""
    stream_std: float
    """The same of the residual stream that the output is added to."""
    ratio: float
    """``branch_std / stream_std``: 0 means that the part adds a constant."""
    grad_rms: float
    """Root mean square of the loss's gradient over the part's weight matrices and kernels."""
    weight_rms: float
    """The same of the weights themselves."""


def measure_signal(model: nn.Module, images: Tensor, target: Tensor) -> list[PartSignal]:
    """Measure every part of every MED block of ``model`` on one batch.

    "Depends on the image" means: differs from its mean over the batch at the same channel and
    position. That leaves out biases and whatever else is the same for all images. Gradients are
    those of the mean cross-entropy.

    The network is copied and stays as it is; the copy works in the mode ``model`` is in. Before
    training use ``train()``: the running statistics of BN mean nothing yet.

    Args:
        model: a network with :class:`~mednext.models.blocks.MEDBlock` in it.
        images: ``B x C x S x S``, at least two.
        target: classes (B,) or label maps (B, S, S).

    Raises:
        UserError: no MED block in the network, or fewer than two images.
    """
    model = deepcopy(model)
    parts = list(_parts(model))
    if not parts:
        raise UserError(
            "the signal of this network cannot be measured",
            found=type(model).__name__,
            expected="a network of MED blocks (MedNeXt, MedUNeXt and their variants)",
        )
    if len(images) < 2:
        raise UserError("one image says nothing of differences between images", found="1 image")
    spread: dict[str, tuple[float, float, torch.Size]] = {}

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            spread[name] = (_image_std(output), _image_std(inputs[0]), output.shape)

        return hook

    for name, part in parts:
        part.register_forward_hook(watch(name))
    loss = F.cross_entropy(model(images).float(), target)
    rows = []
    for name, part in parts:
        weights = tuple(p for p in part[1].parameters() if p.ndim > 1)
        grads = torch.autograd.grad(loss, weights, retain_graph=True) if weights else ()
        branch, stream, shape = spread[name]
        rows.append(
            PartSignal(
                module=name,
                part=type(part[1]).__name__,
                channels=shape[1],
                positions=shape[2] * shape[3],
                branch_std=branch,
                stream_std=stream,
                ratio=branch / stream if stream else math.nan,
                grad_rms=_rms(grads),
                weight_rms=_rms(weights),
            )
        )
    return rows


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Sequential]]:
    """The branches (LayerNorm, part) of all MED blocks, by name, in the order of the network."""
    for name, module in model.named_modules():
        if isinstance(module, MEDBlock):
            for child, part in module.parts.named_children():
                assert isinstance(part, nn.Sequential)  # as MEDBlock builds them
                yield f"{name}.parts.{child}", part


def _image_std(x: Tensor) -> float:
    """RMS over channels and positions of the standard deviation over the images."""
    return float(x.detach().double().var(dim=0).mean().sqrt())


def _rms(tensors: tuple[Tensor, ...]) -> float:
    """Root mean square over all elements; 0 without any."""
    count = sum(t.numel() for t in tensors)
    total = sum(float(t.detach().double().square().sum()) for t in tensors)
    return math.sqrt(total / count) if count else 0.0
