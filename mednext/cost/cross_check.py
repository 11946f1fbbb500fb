"""Two more counters beside torch's, and the operations that each of the three leaves out.

fvcore traces the network and counts matrix products, convolutions, normalisation and pooling.
ptflops hooks modules of the exact types it knows and some functions; a subclass of a known module
and matrix products written ``@`` or as einsum escape it. Fused attention is one operation that
only some counters know, so it is written out while counting.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from timm.layers import set_fused_attn, use_fused_attn
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from mednext.errors import UserError
from mednext.models.blocks import SEM
from mednext.models.layers import as_defined

MOVES = {
    *("alias", "arange", "cat", "clone", "constant_pad_nd", "copy_", "empty", "empty_like"),
    *("expand", "fill_", "full", "index", "lift_fresh", "new_empty", "new_zeros", "ones", "repeat"),
    *("replication_pad2d", "roll", "select_backward", "slice_scatter", "stack", "zeros"),
    *("promote_types", "zeros_like", "_to_copy", "_unsafe_view"),
}
"""Operations of torch that move, make or repeat numbers and compute nothing."""
ESCAPES = {torch.Tensor.matmul: "@", torch.einsum: "einsum"}
"""Matrix products that ptflops does not see. The operator is known to torch as the method (which
ptflops would see, but no network here calls)."""


@dataclass(frozen=True)
class CrossCheck:
    """Counts of one forward pass, and what was left out as ``name xtimes``."""

    gmacs_fvcore: float
    gmacs_ptflops: float | None
    """None for a network that registers a layer under two names, which ptflops counts once."""
    gmacs_without_maps: float | None
    """fvcore's count without SEM's linear maps along H and W; None for a network without them."""
    skipped_fvcore: str
    skipped_ptflops: str


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Attention as matrix products and softmax, in networks built and run inside.

    timm decides when a network is built; for others the fused function is replaced.
    """
    fused = use_fused_attn()
    set_fused_attn(False)
    try:
        with patch.object(F, "scaled_dot_product_attention", _attention):
            yield
    finally:
        set_fused_attn(bool(fused))


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention, ``... x L x d`` each."""
    scores = torch.matmul(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
    return torch.matmul(scores.softmax(dim=-1), v)


class Uncounted(TorchDispatchMode):
    """Counts the operations that compute something and that torch's counter does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note ``func`` and run it."""
        name = func.overloadpacket.__name__
        if func.overloadpacket not in flop_registry and not func.is_view and name not in MOVES:
            self.names[name] += 1
        return func(*args, **(kwargs or {}))


class _Escapes(TorchFunctionMode):
    """Counts the matrix products that ptflops does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in ESCAPES:
            self.names[ESCAPES[func]] += 1
        return func(*args, **(kwargs or {}))


def listed(names: Counter[str]) -> str:
    """``add x3, gelu x2``, by name."""
    return ", ".join(f"{name} x{times}" for name, times in sorted(names.items()))


def cross_check(model: nn.Module, same_on_meta: nn.Module, shape: tuple[int, ...]) -> CrossCheck:
    """Count one forward pass over an input of ``shape`` (batch of 1).

    Build both models inside :func:`plain_attention`, and call this there.

    Args:
        model: with weights, since fvcore traces a real pass.
        same_on_meta: the same network on the meta device, for ptflops.
        shape: ``1 x C x H x W``.

    Raises:
        UserError: ptflops gave up.
    """
    from fvcore.nn import FlopCountAnalysis
    from ptflops.pytorch_ops import MODULES_MAPPING

    with warnings.catch_warnings(), torch.no_grad(), as_defined():
        warnings.simplefilter("ignore")  # tracing warns of every size that is checked in Python
        analysis = FlopCountAnalysis(model.eval(), torch.zeros(shape))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        fvcore = analysis.total() / 1e9
        skipped_fvcore = listed(Counter(analysis.unsupported_ops()))
        by_module = analysis.by_module()
    maps = [
        by_module[f"{name}.{axis}"] / 1e9
        for name, module in model.named_modules()
        if isinstance(module, SEM)
        for axis in ("axis_h", "axis_w")
    ]
    same_on_meta.eval()
    escapes = _Escapes()
    with torch.no_grad(), as_defined(), escapes:
        unknown = _run_unknown(same_on_meta, torch.zeros(shape, device="meta"), MODULES_MAPPING)
    ptflops = _ptflops(same_on_meta, shape)
    return CrossCheck(
        round(fvcore, 6),
        ptflops,
        round(fvcore - sum(maps), 6) if maps else None,
        skipped_fvcore,
        listed(unknown + escapes.names),
    )


def _ptflops(model: nn.Module, shape: tuple[int, ...]) -> float | None:
    """ptflops' GMACs, or None where a layer is registered under two names."""
    from ptflops import get_model_complexity_info

    names = sum(1 for _ in model.named_modules(remove_duplicate=False))
    if names != sum(1 for _ in model.modules()):
        return None
    said = io.StringIO()
    with contextlib.redirect_stdout(said), torch.no_grad(), as_defined():
        macs, _ = get_model_complexity_info(
            model, shape[1:], as_strings=False, print_per_layer_stat=False, verbose=False
        )
    if macs is None:
        raise UserError("ptflops cannot count this network", found=said.getvalue().strip())
    return round(float(macs) / 1e9, 6)


def _run_unknown(model: nn.Module, images: Tensor, known: dict[type, Any]) -> Counter[str]:
    """Run the network; which innermost modules with a type unknown to ptflops were called."""
    names: Counter[str] = Counter()
    idle = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Softmax)
    hooks = [
        module.register_forward_hook(lambda m, *_: names.update([type(m).__name__]))
        for module in model.modules()
        if type(module) not in known and not isinstance(module, idle) and not any(module.children())
    ]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return names
