"""MedUNeXt, the 2D segmentation network of PLoS One 2026 (10.1371/journal.pone.0340108).

The plan that fits all parameter counts of Table 8 is the skeleton of MT-UNet (Wang et al., ICASSP
2022, 10.1109/ICASSP43922.2022.9746172; github.com/Dootmaan/MT-UNet) with MED blocks in place of its
attention modules and without the position embedding.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.arguments import check_choice
from mednext.models.blocks import MEDBlock
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

Down = Literal["conv2", "conv3"]


class UConv(nn.Module):
    """Two 3x3 convolutions with BN, then a pointwise residual branch: ReLU(y + BN(Conv1x1(y))).

    The residual branch is not in the text; without it every row of Table 8 is 0.17 M short.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, padding=1),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1),
            nn.BatchNorm2d(out),
        )
        self.residual = nn.Sequential(nn.Conv2d(out, out, 1), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """``B x channels x H x W`` -> ``B x out x H x W``."""
        y = self.body(x)
        return F.relu(y + self.residual(y))


def _down(channels: int, out: int, kernel: int) -> nn.Sequential:
    """Strided convolution that halves the size, BN, ReLU."""
    conv = nn.Conv2d(channels, out, kernel, stride=2, padding=kernel // 3)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _up(channels: int, out: int) -> nn.ConvTranspose2d:
    """Transposed convolution that doubles the size."""
    return nn.ConvTranspose2d(channels, out, 2, stride=2)


class MedUNeXt(WithClassifier):
    """U-shaped: three convolution stages, MED stages at 1/8, 1/16 and 1/32, and the way back.

    At 224 x 224 with four classes it has 39.85 M parameters, as printed.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images; a single one is repeated to three.
        img_size: height and width of the images, a multiple of 32; SEM is built for it.
        down: ``conv2`` fits the printed counts: max pooling after the convolution stages, 2x2
            convolutions of stride 2 after the MED stages. ``conv3`` is what the text says: 3x3
            convolutions of stride 2 after all of them (4.05 M more).
        sem_ratio: inner width of SEM, 1/2 by the counts of Table 8.
        sem_bias_norm: biases and BN in SEM (the last 0.04 M of Table 8).
        query_bias: a bias of M_q in LAFFN (another 0.006 M).
        ffn_ratio: width of FFN in the ablations, 3 by the counts of Table 8.
        **block: further options of :class:`~mednext.models.blocks.MEDBlock`.

    Raises:
        UserError: ``img_size`` is not a multiple of 32, or an option has an unknown value.
    """

    def __init__(
        self,
        num_classes: int = 4,
        in_chans: int = 3,
        img_size: int = 224,
        down: Down = "conv2",
        sem_ratio: float = 0.5,
        sem_bias_norm: bool = True,
        query_bias: bool = True,
        ffn_ratio: int = 3,
        **block: Any,
    ) -> None:
        super().__init__()
        check_multiple("MedUNeXt", img_size, 32)
        check_choice("MedUNeXt", "down", down, ("conv2", "conv3"))
        self.in_chans, self.img_size = in_chans, img_size
        kernel = 2 if down == "conv2" else 3
        options = {
            "sem_ratio": sem_ratio,
            "sem_bias_norm": sem_bias_norm,
            "query_bias": query_bias,
            "ffn_ratio": ffn_ratio,
            **block,
        }

        def med(dim: int, reduction: int) -> nn.Sequential:
            side = img_size // reduction
            return nn.Sequential(*(MEDBlock(dim, (side, side), **options) for _ in range(2)))

        def halve(dim: int) -> nn.Module:
            return nn.MaxPool2d(2) if down == "conv2" else _down(dim, dim, 3)

        self.down1, self.down2, self.down3 = halve(64), halve(128), halve(256)
        self.enc1 = UConv(3 if in_chans == 1 else in_chans, 64)
        self.enc2 = UConv(64, 128)
        self.enc3 = UConv(128, 256)
        self.trans = nn.Sequential(
            nn.Conv2d(256, 256, 1), nn.BatchNorm2d(256), nn.ReLU(inplace=True)
        )
        self.med4, self.down4 = med(256, 8), _down(256, 512, kernel)
        self.med5, self.down5 = med(512, 16), _down(512, 1024, kernel)
        self.bottleneck = med(1024, 32)
        self.up5, self.reduce5, self.dec5 = _up(1024, 512), nn.Conv2d(1024, 512, 1), med(512, 16)
        # The concatenation is not reduced here: 256 + 256 channels are the width of the blocks.
        self.up4, self.dec4 = _up(512, 256), med(512, 8)
        self.up3, self.dec3 = _up(512, 256), UConv(512, 256)
        self.up2, self.dec2 = _up(256, 128), UConv(256, 128)
        self.up1, self.dec1 = _up(128, 64), UConv(128, 64)
        self.head = nn.Conv2d(64, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes x S x S``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "MedUNeXt", self.in_chans, (self.img_size, self.img_size))
        if self.in_chans == 1:
            x = x.repeat(1, 3, 1, 1)
        e1 = self.enc1(x)
        e2 = self.enc2(self.down1(e1))
        e3 = self.enc3(self.down2(e2))
        s4 = self.med4(self.trans(self.down3(e3)))
        s5 = self.med5(self.down4(s4))
        y = self.bottleneck(self.down5(s5))
        y = self.dec5(self.reduce5(torch.cat([self.up5(y), s5], dim=1)))
        y = self.dec4(torch.cat([self.up4(y), s4], dim=1))
        y = self.dec3(torch.cat([self.up3(y), e3], dim=1))
        y = self.dec2(torch.cat([self.up2(y), e2], dim=1))
        y = self.dec1(torch.cat([self.up1(y), e1], dim=1))
        out: Tensor = self.head(y)
        return out


def medunext(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> MedUNeXt:
    """Build :class:`MedUNeXt`; the constructor named in ``benchmarks/methods.yaml``."""
    return MedUNeXt(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
