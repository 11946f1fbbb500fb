"""The patch-based CNN of Oh, Park and Ye (IEEE TMI 2020, 10.1109/TMI.2020.2993291).

A ResNet-18 sees random patches of the image; in evaluation many patches vote. What the original
does beyond that (lung masks, 1024-pixel radiographs, ImageNet weights) is not in reach of the data
sets here; ``benchmarks/methods.yaml`` lists the differences.
"""

from __future__ import annotations

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.baselines.timm_nets import timm_model
from mednext.models.device import to_device
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

CHUNK = 10
"""Patches of an image that go through the network at a time."""


class PatchCNN(WithClassifier):
    """ResNet-18 on patches half as wide as the image.

    Training: one patch per image, drawn anew from torch's generator in every pass; the output are
    its logits. Evaluation: ``votes`` patches at positions drawn once from ``seed``, the same for
    every image; the output is the logarithm of ``(votes for the class + p) / (votes + 1)``, where p
    is the mean probability over the patches. It decides ties, and gradients flow through it.

    Args:
        num_classes: classes.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 32 and at least 64.
        votes: patches per image in evaluation (100 in the original).
        seed: of the positions in evaluation.
        pretrained: start from timm's ImageNet weights.

    Raises:
        UserError: an ``img_size`` whose half is too small for ResNet-18.
    """

    classifier = "net.fc"
    slow_evaluation = True
    """A hundred passes for each image, against one in training."""

    def __init__(
        self,
        num_classes: int = 2,
        in_chans: int = 3,
        img_size: int = 224,
        votes: int = 100,
        seed: int = 0,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        check_multiple("PatchCNN", img_size, 32, at_least=64)
        self.in_chans, self.img_size, self.votes = in_chans, img_size, votes
        self.side = img_size // 2
        self.net: Any = timm_model("resnet18", num_classes, in_chans, pretrained=pretrained)
        self.patch_maps = nn.Identity()  # where the maps of all patches pass, for Grad-CAM
        draw = random.Random(seed)  # noqa: S311  no secret: corners of patches
        last = img_size - self.side
        self.corners = [(draw.randint(0, last), draw.randint(0, last)) for _ in range(votes)]

    def _crop(self, x: Tensor, corner: tuple[int, int]) -> Tensor:
        top, left = corner
        return x[..., top : top + self.side, left : left + self.side]

    def _patches(self, x: Tensor, corners: Tensor) -> Tensor:
        """One patch of each image, its corner (top, left) in ``corners`` (B, 2)."""
        if x.device.type == "cpu":
            pairs = zip(x, corners.tolist(), strict=True)
            return torch.stack([self._crop(image, (top, left)) for image, (top, left) in pairs])
        # Positions go to the device as numbers: nothing waits for it, and it is one kernel.
        span = torch.arange(self.side, device=x.device)
        top, left = to_device(corners, x.device)[:, :, None].unbind(1)
        rows, columns = (top + span)[:, :, None], (left + span)[:, None]
        each = torch.arange(len(x), device=x.device)[:, None, None]
        return x.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "PatchCNN", self.in_chans, (self.img_size, self.img_size))
        if self.training:
            # Drawn on the CPU, whose numbers are the same on every device.
            drawn = torch.randint(self.img_size - self.side + 1, (len(x), 2), device="cpu")
            logits: Tensor = self.net(self._patches(x, drawn))
            return logits
        maps = []
        for start in range(0, self.votes, CHUNK):
            corners = self.corners[start : start + CHUNK]
            patches = [self._crop(x, corner) for corner in corners]
            maps.append(self.net.forward_features(torch.cat(patches)))
        # All patches in the order patch, image: (votes B) x 512 x h x w.
        scores = self.patch_scores(self.patch_maps(torch.cat(maps)))
        ballots = F.one_hot(scores.argmax(dim=2), scores.shape[2]).sum(dim=0)
        return ((ballots + scores.mean(dim=0)) / (self.votes + 1)).log()

    def patch_scores(self, maps: Tensor) -> Tensor:
        """Feature maps of all patches -> probabilities ``votes x B x num_classes``."""
        logits: Tensor = self.net.forward_head(maps)
        return logits.softmax(dim=1).reshape(self.votes, -1, logits.shape[1])

    def assemble_cams(self, cams: Tensor, maps: Tensor, target: Tensor) -> Tensor:
        """One saliency map per image from those of its patches.

        The original's probabilistic Grad-CAM: each patch's map, scaled by its own maximum, counts
        with the patch's probability of the class; where patches overlap, their mean counts.

        Args:
            cams: Grad-CAM of the patches, ``(votes B) x 1 x h x w``, not negative.
            maps: the feature maps they came from.
            target: the class of each image, (B,).

        Returns:
            ``B x 1 x S x S``; 0 where no patch lies.
        """
        weight = self.patch_scores(maps)[:, torch.arange(len(target)), target]  # votes x B
        cams = cams / cams.amax(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(cams.dtype).tiny)
        cams = F.interpolate(cams, (self.side, self.side), mode="bilinear", align_corners=False)
        cams = cams.reshape(self.votes, len(target), 1, self.side, self.side)
        total = cams.new_zeros(len(target), 1, self.img_size, self.img_size)
        times = torch.zeros_like(total)
        for corner, cam, share in zip(self.corners, cams, weight, strict=True):
            self._crop(total, corner).add_(cam * share[:, None, None, None])
            self._crop(times, corner).add_(1)
        return total / times.clamp(min=1)


def patch_cnn(num_classes: int, in_chans: int = 3, img_size: int = 224, **options: Any) -> PatchCNN:
    """Build :class:`PatchCNN`; the constructor named in ``benchmarks/methods.yaml``."""
    return PatchCNN(num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options)
