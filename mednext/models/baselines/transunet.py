"""TransUNet and its relatives: ViT encoders with or without a ResNet before and a decoder behind.

Chen et al., "TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation", 2021
(10.48550/arXiv.2102.04306). Its Table 1 compares the four networks that the paper repeats as
``vit_none``, ``vit_cup``, ``r50_vit`` and ``transunet``; the layers equal those of the authors'
public form (github.com/Beckschen/TransUNet, which fixes what the text leaves open: widths of the
decoder, order of its layers, padding, dropout). The ViT is timm's (Dosovitskiy et al., ICLR 2021,
10.48550/arXiv.2010.11929), without class token; the ResNet is in
:mod:`mednext.models.baselines.transunet_resnet`. With the ResNet the initial weights, too, are
drawn as in the public form; without it they are timm's.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mednext.models.arguments import check_choice
from mednext.models.baselines.timm_nets import timm_model
from mednext.models.baselines.transunet_resnet import resnet, skipped_maps
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

Encoder = Literal["vit", "r50_vit"]
Decoder = Literal["none", "cup"]

TIMM_NAMES: dict[str, str] = {"vit": "vit_base_patch16_224", "r50_vit": "vit_base_r50_s16_224"}
PATCH = 16
EMBED = 768
HEAD_WIDTH = 512
CUP_WIDTHS = (256, 128, 64, 16)
SKIP_WIDTHS = (512, 256, 64)
"""Channels of the ResNet at 1/8, 1/4 and 1/2 of the image size."""
DROPOUT = 0.1
"""After the position embedding and in the MLPs, as in the public form."""


def _conv_bn_relu(channels: int, out: int) -> nn.Sequential:
    """3x3 convolution, BN, ReLU."""
    conv = nn.Conv2d(channels, out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class CascadedUpsampler(nn.Module):
    """The decoder: 3x3 convolution to 512 channels, then four times double the size and convolve.

    Args:
        skips: channels of the maps that are joined after each doubling, 0 where there is none.
    """

    def __init__(self, skips: tuple[int, ...]) -> None:
        super().__init__()
        self.first = _conv_bn_relu(EMBED, HEAD_WIDTH)
        before = (HEAD_WIDTH, *CUP_WIDTHS[:-1])
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv_bn_relu(a + skip, b), _conv_bn_relu(b, b))
            for a, b, skip in zip(before, CUP_WIDTHS, skips, strict=True)
        )

    def forward(self, x: Tensor, maps: list[Tensor]) -> Tensor:
        """``B x 768 x h x w`` and the skipped maps, deepest first -> ``B x 16 x 16h x 16w``."""
        x = self.first(x)
        for number, block in enumerate(self.blocks):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            if number < len(maps):
                x = torch.cat([x, maps[number]], dim=1)
            x = block(x)
        return x


class TransUNet(WithClassifier):
    """ViT-B over 16 x 16 patches, or over the 1/16 map of a ResNet-50, and a decoder.

    Parameters at 224 x 224 with four classes: 105.28 M with ResNet and skips (``transunet``),
    103.77 M without the skips (``r50_vit``), 91.67 M without the ResNet (``vit_cup``), 85.80 M
    without the decoder (``vit_none``).

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images; a single one is repeated to three.
        img_size: height and width of the images, a multiple of 16; the position embedding is built
            for it.
        encoder: ``vit`` cuts the image itself into patches; ``r50_vit`` takes each position of the
            last map of a ResNet-50 of three stages (weight standardisation, group norm) as one.
        decoder: ``cup`` is :class:`CascadedUpsampler`; ``none`` maps the encoder's output to the
            classes by one pointwise convolution and enlarges that bilinearly.
        skips: join the ResNet's maps at 1/8, 1/4 and 1/2 in the decoder.
        pretrained: start the encoder from timm's weights, the position embedding resized.
        pretrained_cfg_overlay: where timm finds them, if not in its hub (``{"file": ...}``).

    Raises:
        UserError: an option has an unknown value, ``skips`` without ResNet or decoder, or
            ``img_size`` is not a multiple of 16.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int = 3,
        img_size: int = 224,
        encoder: Encoder = "r50_vit",
        decoder: Decoder = "cup",
        skips: bool = True,
        pretrained: bool = False,
        pretrained_cfg_overlay: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_multiple("TransUNet", img_size, PATCH)
        check_choice("TransUNet", "encoder", encoder, ("vit", "r50_vit"))
        check_choice("TransUNet", "decoder", decoder, ("none", "cup"))
        possible = (True, False) if (encoder, decoder) == ("r50_vit", "cup") else (False,)
        check_choice("TransUNet", "skips", skips, possible)
        self.in_chans, self.img_size, self.skips = in_chans, img_size, skips
        channels = 3 if in_chans == 1 else in_chans
        name = TIMM_NAMES[encoder]
        plain: dict[str, Any] = {"class_token": False, "global_pool": ""}
        self.vit = cast(
            VisionTransformer,
            timm_model(name, 0, channels, img_size, sized=True, pos_drop_rate=DROPOUT, **plain),
        )
        if encoder == "r50_vit":
            self.vit.patch_embed.backbone = resnet(channels)
            _initialise_as_published(self.vit)
        if pretrained:
            overlay = pretrained_cfg_overlay
            source = timm_model(
                name, 0, channels, img_size, True, pretrained=True, pretrained_cfg_overlay=overlay
            )
            self.vit.load_state_dict(_without_class_token(source.state_dict()))
        block: Any
        for block in self.vit.blocks:
            block.mlp.drop1.p = block.mlp.drop2.p = DROPOUT
        self.decoder = None
        if decoder == "cup":
            self.decoder = CascadedUpsampler((*SKIP_WIDTHS, 0) if skips else (0, 0, 0, 0))
        width, kernel = (CUP_WIDTHS[-1], 3) if decoder == "cup" else (EMBED, 1)
        self.head = nn.Conv2d(width, num_classes, kernel, padding=kernel // 2)

    def _tokens(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Embedded patches ``B x N x 768`` and the skipped maps."""
        if not self.skips:
            return self.vit.patch_embed(x), []
        embed = self.vit.patch_embed
        deepest, maps = skipped_maps(embed.backbone, x)
        return embed.proj(deepest).flatten(2).transpose(1, 2), maps

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes x S x S``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "TransUNet", self.in_chans, (self.img_size, self.img_size))
        if self.in_chans == 1:
            x = x.repeat(1, 3, 1, 1)
        tokens, maps = self._tokens(x)
        position = cast(Tensor, self.vit.pos_embed)  # timm also knows encoders without one
        tokens = self.vit.norm(self.vit.blocks(self.vit.pos_drop(tokens + position)))
        side = self.img_size // PATCH
        y = tokens.transpose(1, 2).reshape(len(x), EMBED, side, side)
        if self.decoder is None:
            return F.interpolate(
                self.head(y), scale_factor=PATCH, mode="bilinear", align_corners=False
            )
        out: Tensor = self.head(self.decoder(y, maps))
        return out


def _initialise_as_published(vit: Any) -> None:
    """Xavier's weights and biases near zero in the MLPs, a position table of zeros, torch's own
    initial weights elsewhere."""
    nn.init.zeros_(vit.pos_embed)
    vit.patch_embed.proj.reset_parameters()
    for block in vit.blocks:
        block.attn.qkv.reset_parameters()
        block.attn.proj.reset_parameters()
        for linear in (block.mlp.fc1, block.mlp.fc2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)


def _without_class_token(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's weights for an encoder without class token; the first position is the token's."""
    kept = {name: value for name, value in state.items() if name != "cls_token"}
    return kept | {"pos_embed": state["pos_embed"][:, 1:]}


def transunet(
    num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any
) -> TransUNet:
    """Build :class:`TransUNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return TransUNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
