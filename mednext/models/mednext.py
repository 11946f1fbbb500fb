"""MedNeXt, the 2D classifier of PLoS One 2026 (10.1371/journal.pone.0340108).

Not the 3D segmentation network of the same name (Roy et al., MICCAI 2023, DKFZ), which is what
``monai.networks.nets.MedNeXt`` is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mednext.models.blocks import MEDBlock
from mednext.models.layers import check_choice, check_map, check_multiple, chunked_forward


def _stem_conv(channels: int, out: int, stride: int) -> list[nn.Module]:
    """3x3 convolution, ReLU, BN: the order the paper gives."""
    conv = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
    return [conv, nn.ReLU(inplace=True), nn.BatchNorm2d(out)]


class MedNeXt(nn.Module):
    """Stem, four stages of MED blocks with strided convolutions between them, linear head.

    At 224 x 224 the stages work on 56, 28, 14 and 7 pixels with 64, 128, 256 and 512 channels; with
    two classes it has 10.72 M parameters and 1.96 GMACs (1.90 printed: the 0.06 G of SEM's maps
    along the axes are missing there).

    Args:
        num_classes: outputs.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32; SEM is built for it.
        dims: channels of the four stages.
        depths: MED blocks of the four stages.
        sa_reductions: reduction of the keys per stage, where SA stands in for SEM.
        global_pool: ``avg``, or empty: no pooling, and then no head either (``num_classes`` 0).
        **block: options of :class:`~mednext.models.blocks.MEDBlock` (``laffn_scale``,
            ``sem_fusion``, ``attn``, ``enhance``, ``ffn``, ...).

    Raises:
        UserError: ``img_size`` is not a multiple of 32, or an option has an unknown value.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        img_size: int = 224,
        dims: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (2, 2, 2, 2),
        sa_reductions: Sequence[int] = (8, 4, 2, 1),
        global_pool: str = "avg",
        **block: Any,
    ) -> None:
        super().__init__()
        check_multiple("MedNeXt", img_size, 32)
        self.in_chans, self.img_size = in_chans, img_size
        self.num_features = self.head_hidden_size = dims[-1]
        half = dims[0] // 2
        self.stem = nn.Sequential(
            *_stem_conv(in_chans, half, 2),
            *_stem_conv(half, half, 1),
            *_stem_conv(half, dims[0], 1),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.Sequential()
        self.feature_info: list[dict[str, Any]] = []  # as timm describes its networks
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
            layers: list[nn.Module] = []
            if i:
                down = nn.Conv2d(dims[i - 1], dim, 3, stride=2, padding=1, bias=False)
                layers += [down, nn.BatchNorm2d(dim)]
            size = img_size // 2 ** (i + 2)
            layers += [
                MEDBlock(dim, (size, size), sa_reduction=sa_reductions[i], **block)
                for _ in range(depth)
            ]
            self.stages.append(nn.Sequential(*layers))
            self.feature_info.append(
                {"num_chs": dim, "reduction": 2 ** (i + 2), "module": f"stages.{i}"}
            )
        self.norm = nn.LayerNorm(dims[-1])
        self.global_pool = global_pool
        self.reset_classifier(num_classes)

    def get_classifier(self) -> nn.Module:
        """The last layer: 512 -> classes."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh last layer, or with ``num_classes`` 0 none; ``global_pool`` None keeps it.

        Raises:
            UserError: unknown ``global_pool``, or classes without pooling.
        """
        global_pool = self.global_pool if global_pool is None else global_pool
        allowed = ("avg",) if num_classes else ("avg", "")
        check_choice("MedNeXt", "global_pool", global_pool, allowed)
        self.num_classes, self.global_pool = num_classes, global_pool
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """timm's grouping of parameters by depth: stem, stages (or their blocks), head."""
        stage = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^stem", "blocks": [(stage, None), (r"^norm", (99999,))]}

    def forward_features(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> ``B x 512 x S/32 x S/32``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "MedNeXt", self.in_chans, (self.img_size, self.img_size))
        if not self.training:  # where BN treats every image by itself
            x = chunked_forward(self._large_maps, x, 4)
            out: Tensor = self.stages[1:](x)
            return out
        out = self.stages(self.stem(x))
        return out

    def _large_maps(self, x: Tensor) -> Tensor:
        """Stem and first stage."""
        out: Tensor = self.stages[0](self.stem(x))
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """``B x 512 x h x w`` -> logits ``B x num_classes``, or what the last layer is given."""
        if self.global_pool:
            x = self.norm(x.mean(dim=(2, 3)))
        out: Tensor = x if pre_logits else self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes``."""
        return self.forward_head(self.forward_features(x))


def mednext(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> MedNeXt:
    """Build :class:`MedNeXt`; the constructor named in ``benchmarks/methods.yaml``."""
    return MedNeXt(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
