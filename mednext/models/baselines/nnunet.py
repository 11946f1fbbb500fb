"""The network of nnU-Net (Isensee et al., Nature Methods 2021, 10.1038/s41592-020-01008-z) in 2D.

The layers are those of the authors' ``dynamic_network_architectures``; the plan follows the rules
of nnU-Net v2's ``ExperimentPlanner`` for a square 2D patch. Only the network: planning, training,
augmentation and post-processing are this project's, so that the comparison is one of networks.
"""

from __future__ import annotations

import torch.nn.functional as F
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import Tensor, nn

from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

BASE_FEATURES, MAX_FEATURES, MIN_EDGE = 32, 512, 4


def planned_features(img_size: int) -> list[int]:
    """Channels per stage: 32 doubling up to 512, a stage for each halving.

    The map is halved while its edge is at least twice 4 pixels, odd edges rounded up
    (``get_pool_and_conv_props`` of nnunetv2).
    """
    edge, features = img_size, [BASE_FEATURES]
    while edge >= 2 * MIN_EDGE:
        edge = -(-edge // 2)
        features.append(min(2 * features[-1], MAX_FEATURES))
    return features


class NnUNet(WithClassifier):
    """Plain convolutional U-Net: two 3x3 convolutions per stage, instance norm, leaky ReLU.

    Deep supervision, part of nnU-Net's training, is off: every method is trained with one loss.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32; it decides the number of
            stages (6 at 224, 5 at 64 and 96). Where that many halvings do not divide it (288, 352,
            416, 480, 544) the images are surrounded by zeros up to the next size they divide, as
            nnU-Net pads its patches, and the logits cut back.

    Raises:
        UserError: ``img_size`` is not a multiple of 32.
    """

    def __init__(self, num_classes: int, in_chans: int = 3, img_size: int = 224) -> None:
        super().__init__()
        check_multiple("nnU-Net", img_size, 32)
        self.in_chans, self.img_size = in_chans, img_size
        features = planned_features(img_size)
        stages = len(features)
        missing = -img_size % 2 ** (stages - 1)
        self.margins = missing // 2, missing - missing // 2
        self.net = PlainConvUNet(
            input_channels=in_chans,
            n_stages=stages,
            features_per_stage=features,
            conv_op=nn.Conv2d,
            kernel_sizes=3,
            strides=[1] + [2] * (stages - 1),
            n_conv_per_stage=2,
            num_classes=num_classes,
            n_conv_per_stage_decoder=2,
            conv_bias=True,
            norm_op=nn.InstanceNorm2d,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
            deep_supervision=False,
        )
        self.classifier = f"net.decoder.seg_layers.{stages - 2}"
        self.net.apply(self.net.initialize)  # He, as in nnU-Net
        # The library builds an output layer per stage for deep supervision; without it all but the
        # last would be parameters that nothing uses.
        heads = self.net.decoder.seg_layers
        for i in range(len(heads) - 1):
            heads[i] = nn.Identity()

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer with ``num_classes`` outputs, drawn as nnU-Net draws it."""
        super().reset_classifier(num_classes)
        self.net.initialize(self.get_classifier())

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes x S x S``.

        Raises:
            UserError: other channels or another size than the network was planned for.
        """
        check_map(x, "nnU-Net", self.in_chans, (self.img_size, self.img_size))
        before, after = self.margins
        out: Tensor = self.net(F.pad(x, (before, after, before, after)) if after else x)
        side = self.img_size
        return out[:, :, before : before + side, before : before + side] if after else out


def nnunet(num_classes: int, in_chans: int = 3, img_size: int = 224) -> NnUNet:
    """Build :class:`NnUNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return NnUNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size)
