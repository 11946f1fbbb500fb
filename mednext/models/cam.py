"""Where Grad-CAM finds the last spatial feature map of a classifier, whatever the layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mednext.config import load_methods, method_slug
from mednext.errors import UserError


def _same(cams: Tensor, maps: Tensor, target: Tensor) -> Tensor:
    return cams


@dataclass(frozen=True)
class CamLayer:
    """The module to watch, and how its output is read."""

    module: nn.Module
    to_map: Callable[[Tensor], Tensor]
    """The output of ``module`` (or its gradient) -> ``N x C x h x w``."""
    assemble: Callable[[Tensor, Tensor, Tensor], Tensor] = _same
    """(maps ``N x 1 x h x w`` of Grad-CAM, the feature maps, target classes) -> one map per image.
    Only a network that sees several crops of an image needs it."""


def gradcam_layer(method: str, model: nn.Module) -> CamLayer:
    """Where Grad-CAM finds the last spatial feature map of a classifier.

    Raises:
        UserError: unknown method, not a classifier, or one that does not say where its maps are.
    """
    if load_methods()[method_slug(method)].task != "classification":
        raise UserError(
            f"'{method}' has no Grad-CAM layer", found="segmentation", expected="classification"
        )
    return cam_layer(model)


def cam_layer(model: nn.Module) -> CamLayer:
    """The last spatial feature map of a network that describes itself as timm's do.

    - Convolutional networks: the last stage of ``feature_info``.
    - Channels-last stages (Swin): the same, permuted.
    - Tokens (ViT, MLP-Mixer, ResMLP): the last block, tokens laid out as the map they came from.
      With a class token only that token reaches the head, so that the patches of the last block get
      no gradient: then the map before the block's attention (its first norm), without the class
      token.
    - Networks that vote over patches (``assemble_cams``): the maps of all patches.

    Raises:
        UserError: the network does not say where its maps are.
    """
    described: Any = model
    if hasattr(model, "assemble_cams"):
        return CamLayer(described.patch_maps, _as_it_is, described.assemble_cams)
    info = getattr(described, "feature_info", None)
    if not info:
        raise UserError("the network does not describe its feature maps (feature_info)")
    name = info[-1]["module"]
    prefix = int(getattr(described, "num_prefix_tokens", 0))
    if prefix:
        name = f"{name}.norm1"
    channels_last = getattr(described, "output_fmt", "NCHW") == "NHWC"

    def to_map(out: Tensor) -> Tensor:
        if out.ndim == 3:
            return _tokens_to_map(out[:, prefix:])
        return out.permute(0, 3, 1, 2) if channels_last else out

    return CamLayer(model.get_submodule(name), to_map)


def _as_it_is(out: Tensor) -> Tensor:
    return out


def _tokens_to_map(tokens: Tensor) -> Tensor:
    """``B x (h h) x C`` -> ``B x C x h x h``."""
    side = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
