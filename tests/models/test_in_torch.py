"""What users of torch do with the networks: half precision, export, compiling; odd sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import mednext
from mednext.errors import UserError
from mednext.models.inference import optimize_for_inference
from mednext.models.registry import create_model, list_models

PX, CLASSES = 64, 3


@pytest.mark.parametrize("method", list_models())
def test_every_network_takes_half_precision(method: str) -> None:
    """On the meta device, which refuses products of two types but computes nothing."""
    with torch.device("meta"), torch.no_grad():
        model = create_model(method, num_classes=CLASSES, img_size=PX).eval()
        for dtype in (torch.float16, torch.bfloat16):
            out = model.to(dtype)(torch.zeros(2, 3, PX, PX, dtype=dtype))
            assert out.dtype == dtype


@pytest.mark.parametrize("method", list_models())
def test_the_last_layer_can_be_exchanged(method: str) -> None:
    with torch.device("meta"):
        model: Any = create_model(method, num_classes=CLASSES, img_size=PX)
        other = create_model(method, num_classes=5, img_size=PX)
        model.reset_classifier(5)
        assert model.num_classes == 5
        assert model.eval()(torch.zeros(2, 3, PX, PX, device="meta")).shape[1] == 5
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (model, other)]
    assert shapes[0] == shapes[1]


def test_an_exchanged_layer_lies_where_the_old_one_did_and_the_rest_stays() -> None:
    for method in ("mednext", "unet", "vnet"):
        model: Any = create_model(method, num_classes=CLASSES, img_size=PX).double()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        model.reset_classifier(5)
        after = model.state_dict()
        same = [name for name in before if torch.equal(before[name], after[name])]
        assert {value.dtype for value in after.values()} <= {torch.float64, torch.int64}
        assert len(same) >= len(before) - 9  # V-Net's output stage has as many tensors
        with pytest.raises(UserError, match="num_classes"):
            model.reset_classifier(-1)


def test_stored_weights_are_loaded_when_a_network_is_built(tmp_path: Path) -> None:
    file = tmp_path / "weights.last.safetensors"
    trained = create_model("unet", num_classes=CLASSES, img_size=PX)
    save_file(trained.state_dict(), file)
    built = mednext.create_model("unet", num_classes=CLASSES, img_size=PX, weights=file)
    assert all(
        torch.equal(a, b) for a, b in zip(trained.parameters(), built.parameters(), strict=True)
    )
    with pytest.raises(UserError, match="another network"):
        mednext.create_model("unet", num_classes=4, img_size=PX, weights=file)


@pytest.mark.parametrize("scale", ["none", "nc"])
def test_bfloat16_is_near_float32(scale: str) -> None:
    torch.manual_seed(0)
    model = create_model("mednext", num_classes=CLASSES, img_size=PX, laffn_scale=scale).eval()
    x = torch.randn(2, 3, PX, PX)
    with torch.no_grad():
        expected = model(x)
        model.bfloat16()
        for net in (model, optimize_for_inference(model)):
            found = net(x.bfloat16())
            assert found.dtype == torch.bfloat16
            # 8 bits of mantissa through some forty layers
            assert (found - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.parametrize("option", ["img_size", "num_classes", "in_chans"])
@pytest.mark.parametrize("value", [0, -32, 2.5, 64.0, "64", None, True, (64, 32), (64,), [64, 2.0]])
def test_impossible_values_give_one_clear_error(option: str, value: Any) -> None:
    arguments = {"num_classes": 2, "in_chans": 3, "img_size": PX, option: value}
    expected = r"(?s)unet.*(a whole number, at least 1|that are equal)"
    with pytest.raises(UserError, match=expected):
        mednext.create_model("unet", **arguments)


def test_numbers_of_numpy_and_square_pairs_are_taken() -> None:
    model = create_model(
        "mednext", num_classes=np.int64(2), in_chans=np.uint8(1), img_size=(PX, np.int32(PX))
    )
    assert model(torch.zeros(2, 1, PX, PX)).shape == (2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("method", list_models())
def test_every_network_can_be_folded(method: str) -> None:
    torch.manual_seed(0)
    model = create_model(method, num_classes=CLASSES, img_size=PX).eval()
    x = torch.randn(2, 3, PX, PX)
    with torch.no_grad():
        expected = model(x)
        found = optimize_for_inference(model)(x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_layers_keep_their_names_where_nothing_folds() -> None:
    with torch.no_grad():
        model = create_model("transunet", num_classes=2, img_size=PX).eval()
        x = torch.randn(1, 3, PX, PX)
        expected = model(x)
        found = optimize_for_inference(model)(x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("method", "training"),
    [
        ("mednext", False),
        pytest.param("mednext", True, marks=pytest.mark.slow),
        pytest.param("resnet18", True, marks=pytest.mark.slow),
        pytest.param("medunext", True, marks=pytest.mark.slow),
    ],
)
def test_a_compiler_sees_one_graph(method: str, training: bool) -> None:
    torch._dynamo.reset()
    model = create_model(method, num_classes=CLASSES, img_size=PX).train(training)
    found = torch._dynamo.explain(model)(torch.randn(2, 3, PX, PX))
    assert (found.graph_count, found.graph_break_count) == (1, 0)


@pytest.mark.parametrize("folded", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_exported_graph_has_a_free_batch_and_numbers_of_fp16(folded: bool) -> None:
    torch.manual_seed(0)
    model = create_model("mednext_nc", num_classes=CLASSES, img_size=224).eval()
    if folded:
        model = optimize_for_inference(model)
    batch = torch.export.Dim("batch", min=1)
    x = torch.randn(5, 3, 224, 224)
    with torch.no_grad():
        program = torch.export.export(model, (x,), dynamic_shapes=({0: batch},))
        torch.testing.assert_close(program.module()(x[:1]), model(x[:1]), rtol=1e-4, atol=1e-5)
    factors = [
        factor
        for node in program.graph.nodes
        for factor in (*node.args[1:], node.kwargs.get("alpha"))
        if str(node.target).startswith(("aten.mul", "aten.addmm")) and isinstance(factor, int)
    ]
    assert 3136 in factors and max(factors) <= 65504  # N of the first stage, but never N C
