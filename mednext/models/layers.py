"""Small parts that several networks share: LayerNorm over channels and checks of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.errors import UserError

_AS_DEFINED: ContextVar[bool] = ContextVar("as_defined", default=False)


@contextmanager
def as_defined() -> Iterator[None]:
    """Inside, the blocks run as they are defined, module by module, to be counted or described."""
    token = _AS_DEFINED.set(True)
    try:
        yield
    finally:
        _AS_DEFINED.reset(token)


def runs_fast() -> bool:
    """Whether a block may take its fast path: not where its operations are looked at.

    Counters, exporters and compilers are given the definition.
    """
    # The compiler first: it cannot look into a context variable.
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing() or _AS_DEFINED.get())


def chunked_forward(layers: Callable[[Tensor], Tensor], x: Tensor, many: int) -> Tensor:
    """``layers(x)``; for inference on a CPU ``many`` images at a time, whose maps the caches hold.

    Args:
        layers: treats every image by itself.
        x: images or maps, batch first.
        many: images at a time.
    """
    # Exporters, which keep the batch free, must not be asked for its size.
    if not runs_fast() or torch.is_grad_enabled() or x.device.type != "cpu" or len(x) <= many:
        return layers(x)
    return torch.cat([layers(some) for some in x.split(many)])


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over C of a ``B x C x H x W`` map, with affine weights (2C parameters)."""

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


def check_map(x: Tensor, who: str, channels: int, size: tuple[int, int] | None = None) -> None:
    """Refuse anything but ``B x channels x H x W`` with ``(H, W) == size`` (any size if None).

    Raises:
        UserError: wrong number of dimensions, channels, height or width.
    """
    if x.ndim != 4:
        raise UserError(
            f"{who}: the input has the wrong number of dimensions",
            found=f"shape {tuple(x.shape)}",
            expected=f"B x {channels} x H x W",
        )
    if x.shape[1] != channels:
        raise UserError(
            f"{who}: the input has the wrong number of channels",
            found=f"{x.shape[1]} in shape {tuple(x.shape)}",
            expected=str(channels),
        )
    if size is not None and tuple(x.shape[2:]) != size:
        raise UserError(
            f"{who}: the input has the wrong height and width",
            found=f"{x.shape[2]} x {x.shape[3]}",
            expected=f"{size[0]} x {size[1]}",
            remedy="build the network with the img_size of the images, or resize the images",
        )


def check_multiple(who: str, img_size: int, multiple: int, at_least: int | None = None) -> None:
    """Refuse an image size that the network cannot halve often enough.

    Raises:
        UserError: ``img_size`` is not a multiple of ``multiple``, or below ``at_least`` (one
            multiple if None).
    """
    least = at_least or multiple
    if img_size < least or img_size % multiple:
        lower = max(img_size // multiple * multiple, least)
        raise UserError(
            f"{who}: images of this size cannot be taken",
            found=f"img_size = {img_size}",
            expected=f"a multiple of {multiple}" + (f", at least {least}" if at_least else ""),
            remedy=f"use {lower} or {lower + multiple}",
        )


def check_rate(who: str, option: str, value: float) -> None:
    """Refuse what is no probability below 1.

    Raises:
        UserError: ``value`` is below 0, or 1 and more.
    """
    if not 0 <= value < 1:
        raise UserError(
            f"{who}: impossible value of '{option}'",
            found=repr(value),
            expected="a probability, from 0 to less than 1",
        )


def conv1x1(channels: int, out: int, bias: bool = False) -> nn.Conv2d:
    """A pointwise convolution: a linear map C -> out at every position."""
    return nn.Conv2d(channels, out, 1, bias=bias)


def take_former_name(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Let ``module`` load weights that were stored when its layer ``join`` was called ``fuse``.

    timm calls whatever a network has by that name to fold it. The new name sorts where the old one
    did: files of weights hold the same bytes behind their header.
    """
    former = f"{prefix}fuse."
    for name in [name for name in state if name.startswith(former)]:
        state[f"{prefix}join.{name.removeprefix(former)}"] = state.pop(name)


def in_type_of(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """``conv(x)`` in the type of ``x``, whatever that of the weights."""
    if conv.weight.dtype == x.dtype:
        out: Tensor = conv(x)
        return out
    bias = None if conv.bias is None else conv.bias.to(x.dtype)
    return F.conv2d(x, conv.weight.to(x.dtype), bias)


def depthwise(channels: int, kernel: tuple[int, int], bias: bool = False) -> nn.Conv2d:
    """A depthwise convolution that keeps the size (odd kernels only)."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Conv2d(channels, channels, kernel, padding=padding, groups=channels, bias=bias)


def lowered_to(x: Tensor) -> torch.dtype | None:
    """The type that autocast gives to products on the device of ``x``; None where it is off."""
    kind = x.device.type
    on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if on else None


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Context in which autocast is off on the device of ``x``."""
    # Devices without autocast (meta, on which networks are counted) take the CPU's switch.
    device = x.device.type if torch.amp.is_autocast_available(x.device.type) else "cpu"
    if not torch.is_autocast_enabled(device):
        return nullcontext()  # to enter and leave autocast takes as long as a small operation
    return torch.autocast(device, enabled=False)
