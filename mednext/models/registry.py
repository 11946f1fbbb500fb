"""Methods by name: builds what ``benchmarks/methods.yaml`` registers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from mednext.config import MethodSpec, Task, benchmarks_dir, load_methods, method_slug
from mednext.errors import UserError
from mednext.models.arguments import check_choice, square_side, whole_number
from mednext.models.weights import load_weights


def list_models(task: Task | None = None, family: str | None = None) -> list[str]:
    """The registered methods, in the order of ``methods.yaml``.

    Args:
        task: ``classification`` or ``segmentation`` alone.
        family: those of one module alone: ``mednext``, ``medunext``, ``timm_nets``, ``transunet``.

    Raises:
        UserError: no such task or family.

    >>> list_models("segmentation")[:2]
    ['medunext', 'unet']
    >>> list_models(family="transunet")
    ['vit_none', 'vit_cup', 'r50_vit', 'transunet']
    """
    found = load_methods()
    for option, value, known in (
        ("task", task, [spec.task for spec in found.values()]),
        ("family", family, [spec.family for spec in found.values()]),
    ):
        if value is not None:
            check_choice("list_models", option, value, tuple(dict.fromkeys(known)))
    return [
        slug
        for slug, spec in found.items()
        if task in (None, spec.task) and family in (None, spec.family)
    ]


def create_model(
    method: str,
    *,
    num_classes: int,
    in_chans: int = 3,
    img_size: int | tuple[int, int] = 224,
    weights: str | Path | None = None,
    **overrides: Any,
) -> nn.Module:
    """Build a registered method, with fresh weights or with stored ones.

    Classifiers map ``B x in_chans x S x S`` to logits ``B x num_classes``, segmenters to logits
    ``B x num_classes x S x S``.

    Args:
        method: a name of ``methods.yaml``.
        num_classes: classes (segmentation: background included), at least 1.
        in_chans: channels of the images, at least 1.
        img_size: S, or (S, S).
        weights: a ``weights.*.safetensors`` of a run with the same classes, channels and size.
        **overrides: options of the constructor; they win over the ``kwargs`` of ``methods.yaml``.

    Raises:
        UserError: unknown method, size or option, or weights of another network.

    >>> import torch
    >>> create_model("medunext", num_classes=4, in_chans=1, img_size=64)(
    ...     torch.zeros(2, 1, 64, 64)
    ... ).shape
    torch.Size([2, 4, 64, 64])
    """
    spec = _spec(method)
    num_classes = whole_number(method, "num_classes", num_classes)
    in_chans = whole_number(method, "in_chans", in_chans)
    img_size = square_side(method, img_size)
    options = {**spec.kwargs, **overrides}
    try:
        model = _constructor(method, spec)(
            num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options
        )
    except TypeError as error:
        # A misspelt option would be a TypeError; one raised deeper inside is passed on as it is.
        if "unexpected keyword argument" not in str(error):
            raise
        raise UserError(f"'{method}' does not have this option", found=str(error)) from error
    if weights is not None:
        load_weights(model, Path(weights))
    return model


def _spec(method: str) -> MethodSpec:
    return load_methods()[method_slug(method, benchmarks_dir() / "methods.yaml")]


def _constructor(method: str, spec: MethodSpec) -> Callable[..., nn.Module]:
    module, _, name = spec.constructor.partition(":")
    try:
        function: Callable[..., nn.Module] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"the constructor of '{method}' cannot be loaded",
            file=benchmarks_dir() / "methods.yaml",
            found=f"{spec.constructor} ({error})",
            expected="package.module:function",
        ) from error
    return function
