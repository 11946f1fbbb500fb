"""sMLPNet (Tang et al., AAAI 2022, 10.1609/aaai.v36i2.20133): MLPs along rows and columns.

Written from the paper; where it leaves details open (which maps have a bias, where normalisation
stands) the layers of the authors' release (github.com/microsoft/SPACH, MIT licence) decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.heads import WithClassifier
from mednext.models.layers import (
    LayerNorm2d,
    check_map,
    check_multiple,
    conv1x1,
    depthwise,
    take_former_name,
)


class SparseMixing(nn.Module):
    """Token mixing: a depthwise 3x3 convolution, then linear maps along H, along W, and neither.

    Both steps act on GELU(BN(x)). The three views are joined by a pointwise map 3C -> C. All rows
    share one map and so do all columns: 3 C^2 + 9 C + H^2 + W^2 weights.

    Args:
        dim: channels C.
        side: H = W of the map.
    """

    def __init__(self, dim: int, side: int) -> None:
        super().__init__()
        self.norm1, self.local = nn.BatchNorm2d(dim), depthwise(dim, (3, 3))
        self.norm2 = nn.BatchNorm2d(dim)
        self.rows, self.columns = nn.Linear(side, side), nn.Linear(side, side)
        self.join = conv1x1(3 * dim, dim)
        self.register_load_state_dict_pre_hook(take_former_name)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        x = F.gelu(self.norm2(self.local(F.gelu(self.norm1(x)))))
        along_h = self.columns(x.transpose(2, 3)).transpose(2, 3)
        out: Tensor = self.join(torch.cat([x, along_h, self.rows(x)], dim=1))
        return out


class SparseBlock(nn.Module):
    """``x += SparseMixing(x); x += MLP(LN(x))``, the MLP with ``ratio`` C hidden channels."""

    def __init__(self, dim: int, side: int, ratio: int) -> None:
        super().__init__()
        self.mix = SparseMixing(dim, side)
        self.mlp = nn.Sequential(
            LayerNorm2d(dim),
            conv1x1(dim, ratio * dim, bias=True),
            nn.GELU(),
            conv1x1(ratio * dim, dim, bias=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        x = x + self.mix(x)
        out: Tensor = x + self.mlp(x)
        return out


class SparseMLP(WithClassifier):
    """Four stages at 1/4 to 1/32 of the image, 2x2 convolutions of stride 2 between them.

    Args:
        num_classes: classes.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32; the MLPs are built for it.
        dim: channels of the first stage; they double per stage.
        depths: blocks per stage.
        ratio: hidden over outer channels of the channel MLPs (alpha in the paper).

    Raises:
        UserError: ``img_size`` is not a multiple of 32.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        img_size: int = 224,
        dim: int = 96,
        depths: Sequence[int] = (2, 10, 24, 2),
        ratio: int = 2,
    ) -> None:
        super().__init__()
        check_multiple("sMLPNet", img_size, 32)
        self.in_chans, self.img_size = in_chans, img_size
        self.stages = nn.Sequential()
        self.feature_info: list[dict[str, Any]] = []  # as timm describes its networks
        channels = in_chans
        for i, depth in enumerate(depths):
            width, reduction = dim * 2**i, 2 ** (i + 2)
            step = 4 if i == 0 else 2
            embed = nn.Conv2d(channels, width, step, stride=step, bias=False)
            blocks = (SparseBlock(width, img_size // reduction, ratio) for _ in range(depth))
            self.stages.append(nn.Sequential(embed, *blocks))
            self.feature_info.append(
                {"num_chs": width, "reduction": reduction, "module": f"stages.{i}"}
            )
            channels = width
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "sMLPNet", self.in_chans, (self.img_size, self.img_size))
        out: Tensor = self.head(self.norm(self.stages(x)).mean(dim=(2, 3)))
        return out


def sparse_mlp(
    num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any
) -> SparseMLP:
    """Build :class:`SparseMLP`; the constructor named in ``benchmarks/methods.yaml``."""
    return SparseMLP(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
