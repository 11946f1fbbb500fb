"""MedNeXt keeps timm's idea of a model."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import resolve_model_data_config
from timm.models import group_parameters, reparameterize_model

import mednext.models.in_timm  # noqa: F401  (registers the names)
from mednext.errors import UserError
from mednext.models.blocks import MEDBlock
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


def test_device_type_and_frozen_weights_survive_a_new_head() -> None:
    kind = {"device": "meta", "dtype": torch.float64}
    model = timm.create_model("plos_mednext", img_size=PX, **kind).eval().requires_grad_(False)
    tensors = [*model.parameters(), *model.buffers()]
    assert {t.device.type for t in tensors} == {"meta"}
    assert {t.dtype for t in tensors} == {torch.float64, torch.int64}  # BN counts its batches
    for classes, pool in ((0, None), (0, ""), (2, "avg")):
        model.reset_classifier(classes, pool)
        assert model.num_classes == classes
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert trained == (["head.weight", "head.bias"] if classes else [])
    head = model.get_classifier()
    assert (head.weight.device.type, head.weight.dtype) == ("meta", torch.float64)


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


def test_drop_rates_leave_evaluation_alone_and_draw_nothing_at_zero() -> None:
    plain = timm.create_model("plos_mednext", num_classes=3, img_size=PX)
    dropped = timm.create_model(
        "plos_mednext", num_classes=3, img_size=PX, drop_rate=0.5, drop_path_rate=0.7
    )
    dropped.load_state_dict(plain.state_dict())
    rates = [module.drop_path for module in dropped.modules() if isinstance(module, MEDBlock)]
    assert rates == pytest.approx([0.1 * i for i in range(8)])
    x = torch.randn(2, 3, PX, PX)
    state = torch.get_rng_state()
    with torch.no_grad():
        plain(x)
        assert torch.equal(torch.get_rng_state(), state)
        first, second = dropped(x), dropped(x)
        assert not torch.equal(first, second)
        dropped.load_state_dict(plain.state_dict())  # BN has seen other maps in training
        assert torch.equal(plain.eval()(x), dropped.eval()(x))
    with pytest.raises(UserError, match="from 0 to less than 1"):
        timm.create_model("plos_mednext", drop_path_rate=1.0)


def test_a_dropped_branch_is_zero_or_scaled_to_keep_the_mean() -> None:
    torch.manual_seed(0)
    block = MEDBlock(4, (2, 2), drop_path=0.25)
    found = block._some_dropped(torch.ones(4000, 4, 2, 2))
    each = found.flatten(1)
    assert torch.equal(each, each[:, :1].expand_as(each))  # a whole image at a time
    torch.testing.assert_close(each.unique(), torch.tensor([0.0, 4 / 3]))
    assert float((each[:, 0] > 0).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_checkpointing_changes_no_gradient() -> None:
    torch.manual_seed(0)
    model = timm.create_model("plos_mednext", num_classes=3, img_size=PX, drop_path_rate=0.2)
    x = torch.randn(2, 3, PX, PX)
    gradients, means = [], []
    for again in (False, True):
        model.set_grad_checkpointing(again)
        before = deepcopy(model.state_dict())
        torch.manual_seed(1)
        gradients.append(torch.autograd.grad(model(x).square().sum(), tuple(model.parameters())))
        means.append(model.stem[2].running_mean.clone())
        model.load_state_dict(before)
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(means[0], means[1])


def test_intermediates_are_the_stages() -> None:
    model = timm.create_model("plos_mednext", num_classes=3, img_size=PX).eval()
    x = torch.randn(1, 3, PX, PX)
    with torch.no_grad():
        last, maps = model.forward_intermediates(x)
        assert torch.equal(last, model.forward_features(x))
        assert [m.shape[1:] for m in maps] == [
            (c, PX // r, PX // r) for c, r in ((64, 4), (128, 8), (256, 16), (512, 32))
        ]
        two = model.forward_intermediates(x, [0, -2], stop_early=True, intermediates_only=True)
        assert torch.equal(two[0], maps[0]) and torch.equal(two[1], maps[2])
        assert model.prune_intermediate_layers([1]) == [1] and len(model.stages) == 2
        assert torch.equal(model(x), maps[1])
    with pytest.raises(UserError, match="output_fmt"):
        model.forward_intermediates(x, output_fmt="NLC")


def test_folding_by_timm_leaves_the_network_as_it_is() -> None:
    for method in ("mednext", "sparse_mlp"):
        model = create_model(method, num_classes=3, img_size=PX).eval()
        x = torch.randn(1, 3, PX, PX)
        with torch.no_grad():
            assert torch.equal(reparameterize_model(model)(x), model(x))


def test_own_weights_come_from_a_file_or_a_folder(tmp_path: Path) -> None:
    model = timm.create_model("plos_mednext", num_classes=3, img_size=PX).eval()
    former = {name.replace(".join.", ".fuse."): t for name, t in model.state_dict().items()}
    file = tmp_path / "model.safetensors"
    save_file(former, file)
    cfg = {"file": str(file), "num_classes": 3}
    config = {
        "architecture": "plos_mednext",
        "num_classes": 3,
        "model_args": {"img_size": PX},
        "pretrained_cfg": {"num_classes": 3},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape: dict[str, Any] = {"pretrained": True, "num_classes": 3, "img_size": PX}
    x = torch.randn(2, 3, PX, PX)
    with torch.no_grad():
        expected = model(x)
        for found in (
            timm.create_model("plos_mednext", pretrained_cfg_overlay=cfg, **shape),
            timm.create_model(f"local-dir:{tmp_path}", pretrained=True),
        ):
            assert torch.equal(found.eval()(x), expected)
    other = timm.create_model(
        "plos_mednext", pretrained_cfg_overlay=cfg, **shape | {"num_classes": 5, "in_chans": 1}
    )
    assert other(x[:, :1]).shape == (2, 5)
    assert torch.equal(other.norm.weight, model.norm.weight)
