"""What a pass of a network asks of any device, operation by operation, without running it.

The pass is followed on torch's meta device, below autograd, so that forward and backward pass are
seen as the operations that a GPU launches. Each operation is its arithmetic, its traffic to memory
and one launch; :mod:`mednext.planning.roofline` gives each the time of the slowest of the three.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from mednext.config import Task
from mednext.cost.memory import PeakBytes

WITHOUT_KERNEL = frozenset(
    ("detach", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
)
ADAM_TRAFFIC = 28
"""Bytes per parameter of one fused step of Adam in fp32: weight, gradient and two moments are read,
weight and moments written."""
ADAM_FLOPS = 15
"""About, per parameter; never what such a step takes its time for."""
TENSORS_PER_LAUNCH = 30
"""About how many parameters' tensors one launch of a fused optimiser takes."""


class Operation(NamedTuple):
    """One kind of operation of a pass, and how often it comes."""

    tensor_flops: float
    """Of matrix products and dense or grouped convolutions: what tensor cores can do."""
    vector_flops: float
    """Of depthwise convolutions, and one per element written by everything else."""
    bytes: float
    """Read and written once each; what several operations share is moved by each of them."""
    times: int


@dataclass(frozen=True)
class Work:
    """A pass over one batch."""

    operations: tuple[Operation, ...]
    peak_bytes: int
    """The most that is alive at once, without workspaces."""

    @property
    def launches(self) -> int:
        """Operations that start a kernel."""
        return sum(operation.times for operation in self.operations)

    @property
    def flops(self) -> float:
        """Of matrix products and convolutions of all kinds."""
        return sum(o.times * o.tensor_flops for o in self.operations)


class Recorder(PeakBytes):
    """Sees every operation; use it as a context. See :func:`training_work`."""

    def __init__(self, present: list[Tensor]) -> None:
        super().__init__(present)
        self.found: Counter[tuple[float, float, float]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run ``func`` and note what it asks for."""
        out = super().__torch_dispatch__(func, types, args, kwargs)
        if _is_view(func) or func._schema.name.removeprefix("aten::") in WITHOUT_KERNEL:
            return out
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        tensor, vector = _flops(func, args, kwargs or {}, out)
        if not tensor and not vector:
            vector = float(sum(t.numel() for t in outputs))
        traffic = sum(map(_bytes, inputs)) + sum(map(_bytes, outputs))
        self.found[tensor, vector, float(traffic)] += 1
        return out

    def work(self) -> Work:
        """All that was seen."""
        return Work(tuple(Operation(*what, n) for what, n in self.found.items()), self.peak)


def _is_view(func: Any) -> bool:
    """Does it only look at memory that is there?"""
    results = [r.alias_info for r in func._schema.returns]
    return bool(results) and all(a is not None and not a.is_write for a in results)


def _bytes(tensor: Tensor) -> int:
    """What has to be moved for all of its elements; an expanded one lies in memory only once."""
    return min(tensor.numel() * tensor.itemsize, tensor.untyped_storage().nbytes())


def _flops(func: Any, args: Any, kwargs: Any, out: Any) -> tuple[float, float]:
    """Of a product or convolution: for tensor cores, or (a channel by itself) for the others."""
    name = func._schema.name.removeprefix("aten::")
    if name in ("convolution", "convolution_backward"):
        backward = name == "convolution_backward"
        x, weight = args[1:3] if backward else args[:2]
        # (grad_out, x, w, bias_sizes, stride, padding, dilation, transposed, output_padding,
        # groups, mask) or (x, w, bias, stride, padding, dilation, transposed, output_padding,
        # groups)
        transposed, groups = (args[7], args[9]) if backward else (args[6], args[8])
        places = x if transposed else (args[0] if backward else out)
        once = 2.0 * weight.numel() * places.shape[0] * math.prod(places.shape[2:])
        # The gradients of input and weights are a convolution each.
        flops = once * (sum(args[10][:2]) if backward else 1)
        return (0.0, flops) if groups > 1 and weight.shape[1] == 1 else (flops, 0.0)
    counter = flop_registry.get(func._overloadpacket)
    return (float(counter(*args, **kwargs, out_val=out)), 0.0) if counter else (0.0, 0.0)


@contextmanager
def _followed(model: nn.Module, *inputs: Tensor) -> Iterator[Recorder]:
    # Fused kernels of attention have no rule on the meta device in training; their products count
    # the same. What a fused kernel spares in traffic is an error on the safe side.
    math_only = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    recorder = Recorder([*inputs, *model.parameters(), *model.buffers()])
    with math_only, recorder:
        yield recorder


def training_work(model: nn.Module, shape: tuple[int, ...], task: Task) -> Work:
    """One fp32 training step: forward pass, loss, backward pass, optimiser.

    Args:
        model: on torch's meta device.
        shape: ``B x C x H x W`` of the images.
        task: ``classification`` (a label per image) or ``segmentation`` (one per pixel).

    >>> from mednext.cost.complexity import on_meta
    >>> work = training_work(on_meta("resnet18", 2, 64), (4, 3, 64, 64), "classification")
    >>> 150 < work.launches < 400
    True
    """
    images = torch.zeros(shape, device="meta")
    labels_shape = shape[:1] if task == "classification" else (shape[0], *shape[2:])
    labels = torch.zeros(labels_shape, dtype=torch.long, device="meta")
    extra = getattr(model.train(), "auxiliary_loss", None)
    with _followed(model, images, labels) as recorder:
        loss = F.cross_entropy(model(images), labels)
        if extra is not None:
            loss = loss + extra(images)
        loss.backward()
    found = recorder.work()
    parameters = list(model.parameters())
    model.zero_grad(set_to_none=True)
    tensors = math.ceil(len(parameters) / TENSORS_PER_LAUNCH)
    count = sum(p.numel() for p in parameters)
    adam = Operation(0.0, ADAM_FLOPS * count / tensors, ADAM_TRAFFIC * count / tensors, tensors)
    moments = 2 * sum(map(_bytes, parameters))
    return Work((*found.operations, adam), found.peak_bytes + moments)


def prediction_work(model: nn.Module, shape: tuple[int, ...]) -> Work:
    """One fp32 forward pass in evaluation over images of ``shape``."""
    images = torch.zeros(shape, device="meta")
    with torch.no_grad(), _followed(model.eval(), images) as recorder:
        model(images)
    return recorder.work()
