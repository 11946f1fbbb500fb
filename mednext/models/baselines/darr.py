"""DARR in 2D, after Fu et al., "Domain Adaptive Relational Reasoning for 3D Multi-organ
Segmentation", MICCAI 2020 (10.48550/arXiv.2005.09120).

DARR teaches a volumetric segmentation network where things lie relative to each other by letting
it solve a jigsaw puzzle of the scan at the same time. This is a 2D reading for slices: V-Net in 2D,
and a puzzle of 3 x 3 patches of the slice. Two parts are left out, as there is no second domain
here: the super-resolution network, which brings scans of other domains to one resolution, and
training on the puzzle of each test image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.errors import UserError
from mednext.models.baselines.vnet import BOTTOM_WIDTH, VNet
from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

GRID = 3
"""Patches a side."""
RELATION_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""Right, left, below and above; any other pair is one more class."""
EMBED = 128


def relations() -> Tensor:
    """Class of each ordered pair of patches, ``9 x 9``: an index into RELATION_STEPS, or 4."""
    places = [(row, column) for row in range(GRID) for column in range(GRID)]
    classes = [
        [_relation(b[0] - a[0], b[1] - a[1]) for b in places]  # where b lies as seen from a
        for a in places
    ]
    return torch.tensor(classes)


def _relation(down: int, right: int) -> int:
    step = (down, right)
    return RELATION_STEPS.index(step) if step in RELATION_STEPS else len(RELATION_STEPS)


class Jigsaw(nn.Module):
    """Where each patch belongs (unary) and how two patches lie to each other (pairwise).

    Patches are looked at one by one and in pairs, so the order in which they arrive makes no
    difference and need not be shuffled.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(channels, EMBED), nn.ReLU(inplace=True))
        self.unary = nn.Linear(EMBED, GRID * GRID)
        self.pairwise = nn.Linear(2 * EMBED, len(RELATION_STEPS) + 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``B x 9 x channels`` -> scores ``B x 9 x 9`` (positions), ``B x 9 x 9 x 5`` (pairs)."""
        x = self.embed(features)
        first, second = torch.broadcast_tensors(x[:, :, None], x[:, None])
        return self.unary(x), self.pairwise(torch.cat([first, second], dim=-1))


class DARR(WithClassifier):
    """A 2D V-Net whose encoder also solves a jigsaw puzzle of 3 x 3 patches.

    ``forward`` segments alone. In training :meth:`auxiliary_loss` is added to the loss.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images.
        img_size: height and width of the images, a multiple of 16, at least 48.
        jigsaw_weight: factor of the puzzle's loss.

    Raises:
        UserError: ``img_size`` is not a multiple of 16, or below 48.
    """

    classifier = "segmenter.net.out_tr.conv2"
    relations: Tensor

    def __init__(
        self,
        num_classes: int,
        in_chans: int = 3,
        img_size: int = 224,
        jigsaw_weight: float = 0.1,
    ) -> None:
        super().__init__()
        check_multiple("DARR", img_size, 16)
        _middle(img_size, 0)
        self.in_chans, self.jigsaw_weight = in_chans, jigsaw_weight
        self.segmenter = VNet(num_classes, in_chans, img_size)
        self.jigsaw = Jigsaw(BOTTOM_WIDTH)
        self.register_buffer("relations", relations(), persistent=False)

    def reset_classifier(self, num_classes: int) -> None:
        """See :meth:`VNet.reset_classifier`."""
        self.segmenter.reset_classifier(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x H x W`` -> logits ``B x num_classes x H x W``.

        Raises:
            UserError: other channels, or a size that cannot be halved four times.
        """
        out: Tensor = self.segmenter(x)
        return out

    def patches(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> ``B x 9 x C x h x w`` in reading order.

        Height and width of a patch are the largest multiple of 16 in a third of the image; the
        patch is the middle of its cell, so that edges do not give the neighbours away.
        """
        cells = []
        for row in range(GRID):
            for column in range(GRID):
                rows, columns = (
                    _middle(size, place)
                    for size, place in zip(x.shape[2:], (row, column), strict=True)
                )
                cells.append(x[:, :, rows, columns])
        return torch.stack(cells, dim=1)

    def auxiliary_loss(self, x: Tensor) -> Tensor:
        """Weighted cross-entropy of the puzzle of ``B x in_chans x H x W``; what training adds.

        Raises:
            UserError: other channels, or an image with less than 16 pixels for each patch.
        """
        check_map(x, "DARR", self.in_chans)
        pieces = self.patches(x)
        features = self.segmenter.encode(pieces.flatten(0, 1)).mean(dim=(2, 3))
        unary, pairwise = self.jigsaw(features.unflatten(0, (len(x), GRID * GRID)))
        places = torch.arange(GRID * GRID, device=x.device).expand(len(x), -1)
        pairs = self.relations.expand(len(x), -1, -1)
        loss = F.cross_entropy(unary.flatten(0, 1), places.flatten())
        loss = loss + F.cross_entropy(pairwise.flatten(0, 2), pairs.flatten())
        return self.jigsaw_weight * loss


def _middle(size: int, place: int) -> slice:
    """The middle of cell ``place`` of an edge of ``size`` pixels, a multiple of 16 long."""
    cell = size // GRID
    length = cell // 16 * 16
    if length == 0:
        raise UserError(
            "DARR: the image is too small for its puzzle",
            found=f"{size} pixels",
            expected=f"at least {16 * GRID}",
        )
    start = place * cell + (cell - length) // 2
    return slice(start, start + length)


def darr(
    num_classes: int, in_chans: int = 3, img_size: int = 224, jigsaw_weight: float = 0.1
) -> DARR:
    """Build :class:`DARR`; the constructor named in ``benchmarks/methods.yaml``."""
    return DARR(num_classes, in_chans, img_size, jigsaw_weight)
