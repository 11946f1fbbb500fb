"""MedNeXt keeps timm's idea of a model."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.data import resolve_model_data_config
from timm.models import group_parameters

import mednext.models.in_timm  # noqa: F401  (registers the names)
from mednext.errors import UserError
from mednext.models.registry import create_model

NAMES = {"plos_mednext": "mednext", "plos_mednext_nc": "mednext_nc"}
PX = 64


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_registered_method(name: str) -> None:
    ours = create_model(NAMES[name], num_classes=3, img_size=PX).eval()
    theirs = timm.create_model(name, num_classes=3, img_size=PX).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, PX, PX)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))


def test_names_are_not_those_of_another_mednext() -> None:
    assert [n for n in timm.list_models() if "mednext" in n] == list(NAMES)
    assert not any(timm.is_model_pretrained(name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_default_cfg_describes_the_model(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    cfg, state = model.default_cfg, model.state_dict()
    channels, height, width = cfg["input_size"]
    assert state[cfg["classifier"] + ".weight"].shape == (cfg["num_classes"], model.num_features)
    assert state[cfg["first_conv"] + ".weight"].shape[1] == channels
    out = model.eval().forward_features(torch.zeros(1, channels, height, width, device="meta"))
    assert out.shape == (1, model.num_features, *cfg["pool_size"])
    assert model.get_classifier().out_features == cfg["num_classes"]
    assert resolve_model_data_config(model)["mean"] == (0.5, 0.5, 0.5)


def test_heads_can_be_taken_off_and_put_on() -> None:
    model = timm.create_model("plos_mednext", num_classes=4, img_size=PX).eval()
    x = torch.randn(2, 3, PX, PX)
    with torch.no_grad():
        logits, features = model(x), model.forward_features(x)
        pooled = model.forward_head(features, pre_logits=True)
        assert pooled.shape == (2, model.num_features)
        torch.testing.assert_close(model.get_classifier()(pooled), logits)
        torch.testing.assert_close(model.forward_head(features), logits)
        model.reset_classifier(0)
        assert torch.equal(model(x), pooled)
        model.reset_classifier(0, "")
        assert torch.equal(model(x), features)
        model.reset_classifier(7, "avg")
        assert model(x).shape == (2, 7) and model.num_classes == 7
    with pytest.raises(UserError, match="global_pool"):
        model.reset_classifier(7, "")
    with pytest.raises(UserError, match="global_pool"):
        model.reset_classifier(7, "max")


def test_features_only_are_the_four_stages() -> None:
    model = timm.create_model("plos_mednext", features_only=True, img_size=PX).eval()
    full = timm.create_model("plos_mednext", num_classes=0, global_pool="", img_size=PX).eval()
    assert model.feature_info.channels() == [64, 128, 256, 512]
    assert model.feature_info.reduction() == [4, 8, 16, 32]
    full_state, state = full.state_dict(), model.state_dict()
    model.load_state_dict({k: full_state[k.replace("stages_", "stages.").replace("stem_", "stem.")]
                           for k in state})  # fmt: skip
    x = torch.randn(1, 3, PX, PX)
    with torch.no_grad():
        maps = model(x)
        assert [m.shape[1:] for m in maps] == [
            (c, PX // r, PX // r) for c, r in ((64, 4), (128, 8), (256, 16), (512, 32))
        ]
        assert torch.equal(maps[-1], full(x))
    two = timm.create_model("plos_mednext", features_only=True, out_indices=(1, 3), img_size=PX)
    assert two.feature_info.channels() == [128, 512]


@pytest.mark.parametrize("coarse", [False, True])
def test_parameters_are_grouped_by_depth(coarse: bool) -> None:
    with torch.device("meta"):
        model = timm.create_model("plos_mednext", img_size=PX)
    groups = group_parameters(model, model.group_matcher(coarse=coarse))
    assert sorted(n for names in groups.values() for n in names) == sorted(
        n for n, _ in model.named_parameters()
    )
    first, last = groups[0], groups[max(groups)]
    assert all(name.startswith("stem") for name in first)
    assert set(last) == {"head.weight", "head.bias"}
    stages = [
        min(n for n in names if n.startswith("stages")) for names in list(groups.values())[1:-1]
    ]
    assert stages == sorted(stages) and len(stages) == (4 if coarse else 14)


def test_no_weights_and_no_oblong_images() -> None:
    with pytest.raises(UserError, match="pretrained"):
        timm.create_model("plos_mednext", pretrained=True)
    with pytest.raises(UserError, match="square"):
        timm.create_model("plos_mednext", img_size=(64, 96))
