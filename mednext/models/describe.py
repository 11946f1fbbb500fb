"""The panels of the paper's Figs. 1-5, read off instantiated networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mednext.architecture import Architecture, Node, Panel
from mednext.config.benchmarks import PAPER_SIZE
from mednext.models import blocks, linear_attention
from mednext.models.medunext import UConv
from mednext.models.registry import create_model
from mednext.models.trace import Leaf, condense, input_shape, trace

IN_CHANS = 3
CLASSES = {"mednext": 2, "medunext": 4}
"""As in the paper: two classes; ACDC with its background."""
PARTS = (
    blocks.LAFFN,
    blocks.SEM,
    blocks.SDFFN,
    blocks.FFN,
    blocks.SA,
    linear_attention.LinearAttention,
    linear_attention.SimplifiedLinearAttention,
)


def _never(name: str, module: nn.Module) -> bool:
    return False


def _instances(*kinds: type[nn.Module] | str) -> Leaf:
    """Modules of these classes, or with these paths, are one node."""
    names = {kind for kind in kinds if isinstance(kind, str)}
    classes = tuple(kind for kind in kinds if not isinstance(kind, str))
    return lambda name, module: name in names or isinstance(module, classes)


def _network(method: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        classes = CLASSES.get(method.partition("_")[0], 1000)
        return create_model(
            method, num_classes=classes, in_chans=IN_CHANS, img_size=PAPER_SIZE, **options
        )


def _swin() -> nn.Module:
    """The Swin Transformer of Fig. 1B; the tables evaluate only its second version."""
    import timm

    with torch.device("meta"):
        model: nn.Module = timm.create_model("swin_tiny_patch4_window7_224", num_classes=1000)
    return model


def _last(model: nn.Module, kind: type[nn.Module]) -> tuple[str, nn.Module]:
    """Path and module of the last one of a class: in the last stage keys are not reduced."""
    return [(name, m) for name, m in model.named_modules() if isinstance(m, kind)][-1]


def _first(model: nn.Module, kind: type[nn.Module]) -> tuple[str, nn.Module]:
    return next((name, m) for name, m in model.named_modules() if isinstance(m, kind))


Pick = Callable[[nn.Module], tuple[str, nn.Module]]


def panel(
    place: str,
    title: str,
    method: str,
    model: nn.Module,
    leaf: Leaf = _never,
    pick: Pick | None = None,
    overview: bool = False,
) -> Panel:
    """One panel: the whole network, or the part that ``pick`` chooses.

    Args:
        place: number of the figure and letter, ``2D``.
        title: above the panel.
        method: what ``model`` is.
        model: on the meta device.
        leaf: which modules with children are one node.
        pick: model -> path and part.
        overview: with equal blocks and followers joined.
    """
    shape: tuple[int, ...] = (1, IN_CHANS, PAPER_SIZE, PAPER_SIZE)
    path, part = pick(model) if pick else ("", model)
    if path:
        shape = input_shape(model, part, shape)
    nodes: list[Node] = trace(part, shape, leaf)
    return Panel(
        figure=int(place[0]),
        letter=place[1:],
        title=title,
        method=method,
        module=path,
        params=sum(p.numel() for p in part.parameters()),
        nodes=tuple(condense(nodes, blocks=overview, followers=overview)),
    )


def describe() -> Architecture:
    """All panels of the captions of Figs. 1-5, at the paper's input size."""
    mednext, ablation = _network("mednext"), _network("mednext_sa_ffn")
    linear = _network("mednext", attn="linear")
    simple = _network("mednext", attn="linear_simple")
    smooth = _network("mednext", ffn="smooth")
    resnet, swin = _network("resnet50"), _swin()
    bottleneck = type(resnet.get_submodule("layer1.0"))
    stage = swin.get_submodule("layers.0")
    swin_parts = (
        type(stage.get_submodule("blocks.0")),
        type(swin.get_submodule("patch_embed")),
        type(swin.get_submodule("layers.1.downsample")),
    )
    pool = type(resnet.get_submodule("global_pool"))

    def stem(model: nn.Module) -> tuple[str, nn.Module]:
        return "stem", model.get_submodule("stem")

    drawn = (
        panel("1A", "ResNet50", "resnet50", resnet, _instances(bottleneck, pool), overview=True),
        panel(
            "1B",
            "Swin Transformer",
            "timm's swin_tiny_patch4_window7_224",
            swin,
            _instances(*swin_parts, "head"),
            overview=True,
        ),
        panel(
            "1C",
            "MedNeXt",
            "mednext",
            mednext,
            _instances(blocks.MEDBlock, "stem"),
            overview=True,
        ),
        panel("1D", "MED stem", "mednext", mednext, pick=stem),
        panel(
            "1E",
            "MED block",
            "mednext",
            mednext,
            _instances(*PARTS),
            lambda m: _first(m, blocks.MEDBlock),
        ),
        panel(
            "2A",
            "Self-attention",
            "mednext_sa_ffn",
            ablation,
            pick=lambda m: _last(m, blocks.SA),
        ),
        panel(
            "2B",
            "Linear attention",
            "mednext, attn=linear",
            linear,
            pick=lambda m: _last(m, linear_attention.LinearAttention),
        ),
        panel(
            "2C",
            "Simplified linear attention",
            "mednext, attn=linear_simple",
            simple,
            pick=lambda m: _last(m, linear_attention.SimplifiedLinearAttention),
        ),
        panel("2D", "LAFFN", "mednext", mednext, pick=lambda m: _last(m, blocks.LAFFN)),
        panel(
            "3",
            "Spatial encoding module (SEM)",
            "mednext",
            mednext,
            pick=lambda m: _first(m, blocks.SEM),
        ),
        panel(
            "4A",
            "Traditional FFN",
            "mednext_sa_ffn",
            ablation,
            pick=lambda m: _first(m, blocks.FFN),
        ),
        panel(
            "4B", "Smooth FFN", "mednext, ffn=smooth", smooth, pick=lambda m: _first(m, blocks.FFN)
        ),
        panel("4C", "SDFFN", "mednext", mednext, pick=lambda m: _first(m, blocks.SDFFN)),
        panel(
            "5",
            "MedUNeXt",
            "medunext",
            _network("medunext"),
            _instances(blocks.MEDBlock, UConv),
            overview=True,
        ),
    )
    return Architecture(img_size=PAPER_SIZE, in_chans=IN_CHANS, panels=drawn)
