"""Attention U-Net (Schlemper et al., Med Image Anal 2019, 10.1016/j.media.2019.01.012; Oktay et
al., 2018, 10.48550/arXiv.1804.03999) in 2D.

A U-Net whose skips pass a gate: at every position a weight in (0, 1) that the deeper level decides.
Gates on the full-resolution grid of the skip and enlargement by repetition follow the common public
form (github.com/LeeJunHyun/Image_Segmentation, 34.88 M parameters); the paper gates on a coarser
grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple


def _conv_bn(channels: int, out: int, kernel: int) -> list[nn.Module]:
    """Convolution that keeps the size, BN."""
    return [nn.Conv2d(channels, out, kernel, padding=kernel // 2), nn.BatchNorm2d(out)]


def double_conv(channels: int, out: int) -> nn.Sequential:
    """Twice 3x3 convolution, BN, ReLU."""
    first, second = _conv_bn(channels, out, 3), _conv_bn(out, out, 3)
    return nn.Sequential(*first, nn.ReLU(inplace=True), *second, nn.ReLU(inplace=True))


def up_conv(channels: int, out: int) -> nn.Sequential:
    """Double the size by repeating pixels, 3x3 convolution, BN, ReLU."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2), *_conv_bn(channels, out, 3), nn.ReLU(inplace=True)
    )


class AttentionGate(nn.Module):
    """``skip * sigmoid(BN(psi(ReLU(BN(W_g gating) + BN(W_x skip)))))``, all maps pointwise.

    Args:
        gating: channels of the deeper map, already enlarged to the size of the skip.
        skip: channels of the skipped map.
        inner: channels of the sum.
    """

    def __init__(self, gating: int, skip: int, inner: int) -> None:
        super().__init__()
        self.gating = nn.Sequential(*_conv_bn(gating, inner, 1))
        self.skip = nn.Sequential(*_conv_bn(skip, inner, 1))
        self.psi = nn.Sequential(nn.ReLU(inplace=True), *_conv_bn(inner, 1, 1), nn.Sigmoid())

    def forward(self, gating: Tensor, skip: Tensor) -> Tensor:
        """Two maps of one size -> the weighted skip."""
        out: Tensor = skip * self.psi(self.gating(gating) + self.skip(skip))
        return out


class AttentionUNet(WithClassifier):
    """Five levels of two convolutions, four gated skips.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 16.
        widths: channels per level, from full size down.

    Raises:
        UserError: the size cannot be halved often enough.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int = 3,
        img_size: int = 224,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
    ) -> None:
        super().__init__()
        self.in_chans, self.multiple = in_chans, 2 ** (len(widths) - 1)
        check_multiple("Attention U-Net", img_size, self.multiple)
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            double_conv(a, b) for a, b in zip((in_chans, *widths[:-1]), widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(up_conv(a, b) for a, b in pairs)
        self.gates = nn.ModuleList(AttentionGate(b, b, b // 2) for _, b in pairs)
        self.decoder = nn.ModuleList(double_conv(2 * b, b) for _, b in pairs)
        self.head = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> logits ``B x num_classes x H x W``.

        Raises:
            UserError: other channels, or a size that cannot be halved often enough.
        """
        check_map(x, "Attention U-Net", self.in_chans)
        for side in x.shape[2:]:
            check_multiple("Attention U-Net", int(side), self.multiple)
        skips = [self.encoder[0](x)]
        for stage in list(self.encoder)[1:]:
            skips.append(stage(self.pool(skips[-1])))
        y = skips.pop()
        for up, gate, stage in zip(self.up, self.gates, self.decoder, strict=True):
            y = up(y)
            y = stage(torch.cat([gate(y, skips.pop()), y], dim=1))
        out: Tensor = self.head(y)
        return out


def attn_unet(num_classes: int, in_chans: int = 3, img_size: int = 224) -> AttentionUNet:
    """Build :class:`AttentionUNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return AttentionUNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size)
