"""MedNeXt, the 2D classifier of PLoS One 2026 (10.1371/journal.pone.0340108).

Not the 3D segmentation network of the same name (Roy et al., MICCAI 2023, DKFZ), which is what
``monai.networks.nets.MedNeXt`` is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.arguments import check_choice, whole_number
from mednext.models.blocks import MEDBlock
from mednext.models.layers import (
    check_map,
    check_multiple,
    check_rate,
    chunked_forward,
)


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
        drop_rate: probability that a feature is left out before the head in training.
        drop_path_rate: ``drop_path`` of the last MED block; it grows evenly from 0 in the first.
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
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        **block: Any,
    ) -> None:
        super().__init__()
        check_multiple("MedNeXt", img_size, 32)
        for option, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
            check_rate("MedNeXt", option, rate)
        self.in_chans, self.img_size, self.drop_rate = in_chans, img_size, drop_rate
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
        blocks = 0
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
            layers: list[nn.Module] = []
            if i:
                down = nn.Conv2d(dims[i - 1], dim, 3, stride=2, padding=1, bias=False)
                layers += [down, nn.BatchNorm2d(dim)]
            size = img_size // 2 ** (i + 2)
            for _ in range(depth):
                rate = drop_path_rate * blocks / max(sum(depths) - 1, 1)
                options = {"sa_reduction": sa_reductions[i], "drop_path": rate, **block}
                layers.append(MEDBlock(dim, (size, size), **options))
                blocks += 1
            self.stages.append(nn.Sequential(*layers))
            self.feature_info.append(
                {"num_chs": dim, "reduction": 2 ** (i + 2), "module": f"stages.{i}"}
            )
        self.norm: nn.Module = nn.LayerNorm(dims[-1])
        self.global_pool = global_pool
        self.reset_classifier(num_classes)

    def get_classifier(self) -> nn.Module:
        """The last layer: 512 -> classes."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh last layer, or with ``num_classes`` 0 none; ``global_pool`` None keeps it.

        Raises:
            UserError: no number of classes, unknown ``global_pool``, or classes without pooling.
        """
        if num_classes != 0:
            num_classes = whole_number("MedNeXt", "num_classes", num_classes)
        global_pool = self.global_pool if global_pool is None else global_pool
        allowed = ("avg",) if num_classes else ("avg", "")
        check_choice("MedNeXt", "global_pool", global_pool, allowed)
        self.num_classes, self.global_pool = num_classes, global_pool
        weight = next(self.parameters())
        head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.head: nn.Module = head.to(weight.device, weight.dtype)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Let the MED blocks be computed again in the backward pass, which saves their memory.

        Weights and gradients stay the same; only BN within a block (``sem_bias_norm``) would
        average its statistics twice.
        """
        for module in self.modules():
            if isinstance(module, MEDBlock):
                module.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """timm's grouping of parameters by depth: stem, stages (or their blocks), head."""
        stage = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^stem", "blocks": [(stage, None), (r"^norm", (99999,))]}

    def forward_features(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> ``B x 512 x S/32 x S/32``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        return self._maps(x)[-1]

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The last map and those of the stages, as timm asks for them.

        Args:
            x: ``B x in_chans x S x S``.
            indices: of the stages, the last so many, or None for all four.
            norm: has no effect: the network's LayerNorm stands behind the pooling.
            stop_early: compute no stage behind the last that is asked for.
            output_fmt: ``NCHW``; there is no other.
            intermediates_only: return the stages' maps alone.

        Raises:
            UserError: another ``output_fmt``, or images of the wrong shape.
        """
        from timm.models._features import feature_take_indices  # timm is loaded only on demand

        check_choice("MedNeXt", "output_fmt", output_fmt, ("NCHW",))
        taken, last = feature_take_indices(len(self.stages), indices)
        maps = self._maps(x, last + 1 if stop_early else len(self.stages))
        wanted = [maps[i] for i in taken]
        return wanted if intermediates_only else (maps[-1], wanted)

    def prune_intermediate_layers(
        self,
        indices: int | list[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Drop what :meth:`forward_intermediates` does not need for these indices.

        Returns:
            the indices as whole numbers from 0.
        """
        from timm.models._features import feature_take_indices

        taken, last = feature_take_indices(len(self.stages), indices)
        self.stages = self.stages[: last + 1]
        if prune_norm:
            self.norm = nn.Identity()
        if prune_head:
            self.reset_classifier(0, "")
        return list(taken)

    def _maps(self, x: Tensor, stages: int | None = None) -> list[Tensor]:
        """The maps of the first so many stages."""
        check_map(x, "MedNeXt", self.in_chans, (self.img_size, self.img_size))
        # In training BN treats the batch as a whole.
        first = self._large_maps
        maps = [first(x) if self.training else chunked_forward(first, x, 4)]
        for stage in self.stages[1:stages]:
            maps.append(stage(maps[-1]))
        return maps

    def _large_maps(self, x: Tensor) -> Tensor:
        """Stem and first stage."""
        out: Tensor = self.stages[0](self.stem(x))
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """``B x 512 x h x w`` -> logits ``B x num_classes``, or what the last layer is given."""
        if self.global_pool:
            x = self.norm(x.mean(dim=(2, 3)))
        if self.drop_rate:
            x = F.dropout(x, self.drop_rate, self.training)
        out: Tensor = x if pre_logits else self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes``."""
        return self.forward_head(self.forward_features(x))


def mednext(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> MedNeXt:
    """Build :class:`MedNeXt`; the constructor named in ``benchmarks/methods.yaml``."""
    return MedNeXt(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
