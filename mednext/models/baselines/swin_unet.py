"""Swin-Unet (Cao et al., "Swin-Unet: Unet-like Pure Transformer for Medical Image Segmentation",
ECCV 2022 Workshops, 10.1007/978-3-031-25066-8_9).

Blocks and patch merging are timm's (Liu et al., ICCV 2021, 10.1109/ICCV48922.2021.00986); the plan
is that of the authors' public form (github.com/HuCaoFighting/Swin-Unet): 27.17 M parameters.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import PatchEmbed
from timm.models.swin_transformer import PatchMerging, SwinTransformerBlock
from torch import Tensor, nn

from mednext.models.baselines.timm_nets import timm_model
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

TIMM_NAME = "swin_tiny_patch4_window7_224"
PATCH = 4
DIMS = (96, 192, 384, 768)
DEPTH = 2
"""Blocks per stage; every second one shifts its windows by half a window."""
HEADS = (3, 6, 12, 24)


class PatchExpanding(nn.Module):
    """A linear map whose output channels become pixels: the size grows, then LayerNorm.

    Args:
        dim: channels C.
        factor: how many times height and width grow.
        out: channels afterwards.
    """

    def __init__(self, dim: int, factor: int, out: int) -> None:
        super().__init__()
        self.factor = factor
        self.expand = nn.Linear(dim, factor * factor * out, bias=False)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        """``B x H x W x C`` -> ``B x factor H x factor W x out``."""
        y = self.expand(x).unflatten(-1, (self.factor, self.factor, -1))
        y = y.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2)
        out: Tensor = self.norm(y)
        return out


class SwinUNet(WithClassifier):
    """Four stages of Swin blocks down, three up, joined by skips; tokens are 4 x 4 pixels.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images; a single one is repeated to three.
        img_size: height and width of the images, a multiple of 32. The windows have ``img_size /
            32`` tokens a side, so that they fit into every map and the deepest map is one window:
            7 at 224 pixels as published, 2 at 64, 3 at 96.
        drop_path: largest rate of stochastic depth, reached in the deepest stage (published: 0.2).
        pretrained: start from timm's Swin-T as the authors do: the encoder, and the decoder's
            blocks from the encoder's of the same level.
        pretrained_cfg_overlay: where timm finds the weights, if not in its hub (``{"file": ...}``).

    Raises:
        UserError: ``img_size`` is not a multiple of 32.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int = 3,
        img_size: int = 224,
        drop_path: float = 0.2,
        pretrained: bool = False,
        pretrained_cfg_overlay: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_multiple("Swin-Unet", img_size, 32)
        self.in_chans, self.img_size = in_chans, img_size
        window, grid = img_size // 32, img_size // PATCH
        steps = DEPTH * len(DIMS) - 1
        rates = [drop_path * step / steps for step in range(steps + 1)]

        def stage(level: int) -> nn.Sequential:
            side = grid // 2**level
            return nn.Sequential(
                *(
                    SwinTransformerBlock(
                        DIMS[level],
                        (side, side),
                        num_heads=HEADS[level],
                        window_size=window,
                        shift_size=window // 2 if number % 2 else 0,
                        drop_path=rates[DEPTH * level + number],
                    )
                    for number in range(DEPTH)
                )
            )

        channels = 3 if in_chans == 1 else in_chans
        self.embed = PatchEmbed(
            img_size, PATCH, channels, DIMS[0], norm_layer=nn.LayerNorm, output_fmt="NHWC"
        )
        self.encoder = nn.ModuleList(stage(level) for level in range(len(DIMS)))
        self.merge = nn.ModuleList(PatchMerging(dim) for dim in DIMS[:-1])
        self.norm = nn.LayerNorm(DIMS[-1])
        # From the deepest level upwards.
        self.expand = nn.ModuleList(PatchExpanding(d, 2, d // 2) for d in DIMS[:0:-1])
        self.join = nn.ModuleList(nn.Linear(2 * dim, dim) for dim in DIMS[-2::-1])
        self.decoder = nn.ModuleList(stage(level) for level in range(len(DIMS) - 2, -1, -1))
        self.norm_up = nn.LayerNorm(DIMS[0])
        self.last = PatchExpanding(DIMS[0], PATCH, DIMS[0])
        self.head = nn.Conv2d(DIMS[0], num_classes, 1, bias=False)
        self.apply(_initialise)
        if pretrained:
            self._start_from(
                timm_model(
                    TIMM_NAME,
                    0,
                    channels,
                    img_size,
                    sized=True,
                    pretrained=True,
                    window_size=window,
                    pretrained_cfg_overlay=pretrained_cfg_overlay,
                )
            )

    def _start_from(self, swin: Any) -> None:
        """Reuse the layers of timm's Swin-T; of its deeper third stage the first blocks."""
        self.embed.load_state_dict(swin.patch_embed.state_dict())
        self.norm.load_state_dict(swin.norm.state_dict())
        for merge, stage in zip(self.merge, swin.layers[1:], strict=True):
            merge.load_state_dict(stage.downsample.state_dict())
        for level, stage in enumerate(swin.layers):
            state = stage.blocks[:DEPTH].state_dict()
            self.encoder[level].load_state_dict(state)
            if level < len(DIMS) - 1:
                self.decoder[len(DIMS) - 2 - level].load_state_dict(state)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes x S x S``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "Swin-Unet", self.in_chans, (self.img_size, self.img_size))
        if self.in_chans == 1:
            x = x.repeat(1, 3, 1, 1)
        y = self.embed(x)
        skips = []
        for stage, merge in zip(self.encoder, (*self.merge, None), strict=True):
            skips.append(y)  # as published: the input of each stage is what is skipped
            y = stage(y)
            if merge is not None:
                y = merge(y)
        y = self.norm(y)
        skips.pop()
        for expand, join, stage in zip(self.expand, self.join, self.decoder, strict=True):
            y = stage(join(torch.cat([expand(y), skips.pop()], dim=-1)))
        y = self.last(self.norm_up(y))
        out: Tensor = self.head(y.permute(0, 3, 1, 2))
        return out


def _initialise(module: nn.Module) -> None:
    """Linear maps start from a truncated normal distribution of width 0.02, without bias."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def swin_unet(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> SwinUNet:
    """Build :class:`SwinUNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return SwinUNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
