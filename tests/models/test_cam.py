"""Grad-CAM finds a spatial map in every classifier, and the map lies where the evidence is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mednext.errors import UserError
from mednext.models.baselines.patch_cnn import PatchCNN
from mednext.models.cam import cam_layer, gradcam_layer
from mednext.models.registry import create_model, list_models
from mednext.training.explain import grad_cam

PX = 64


@pytest.mark.parametrize("method", list_models("classification"))
def test_every_classifier_has_a_map(method: str) -> None:
    torch.manual_seed(0)
    model = create_model(method, num_classes=2, img_size=PX).eval()
    with torch.no_grad():  # a ReLU over a map that happens to be negative would leave nothing
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    layer = gradcam_layer(method, model)
    images = torch.randn(2, 3, PX, PX)
    shapes = []
    layer.module.register_forward_hook(lambda _m, _i, out: shapes.append(layer.to_map(out).shape))
    either = sum(grad_cam(model, layer, images.clone(), torch.tensor([c, c])) for c in (0, 1))
    (shape, _) = shapes
    tokens = method in ("vit", "mlp_mixer", "resmlp")  # 16-pixel patches; the others end at 1/32
    many, side = (200, 1) if method == "patch_cnn" else (2, 4 if tokens else 2)
    assert (shape[0], *shape[2:]) == (many, side, side)
    assert either.shape == (2, PX, PX)
    assert either.min() >= 0 and 0.5 < either.max() <= 2


class Tokens(nn.Module):
    """Tokens in reading order, as timm's networks have them, behind a class token or not."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.num_prefix_tokens = prefix
        self.feature_info = [{"module": "block"}]
        self.block = nn.Module()
        self.block.forward = lambda x: self.block.norm1(x)  # type: ignore[method-assign]
        self.block.norm1 = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        tokens = nn.functional.avg_pool2d(x, 8).flatten(2).transpose(1, 2)
        prefix = tokens.new_full((len(x), self.num_prefix_tokens, 3), 9.0)
        return self.block(torch.cat([prefix, tokens], dim=1)).mean(dim=1)[:, :2]


@pytest.mark.parametrize("prefix", [0, 1])
def test_tokens_lie_where_they_came_from(prefix: int) -> None:
    model = Tokens(prefix)
    images = torch.zeros(1, 3, 32, 32)
    images[:, 1, 8:16, 24:] = 1.0  # row 1, column 3 of a 4 x 4 map speaks for class 1
    layer = cam_layer(model)
    kept = []
    layer.module.register_forward_hook(lambda _m, _i, out: kept.append(layer.to_map(out)))
    model(images)
    assert kept[0].shape == (1, 3, 4, 4)
    assert torch.nonzero(kept[0][0, 1]).tolist() == [[1, 3]]
    assert not kept[0][0, 0].any()  # the class token's 9 is left out


class BrightIsOne(nn.Module):
    """Stands in for the ResNet: one map per class, its mean is the logit."""

    def forward_features(self, x: Tensor) -> Tensor:
        maps = nn.functional.avg_pool2d(x[:, :2], 8)
        return maps * 20.0

    def forward_head(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))


def test_patches_are_put_back_where_they_were() -> None:
    model = PatchCNN(num_classes=2, img_size=PX, votes=40).eval()
    model.net = BrightIsOne()
    images = torch.zeros(2, 3, PX, PX)
    images[0, 1, :16, :16] = 1.0  # class 1 in the upper left corner
    images[1, 1, 48:, 48:] = 1.0  # and in the lower right one
    found = grad_cam(model, cam_layer(model), images, torch.tensor([1, 1]))
    for image, corner in ((0, slice(0, 12)), (1, slice(52, 64))):
        inside = found[image, corner, corner]
        assert inside.mean() > 0.5 > 0.1 > found[1 - image, corner, corner].mean()


def test_a_network_without_a_description_is_refused() -> None:
    with pytest.raises(UserError, match="feature_info"):
        cam_layer(nn.Linear(2, 2))
