"""Classifiers of timm (pytorch-image-models): ResNet, DenseNet, ConvNeXt, ViT, Mixer, ResMLP.

They keep timm's layers and initial weights; only what depends on the image size is passed on.
"""

from __future__ import annotations

from typing import Any

import timm
from torch import nn

from mednext.errors import UserError


def timm_model(
    name: str,
    num_classes: int,
    in_chans: int = 3,
    img_size: int = 224,
    sized: bool = False,
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """A network of timm by its name there: ``B x in_chans x S x S`` -> ``B x num_classes``.

    Args:
        name: timm's name.
        num_classes: classes.
        in_chans: channels of the images.
        img_size: S.
        sized: the network is built for one image size (position tables, MLPs over tokens) and is
            told ``img_size``; a convolutional network takes any.
        pretrained: start from the weights that timm has for this name (downloaded by timm). The
            paper does not say whether its baselines did; the default here is random weights.
        **options: passed on to timm.

    Raises:
        UserError: ``pretrained``, but there are no weights, or they do not fit ``img_size``.
    """
    if sized:
        options["img_size"] = img_size
    has_weights = timm.is_model_pretrained(name) or options.get("pretrained_cfg_overlay")
    if pretrained and not has_weights:
        raise UserError(
            f"timm has no pretrained weights for '{name}'", remedy="set 'pretrained' to false"
        )
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=pretrained, num_classes=num_classes, in_chans=in_chans, **options
        )
    except RuntimeError as error:
        if not (pretrained and "size mismatch" in str(error)):
            raise
        raise UserError(
            f"the pretrained weights of '{name}' are of another image size",
            found=f"img_size = {img_size}",
            expected=str(error).splitlines()[1].strip(),
            remedy="set 'pretrained' to false, or use that size",
        ) from error
    return model
