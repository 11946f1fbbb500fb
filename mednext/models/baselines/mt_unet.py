"""MT-UNet (Wang et al., "Mixed Transformer U-Net for Medical Image Segmentation", ICASSP 2022,
10.1109/ICASSP43922.2022.9746172).

The plan (widths, windows, heads, biases) is that of the authors' public form
(github.com/Dootmaan/MT-UNet): 79.07 M parameters at 224 pixels. There the Gaussian weighting runs
over the positions one by one, and on a GPU only; here all positions are weighted at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.models.heads import WithClassifier
from mednext.models.layers import check_map, check_multiple

HEADS = 8
WINDOW = 4
EXPANSION = 4
"""External attention works on this many times the channels and heads."""
MEMORY = 256 // EXPANSION
"""Size of the external memory of each head."""


def _conv_bn(channels: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Convolution without bias (padded to keep the size if stride is 1), BN."""
    padding = kernel // 2 if stride == 1 else 0
    conv = nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, bias=False)
    return [conv, nn.BatchNorm2d(out)]


class ResidualConvs(nn.Module):
    """Two 3x3 convolutions with BN, then ReLU(y + BN(Conv1x1(y)))."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv_bn(channels, out, 3), nn.ReLU(inplace=True), *_conv_bn(out, out, 3)
        )
        self.residual = nn.Sequential(nn.Conv2d(out, out, 1), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """``B x channels x H x W`` -> ``B x out x H x W``."""
        y = self.body(x)
        return F.relu(y + self.residual(y))


class LocalAttention(nn.Module):
    """Multi-head self-attention within windows of 4 x 4 positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """``B x n x m x 16 x C`` (windows and the positions in them) -> the same shape."""
        split = self.qkv(x).unflatten(-1, (3, HEADS, -1)).movedim(-3, 0).transpose(-2, -3)
        out = F.scaled_dot_product_attention(*split)
        projected: Tensor = self.project(out.transpose(-2, -3).flatten(-2))
        return projected


class WindowPooling(nn.Module):
    """One vector per window: its positions, weighted by what a linear map says of their mean."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(dim, WINDOW * WINDOW)

    def forward(self, x: Tensor) -> Tensor:
        """``B x n x m x 16 x C`` -> ``B x n x m x C``."""
        weights = self.weigh(x.mean(dim=-2)).softmax(dim=-1)
        return torch.einsum("...pc,...p->...c", x, weights)


class GaussianAxialAttention(nn.Module):
    """Attention of each window to those of its row and of its column, nearer ones favoured.

    Scores get ``-(shift d^2 + bias)`` added, d being the distance in windows; the results along
    the row and along the column are summed. One head, scores not divided by sqrt(C), as in the
    public form. That registers an output map here which it never applies; it is kept, as the
    published 79.07 M count its 3.81 M.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.unused = nn.Linear(dim, dim)
        self.shift = nn.Parameter(torch.randn(1).abs())
        self.bias = nn.Parameter(-torch.randn(1).abs())

    def _along(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention along the last but one axis of ``... x L x C``."""
        places = torch.arange(q.shape[-2], device=q.device)
        distance = (places[:, None] - places[None, :]).square()
        scores = q @ k.transpose(-1, -2) - (self.shift * distance + self.bias)
        return scores.softmax(dim=-1) @ v

    def forward(self, x: Tensor) -> Tensor:
        """``B x n x m x C`` -> the same shape."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        columns = self._along(*(t.transpose(1, 2) for t in (q, k, v))).transpose(1, 2)
        return self._along(q, k, v) + columns


def _whole_windows(x: Tensor) -> Tensor:
    """``B x C x S x S`` filled up to whole windows at the right and below, as in the public form:
    with zeros, but with a copy of the last positions in the corner where both meet."""
    missing = -x.shape[-1] % WINDOW
    if not missing:
        return x
    corner = x[:, :, -missing:, -missing:].expand(-1, -1, missing, missing)
    below = F.pad(corner, (x.shape[-1], 0))
    return torch.cat([F.pad(x, (0, missing)), below], dim=2)


class MixedAttention(nn.Module):
    """Local attention in windows joined with Gaussian-weighted attention among the windows."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.local, self.pool = LocalAttention(dim), WindowPooling(dim)
        self.among = GaussianAxialAttention(dim)
        self.join = nn.Conv2d(2 * dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x S x S`` -> the same shape; S is filled up to whole windows."""
        _, channels, height, width = x.shape
        x = _whole_windows(x)
        windows = x.unflatten(3, (-1, WINDOW)).unflatten(2, (-1, WINDOW))  # B C n 4 m 4
        windows = windows.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)
        inside = self.local(windows)
        among = self.among(self.pool(inside)).permute(0, 3, 1, 2)
        inside = inside.unflatten(3, (WINDOW, WINDOW)).permute(0, 5, 1, 3, 2, 4)
        among = F.interpolate(among, scale_factor=WINDOW, mode="bilinear", align_corners=True)
        joined = self.join(torch.cat([among, inside.reshape(len(x), channels, *x.shape[2:])], 1))
        return joined[:, :, :height, :width]


