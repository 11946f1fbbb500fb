"""The U-Net of Ronneberger, Fischer and Brox (MICCAI 2015, 10.1007/978-3-319-24574-4_28).

As in most later implementations the convolutions are padded, so that the output has the size of
the input and skips are not cropped, and each is followed by BN (the original has neither).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple


def _double_conv(channels: int, out: int) -> nn.Sequential:
    """Twice 3x3 convolution, BN, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class UNet(WithClassifier):
    """Contracting path by max pooling, expanding path by 2x2 transposed convolutions, skips.

    31.04 M parameters with the five published widths.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 2^(len(widths) - 1).
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
        check_multiple("UNet", img_size, self.multiple)
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            _double_conv(a, b) for a, b in zip((in_chans, *widths[:-1]), widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_double_conv(2 * b, b) for _, b in pairs)
        self.head = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> logits ``B x num_classes x H x W``.

        Raises:
            UserError: other channels, or a size that cannot be halved often enough.
        """
        check_map(x, "UNet", self.in_chans)
        for side in x.shape[2:]:
            check_multiple("UNet", int(side), self.multiple)
        skips = [self.encoder[0](x)]
        for stage in list(self.encoder)[1:]:
            skips.append(stage(self.pool(skips[-1])))
        y = skips.pop()
        for up, stage in zip(self.up, self.decoder, strict=True):
            y = stage(torch.cat([skips.pop(), up(y)], dim=1))
        out: Tensor = self.head(y)
        return out


def unet(num_classes: int, in_chans: int = 3, img_size: int = 224) -> UNet:
    """Build :class:`UNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return UNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size)
