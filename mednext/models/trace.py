"""Read the graph of a network off its forward pass: which modules and operations, in which order.

Modules without children, and those that are asked for, become one node each; of what happens
between them the operations on tensors become nodes. Nothing is written down twice, so a network
that changes is described as what it became.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mednext.architecture import Node
from mednext.errors import UserError
from mednext.models.layers import as_defined

Leaf = Callable[[str, nn.Module], bool]
# Other arrangements of the same numbers.
ALIASES = {
    "reshape", "view", "flatten", "unflatten", "transpose", "permute", "contiguous", "float", "to",
    "clone", "repeat", "squeeze", "unsqueeze",
}  # fmt: skip
OPS = {
    "mul": "mul", "__mul__": "mul", "__rmul__": "mul", "add": "add", "__add__": "add",
    "iadd": "add", "__iadd__": "add", "matmul": "matmul", "__matmul__": "matmul", "cat": "cat",
    "softmax": "softmax", "mean": "mean", "relu": "relu", "gelu": "gelu",
    "scaled_dot_product_attention": "attention",
}  # fmt: skip
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU)
NORMS = (nn.BatchNorm2d, nn.LayerNorm)
# What an overview draws with the module before it, and what never has something drawn with it.
FOLLOWERS = {kind.__name__ for kind in (*ACTIVATIONS, *NORMS)} | {"BatchNormAct2d", "relu", "gelu"}
UNFOLLOWED = {"input", "mean", "cat", "add", "mul", "AdaptiveAvgPool2d", "SelectAdaptivePool2d"}


class _Recorder(TorchFunctionMode):
    """Nodes of one forward pass; tensors are known by identity, hence all of them are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.inside = 0
        """How many recorded modules are running: what they do is theirs."""
        self._from: dict[int, int] = {}
        self._kept: list[Tensor] = []

    def made(self, tensor: Tensor, node: int) -> None:
        self._from[id(tensor)] = node
        self._kept.append(tensor)

    def sources(self, value: Any) -> list[int]:
        """Ids of the nodes behind all tensors in ``value``, in order, each once."""
        if isinstance(value, Tensor):
            return [self._from[id(value)]] if id(value) in self._from else []
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return list(dict.fromkeys(s for item in value for s in self.sources(item)))
        return []

    def add(self, op: str, out: Tensor, sources: list[int], **more: Any) -> None:
        fields = {"name": "", "params": 0, **more}
        node = Node(
            id=len(self.nodes), op=op, shape=tuple(out.shape[1:]), inputs=tuple(sources), **fields
        )
        self.nodes.append(node)
        self.made(out, node.id)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        sources = [] if self.inside else self.sources([args, kwargs or {}])
        out = func(*args, **(kwargs or {}))
        if not sources:
            return out
        name = getattr(func, "__name__", str(func))
        if name in ("chunk", "split"):
            for index, piece in enumerate(out):
                self.add("split", piece, sources, detail=f"part {index + 1} of {len(out)}")
        elif isinstance(out, Tensor):
            if name in ALIASES:
                self.made(out, sources[0])
            elif name in OPS:
                self.add(OPS[name], out, sources, detail=_detail(name, args, kwargs or {}))
            else:
                raise UserError(
                    "a network does something that its description has no word for",
                    found=name,
                    expected=", ".join(sorted({*ALIASES, *OPS})),
                    remedy="add it to mednext/models/trace.py",
                )
        return out


def _detail(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What a softmax or mean runs over; the number that something is multiplied by."""
    if name in ("softmax", "mean"):
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        first = dim[0] if isinstance(dim, tuple | list) else dim
        return "over channels" if first == 1 else "over positions"
    numbers = [a for a in args if isinstance(a, int | float)]
    return f"by {numbers[0]:g}" if numbers and name in ("mul", "__mul__", "__rmul__") else ""


def _module_fields(name: str, module: nn.Module) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": name,
        "params": sum(p.numel() for p in module.parameters()),
    }
    size = getattr(module, "kernel_size", None)
    if size is not None:
        pair = size if isinstance(size, tuple) else (size, size)
        stride: Any = module.stride
        fields["kernel"] = pair
        fields["stride"] = stride[0] if isinstance(stride, tuple) else stride
        fields["groups"] = getattr(module, "groups", None)
    return fields


def trace(module: nn.Module, shape: tuple[int, ...], leaf: Leaf) -> list[Node]:
    """Nodes of one forward pass over zeros of ``shape`` (batch first), the input being the first.

    Args:
        module: a network or a part of one, on any device; nothing is trained.
        shape: of its input.
        leaf: (path, module) -> is it one node? Modules without children always are.

    Raises:
        UserError: an operation between the modules is not known.
    """
    recorder = _Recorder()
    parameter = next(module.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("meta")
    image = torch.zeros(shape, device=device)
    recorder.add("input", image, [])
    handles = []
    for name, part in module.named_modules():
        if part is module or not (leaf(name, part) or not list(part.children())):
            continue

        def enter(part: nn.Module, inputs: Any) -> None:
            recorder.inside += 1

        def leave(part: nn.Module, inputs: Any, out: Tensor, name: str = name) -> None:
            recorder.inside -= 1
            if recorder.inside:
                return
            sources = recorder.sources(inputs)
            if isinstance(part, nn.Identity | nn.Dropout):
                recorder.made(out, sources[0])
            else:
                recorder.add(type(part).__name__, out, sources, **_module_fields(name, part))

        handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
    training = module.training
    try:
        with torch.no_grad(), as_defined(), recorder:
            module.eval()(image)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    return recorder.nodes


def input_shape(model: nn.Module, part: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what ``part`` of ``model`` is given when the model is given ``shape``."""
    seen: list[tuple[int, ...]] = []
    handle = part.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(shape, device=next(model.parameters()).device))
    finally:
        handle.remove()
    return seen[0]


def _same_block(node: Node, before: Node) -> bool:
    """Two modules with parts inside, of one class and one size; single layers stay apart."""
    plain = node.kernel is not None or not node.name
    return not plain and (node.op, node.shape) == (before.op, before.shape)


def condense(nodes: list[Node], blocks: bool = True, followers: bool = True) -> list[Node]:
    """Fewer nodes for an overview, and numbered anew.

    Args:
        nodes: of :func:`trace`.
        blocks: equal modules in a row become one node.
        followers: normalisation and activation join the module right before them.
    """
    kept: dict[int, Node] = {}
    stands_for: dict[int, int] = {}
    readers: dict[int, int] = {}
    for node in nodes:
        for source in node.inputs:
            readers[source] = readers.get(source, 0) + 1
    for node in nodes:
        inputs = tuple(stands_for[i] for i in node.inputs)
        node = node.model_copy(update={"inputs": inputs})
        before = kept.get(inputs[0]) if len(inputs) == 1 else None
        alone = before is not None and readers[nodes[node.id].inputs[0]] == 1
        if before is not None and alone and before.op != "input":
            change: dict[str, Any] | None = None
            if followers and node.op in FOLLOWERS and before.op not in UNFOLLOWED:
                change = {"then": (*before.then, node.op)}
            elif blocks and _same_block(node, before):
                change = {"repeat": before.repeat + 1}
            if change is not None:
                change["params"] = before.params + node.params
                kept[before.id] = before.model_copy(update=change)
                stands_for[node.id] = before.id
                continue
        kept[node.id] = node
        stands_for[node.id] = node.id
    number = {old: new for new, old in enumerate(kept)}
    return [
        node.model_copy(update={"id": number[old], "inputs": tuple(number[i] for i in node.inputs)})
        for old, node in kept.items()
    ]