class ExternalAttention(nn.Module):
    """Attention to a learned memory that all images share (Guo et al., 10.1109/TPAMI.2022.3211006).

    The scores are normalised over the positions, then over the memory.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads = HEADS * EXPANSION
        width = dim * EXPANSION // self.heads
        self.query = nn.Linear(dim, dim * EXPANSION)
        self.keys, self.values = nn.Linear(width, MEMORY), nn.Linear(MEMORY, width)
        self.project = nn.Linear(dim * EXPANSION, dim)

    def forward(self, x: Tensor) -> Tensor:
        """``B x N x C`` -> the same shape."""
        scores = self.keys(self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2))
        scores = scores.softmax(dim=-2)
        scores = scores / (1e-9 + scores.sum(dim=-1, keepdim=True))
        out: Tensor = self.project(self.values(scores).transpose(1, 2).flatten(2))
        return out


class MixedBlock(nn.Module):
    """Pre-norm residual block: :class:`MixedAttention`, then :class:`ExternalAttention`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.mixed, self.external = MixedAttention(dim), ExternalAttention(dim)

    def forward(self, x: Tensor) -> Tensor:
        """``B x C x H x W`` -> the same shape."""
        x = x + self.mixed(self.norm1(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        tokens = self.external(self.norm2(x.flatten(2).transpose(1, 2)))
        return x + tokens.transpose(1, 2).reshape(x.shape)


class MTUNet(WithClassifier):
    """U-shaped: three convolution stages, mixed blocks at 1/8, 1/16 and 1/32, and the way back.

    79.07 M parameters at 224 x 224, of which 0.20 M are the position embedding.

    Args:
        num_classes: classes, background included.
        in_chans: channels of the images; a single one is repeated to three.
        img_size: height and width of the images, a multiple of 32; the position embedding is built
            for it. At 1/16 and 1/32 maps that are no whole number of windows are filled up, with
            zeros but for the corner (at 224 pixels 14 to 16 and 7 to 8 positions).

    Raises:
        UserError: ``img_size`` is not a multiple of 32.
    """

    def __init__(self, num_classes: int, in_chans: int = 3, img_size: int = 224) -> None:
        super().__init__()
        check_multiple("MT-UNet", img_size, 32)
        self.in_chans, self.img_size = in_chans, img_size

        def mixed(dim: int) -> nn.Sequential:
            return nn.Sequential(MixedBlock(dim), MixedBlock(dim))

        def down(dim: int) -> nn.Sequential:
            return nn.Sequential(*_conv_bn(dim, 2 * dim, 2, stride=2), nn.ReLU(inplace=True))

        def up(channels: int, out: int) -> nn.ConvTranspose2d:
            return nn.ConvTranspose2d(channels, out, 2, stride=2)

        self.pool = nn.MaxPool2d(2)
        self.enc1 = ResidualConvs(3 if in_chans == 1 else in_chans, 64)
        self.enc2, self.enc3 = ResidualConvs(64, 128), ResidualConvs(128, 256)
        self.trans = nn.Sequential(*_conv_bn(256, 256, 1), nn.ReLU(inplace=True))
        self.position = nn.Parameter(torch.zeros(1, 256, img_size // 8, img_size // 8))
        self.mixed4, self.down4 = mixed(256), down(256)
        self.mixed5, self.down5 = mixed(512), down(512)
        self.bottleneck = mixed(1024)
        self.up5, self.reduce5, self.dec5 = up(1024, 512), nn.Conv2d(1024, 512, 1), mixed(512)
        self.up4, self.dec4 = up(512, 256), mixed(512)
        self.up3, self.dec3 = up(512, 256), ResidualConvs(512, 256)
        self.up2, self.dec2 = up(256, 128), ResidualConvs(256, 128)
        self.up1, self.dec1 = up(128, 64), ResidualConvs(128, 64)
        self.head = nn.Conv2d(64, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x in_chans x S x S`` -> logits ``B x num_classes x S x S``.

        Raises:
            UserError: other channels or another size than the network was built for.
        """
        check_map(x, "MT-UNet", self.in_chans, (self.img_size, self.img_size))
        if self.in_chans == 1:
            x = x.repeat(1, 3, 1, 1)
        e1 = self.enc1(x)
        e2 = self.enc2(self.pool(e1))
        e3 = self.enc3(self.pool(e2))
        s4 = self.mixed4(self.trans(self.pool(e3)) + self.position)
        s5 = self.mixed5(self.down4(s4))
        y = self.bottleneck(self.down5(s5))
        y = self.dec5(self.reduce5(torch.cat([self.up5(y), s5], dim=1)))
        y = self.dec4(torch.cat([self.up4(y), s4], dim=1))
        y = self.dec3(torch.cat([self.up3(y), e3], dim=1))
        y = self.dec2(torch.cat([self.up2(y), e2], dim=1))
        y = self.dec1(torch.cat([self.up1(y), e1], dim=1))
        out: Tensor = self.head(y)
        return out


def mt_unet(num_classes: int, in_chans: int = 3, img_size: int = 224) -> MTUNet:
    """Build :class:`MTUNet`; the constructor named in ``benchmarks/methods.yaml``."""
    return MTUNet(num_classes=num_classes, in_chans=in_chans, img_size=img_size)
