"""V-Net (Milletari, Navab and Ahmadi, 3DV 2016, 10.1109/3DV.2016.79) in 2D, from MONAI.

The original works on volumes; the data of the paper are cut into slices, so it is built with 2D
convolutions here.
"""

from __future__ import annotations

import torch.nn.functional as F
from monai.networks.blocks import Convolution
from monai.networks.nets.vnet import OutputTransition
from monai.networks.nets.vnet import VNet as MonaiVNet
from torch import Tensor, nn

from mednext.models.arguments import whole_number
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

FIRST_WIDTH = 16
BOTTOM_WIDTH = 256


class InputStage(nn.Module):
    """First stage: a 5x5 convolution with BN, plus the repeated input, ELU.

    MONAI's own takes only channels that divide 16. Here the image is repeated and cut to 16
    channels, which for those is the same.
    """

    def __init__(self, in_chans: int) -> None:
        super().__init__()
        self.conv = Convolution(
            2, in_chans, FIRST_WIDTH, kernel_size=5, act=None, norm="batch", bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> ``B x 16 x H x W``."""
        repeated = x.repeat(1, -(-FIRST_WIDTH // x.shape[1]), 1, 1)[:, :FIRST_WIDTH]
        return F.elu(self.conv(x) + repeated)


class VNet(WithClassifier):
    """Five levels of residual 5x5 convolutions, strided convolutions between them, skips.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 16.

    Raises:
        UserError: ``img_size`` is not a multiple of 16.
    """

    classifier = "net.out_tr.conv2"

    def __init__(self, num_classes: int, in_chans: int = 3, img_size: int = 224) -> None:
        super().__init__()
        check_multiple("V-Net", img_size, 16)
        self.in_chans = in_chans
        self.net = MonaiVNet(spatial_dims=2, out_channels=num_classes)
        self.net.in_tr = InputStage(in_chans)  # type: ignore[assignment]
        _drop_channels(self.net)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh output stage with ``num_classes`` outputs: all its layers are that wide.

        Raises:
            UserError: ``num_classes`` is no whole number of at least 1.
        """
        outputs = whole_number("V-Net", "num_classes", num_classes)
        weight = next(self.parameters())
        stage = OutputTransition(2, 2 * FIRST_WIDTH, outputs, act="elu")
        self.net.out_tr = stage.to(weight.device, weight.dtype)

    def encode(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> the deepest map, ``B x 256 x H/16 x W/16``."""
        net = self.net
        for stage in (net.in_tr, net.down_tr32, net.down_tr64, net.down_tr128, net.down_tr256):
            x = stage(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> logits ``B x num_classes x H x W``.

        Raises:
            UserError: other channels, or a size that cannot be halved four times.
        """
        check_map(x, "V-Net", self.in_chans)
        for side in x.shape[2:]:
            check_multiple("V-Net", int(side), 16)
        out: Tensor = self.net(x)
        return out


def _drop_channels(net: nn.Module) -> None:
    """Drop channels of each image.

    MONAI keeps 3D dropout in its 2D V-Net, which takes a batch of maps for one volume and drops
    whole images.
    """
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout3d):
                setattr(module, name, nn.Dropout2d(child.p))


def vnet(num_classes: int, in_chans: int = 3, img_size: int = 224) -> VNet:
    """Build :class:`VNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return VNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size)
