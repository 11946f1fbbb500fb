"""What is particular to single baselines, and the weights that some can start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from mednext.config import load_methods
from mednext.errors import UserError
from mednext.models.baselines import r50_unet
from mednext.models.baselines.patch_cnn import PatchCNN
from mednext.models.baselines.sparse_mlp import SparseMixing
from mednext.models.baselines.timm_nets import timm_model
from mednext.models.registry import create_model

PX = 64


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_sparse_mixing_by_hand() -> None:
    block = SparseMixing(2, 3).eval()
    with torch.no_grad():
        for norm in (block.norm1, block.norm2):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 2, 3, 3)
    with torch.no_grad():
        y = nn.functional.gelu(block.norm1(x))
        y = nn.functional.gelu(block.norm2(block.local(y))).double().numpy()
        found = block(x).numpy()
    rows, columns = (m.weight.detach().double().numpy() for m in (block.rows, block.columns))
    along_w = np.einsum("vw,bchw->bchv", rows, y) + block.rows.bias.detach().numpy()
    along_h = np.einsum("gh,bchw->bcgw", columns, y)
    along_h += block.columns.bias.detach().numpy()[:, None]
    fuse = block.join.weight.detach().double().numpy()[:, :, 0, 0]
    expected = np.einsum("oc,bchw->bohw", fuse, np.concatenate([y, along_h, along_w], axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "window"), [(64, 2), (96, 3), (224, 7)])
def test_swin_windows_fill_every_stage(size: int, window: int) -> None:
    with torch.device("meta"):
        model = create_model("swin_v2", num_classes=2, img_size=size)
    for i, stage in enumerate(model.layers):
        for j, block in enumerate(stage.blocks):
            side = size // 2 ** (i + 2)
            assert block.input_resolution == (side, side) and side % window == 0
            assert block.window_size == (window, window)
            shifted = j % 2 == 1 and side > window
            assert block.shift_size == ((window // 2,) * 2 if shifted else (0, 0))


@pytest.mark.parametrize("method", ["swin_v2", "patch_cnn"])
def test_sizes_that_are_too_small_are_refused(method: str) -> None:
    with pytest.raises(UserError, match=r"(?s)at least 64.*64 or 96"):
        create_model(method, num_classes=2, img_size=32)


class Corner(nn.Module):
    """Stands in for the ResNet: certain of class 1 where a patch has its upper left pixel lit."""

    def forward_features(self, x: Tensor) -> Tensor:
        return x[:, :1, :1, :1]

    def forward_head(self, maps: Tensor) -> Tensor:
        lit = maps.flatten(1) * 100.0
        return torch.cat([-lit, lit], dim=1)


def test_patches_vote() -> None:
    model = PatchCNN(num_classes=2, img_size=PX, votes=50).eval()
    model.net = Corner()
    images = -torch.ones(1, 3, PX, PX)
    images[:, :, :10] = 1.0  # patches that start in the first ten rows say 1
    ayes = sum(top < 10 for top, _ in model.corners)
    assert 5 < ayes < 30
    assert max(max(corner) for corner in model.corners) <= 32 and len(set(model.corners)) > 40
    share = model(images).exp()
    # each patch is certain, so that the mean probability is the share of the votes
    assert share[0, 1].item() == pytest.approx((ayes + ayes / 50) / 51)
    assert share.sum().item() == pytest.approx(1)


def test_a_tie_is_decided_by_the_probabilities() -> None:
    model = PatchCNN(num_classes=2, img_size=PX, votes=2).eval()
    model.corners = [(0, 0), (32, 0)]
    model.net = Corner()
    for second, winner in ((-0.02, 0), (-0.005, 1)):
        images = torch.full((1, 3, PX, PX), 0.01)
        images[:, :, 32:] = second
        assert model(images).argmax().item() == winner


def test_one_random_patch_per_image_in_training() -> None:
    model = PatchCNN(num_classes=2, img_size=PX).train()
    seen: list[Tensor] = []
    model.net = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
    model.net[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    rows = torch.arange(PX).float()
    images = (rows[:, None] * PX + rows).expand(20, 3, PX, PX)
    torch.manual_seed(1)
    model(images)
    torch.manual_seed(1)
    model(images)
    assert torch.equal(seen[0], seen[1])  # torch's generator alone decides
    starts = {(int(v) // PX, int(v) % PX) for v in seen[0][:, 0, 0, 0]}
    assert len(starts) > 10 and all(y <= 32 and x <= 32 for y, x in starts)
    y, x = divmod(int(seen[0][0, 0, 0, 0]), PX)
    assert torch.equal(seen[0][0], images[0, :, y : y + 32, x : x + 32])


def test_pretrained_weights_are_loaded(tmp_path: Path) -> None:
    source = timm.create_model("resnet18", num_classes=1000)
    file = tmp_path / "weights.pth"
    torch.save(source.state_dict(), file)
    overlay = {"file": str(file), "hf_hub_id": None}
    model = timm_model("resnet18", 2, pretrained=True, pretrained_cfg_overlay=overlay)
    assert torch.equal(model.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    assert model.fc.weight.shape == (2, 512)


def test_pretrained_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pretrained weights for 'mixer_s16_224'"):
        create_model("mlp_mixer", num_classes=2, pretrained=True)
    file = tmp_path / "weights.pth"
    torch.save(timm.create_model("resmlp_12_224").state_dict(), file)
    overlay = {"file": str(file), "hf_hub_id": None}
    with pytest.raises(UserError, match=r"(?s)another image size.*img_size = 64"):
        create_model(
            "resmlp", num_classes=2, img_size=PX, pretrained=True, pretrained_cfg_overlay=overlay
        )


def test_the_switch_is_there_where_weights_are_and_off() -> None:
    for method, spec in load_methods().items():
        assert spec.kwargs.get("pretrained", False) is False
        assert bool(spec.weights) == ("pretrained" in spec.kwargs), method
    with pytest.raises(UserError, match="does not have this option"):
        create_model("unet", num_classes=2, pretrained=True)


def stored(name: str, folder: Path) -> tuple[nn.Module, dict[str, object]]:
    """A network of timm and the option that makes timm take its weights for the published ones."""
    source = timm.create_model(name, num_classes=0)
    torch.save(source.state_dict(), folder / "weights.pth")
    return source, {"file": str(folder / "weights.pth"), "hf_hub_id": None, "num_classes": 0}


def test_a_pretrained_encoder_is_timms(tmp_path: Path) -> None:
    source, overlay = stored("vit_base_patch16_224", tmp_path)
    options = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    model = create_model("vit_none", num_classes=2, img_size=PX, **options)
    ours, theirs = model.vit.state_dict(), source.state_dict()
    assert set(theirs) - set(ours) == {"cls_token"} and not set(ours) - set(theirs)
    assert all(torch.equal(v, theirs[k]) for k, v in ours.items() if k != "pos_embed")
    table = theirs["pos_embed"][:, 1:]  # without the class token's
    expected = resample_abs_pos_embed(table, [4, 4], [14, 14], num_prefix_tokens=0)
    torch.testing.assert_close(ours["pos_embed"], expected)


def test_pretrained_swin_unet_takes_both_ways_from_swin(tmp_path: Path) -> None:
    source, overlay = stored("swin_tiny_patch4_window7_224", tmp_path)
    options = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    model = create_model("swin_unet", num_classes=2, **options)
    for level, stage in enumerate(source.layers):
        for number in (0, 1):
            theirs = stage.blocks[number].state_dict()
            sides = [model.encoder[level]] + ([model.decoder[2 - level]] if level < 3 else [])
            for side in sides:
                ours = side[number].state_dict()
                assert theirs.keys() == ours.keys()
                assert all(torch.equal(v, theirs[k]) for k, v in ours.items())
    reduction = source.layers[1].downsample.reduction.weight
    assert torch.equal(model.merge[0].reduction.weight, reduction)
    assert torch.equal(model.embed.proj.weight, source.patch_embed.proj.weight)
    small = create_model("swin_unet", num_classes=2, img_size=PX, **options)
    assert small(torch.zeros(1, 3, PX, PX)).shape == (1, 2, PX, PX)


def test_the_librarys_encoder_weights_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    build = r50_unet.smp.Unet
    monkeypatch.setattr(
        r50_unet.smp,
        "Unet",
        lambda name, encoder_weights, **options: (
            asked.append(encoder_weights) or build(name, encoder_weights=None, **options)
        ),
    )
    for pretrained in (False, True):
        create_model("r50_attn_unet", num_classes=2, img_size=PX, pretrained=pretrained)
    assert asked == [None, "imagenet"]
