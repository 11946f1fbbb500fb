"""The paper's classifiers in timm's registry, under names that cannot be taken for another network.

``plos_mednext`` is MedNeXt as printed, ``plos_mednext_nc`` has LAFFN normalised. timm has no
MedNeXt of its own today; the prefix keeps these apart from the 3D network of DKFZ, should it come.

    import mednext.models.in_timm
    model = timm.create_model("plos_mednext", num_classes=2, img_size=224)
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from timm.models import (
    build_model_with_cfg,
    generate_default_cfgs,
    register_model,
    resolve_pretrained_cfg,
)

from mednext.errors import UserError
from mednext.models.arguments import square_side
from mednext.models.mednext import MedNeXt

_CFG = {
    "num_classes": 1000,
    "input_size": (3, 224, 224),
    "fixed_input_size": True,
    "pool_size": (7, 7),
    "crop_pct": 0.875,  # benchmarks/recipes.yaml: a crop from an image 8/7 as large
    "interpolation": "bilinear",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "first_conv": "stem.0",
    "classifier": "head",
    "license": "mit",
    "paper_name": "MedNeXt for accurate medical image classification and segmentation",
    "paper_ids": "doi:10.1371/journal.pone.0340108",
}
default_cfgs = generate_default_cfgs({"plos_mednext": _CFG, "plos_mednext_nc": _CFG})


def _create(variant: str, pretrained: bool, **options: Any) -> Any:
    given = (options.get(name) for name in ("pretrained_cfg", "pretrained_cfg_overlay"))
    if pretrained and not resolve_pretrained_cfg(variant, *given).has_weights:
        raise UserError(
            f"{variant} has no pretrained weights",
            found="pretrained=True",
            expected="pretrained=False",
            remedy="none have been published; your own are taken by pretrained_cfg_overlay="
            "{'file': ...}, or from a folder as 'local-dir:...'",
        )
    return build_model_with_cfg(
        _build,
        variant,
        pretrained,
        feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
        **options,
    )


def _build(
    img_size: int | tuple[int, int], device: Any = None, dtype: Any = None, **options: Any
) -> MedNeXt:
    side = square_side("MedNeXt", img_size)
    with nullcontext() if device is None else torch.device(device):
        return MedNeXt(img_size=side, **options).to(dtype=dtype)


@register_model
def plos_mednext(pretrained: bool = False, **options: Any) -> Any:
    """:class:`~mednext.models.mednext.MedNeXt`, or with ``features_only`` its four stages.

    Raises:
        UserError: pretrained weights are asked for, and neither ``pretrained_cfg_overlay`` nor a
            ``local-dir:`` names a file of them; none have been published.
    """
    return _create("plos_mednext", pretrained, **options)


@register_model
def plos_mednext_nc(pretrained: bool = False, **options: Any) -> Any:
    """The same with LAFFN normalised (``laffn_scale="nc"``)."""
    return _create("plos_mednext_nc", pretrained, **{"laffn_scale": "nc", **options})
