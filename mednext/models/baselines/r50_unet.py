"""U-Nets with a ResNet-50 as encoder, from segmentation-models-pytorch.

The paper takes both names from Table 1 of TransUNet (10.48550/arXiv.2102.04306), which does not
describe them further.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch.nn.functional as F
from segmentation_models_pytorch.base.initialization import initialize_head
from torch import Tensor, nn

from mednext.models.baselines.attn_unet import AttentionGate
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

DECODER_WIDTHS = (256, 128, 64, 32, 16)


class GatedBlock(nn.Module):
    """A decoder block of the library whose skip passes an attention gate first."""

    def __init__(self, block: nn.Module, deeper: int, skip: int) -> None:
        super().__init__()
        self.gate, self.block = AttentionGate(deeper, skip, skip // 2), block

    def forward(self, x: Tensor, height: int, width: int, skip_connection: Tensor) -> Tensor:
        """The deeper map ``x`` is enlarged to ``height x width``, the size of the skip."""
        x = F.interpolate(x, size=(height, width), mode="nearest")
        out: Tensor = self.block(x, height, width, self.gate(x, skip_connection))
        return out


class R50UNet(WithClassifier):
    """ResNet-50 encoder (five levels), five decoder blocks of 256 to 16 channels.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32.
        gates: attention gates (Schlemper et al., 10.1016/j.media.2019.01.012) on the four skips.
        pretrained: start the encoder from the library's ImageNet weights (which it downloads).

    Raises:
        UserError: ``img_size`` is not a multiple of 32.
    """

    classifier = "net.segmentation_head.0"

    def __init__(
        self,
        num_classes: int,
        in_chans: int = 3,
        img_size: int = 224,
        gates: bool = False,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        check_multiple("R50-UNet", img_size, 32)
        self.in_chans = in_chans
        self.net = smp.Unet(
            "resnet50",
            encoder_weights="imagenet" if pretrained else None,
            decoder_channels=DECODER_WIDTHS,
            in_channels=in_chans,
            classes=num_classes,
        )
        if gates:
            _, *skips, deepest = self.net.encoder.out_channels
            blocks = self.net.decoder.blocks
            deeper = (deepest, *DECODER_WIDTHS)
            for number, skip in enumerate(reversed(skips)):
                blocks[number] = GatedBlock(blocks[number], deeper[number], skip)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer with ``num_classes`` outputs, drawn as the library draws it."""
        super().reset_classifier(num_classes)
        initialize_head(self.net.segmentation_head)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> logits ``B x num_classes x H x W``.

        Raises:
            UserError: other channels, or a size that is no multiple of 32.
        """
        check_map(x, "R50-UNet", self.in_chans)
        for side in x.shape[2:]:
            check_multiple("R50-UNet", int(side), 32)
        out: Tensor = self.net(x)
        return out


def r50_unet(
    num_classes: int,
    in_chans: int = 3,
    img_size: int = 224,
    gates: bool = False,
    pretrained: bool = False,
) -> R50UNet:
    """Build :class:`R50UNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return R50UNet(num_classes, in_chans, img_size, gates, pretrained)
