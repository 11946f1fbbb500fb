"""The fast paths compute the plain function: values and gradients in float64, on fresh input."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mednext.models.blocks import FFN, LAFFN, SDFFN, SEM, MEDBlock
from mednext.models.inference import Clamp, optimize_for_inference
from mednext.models.layers import as_defined
from mednext.models.linear_attention import SimplifiedLinearAttention, factorised
from mednext.models.registry import create_model

_spec = importlib.util.spec_from_file_location("plain", Path(__file__).with_name("plain.py"))
assert _spec is not None and _spec.loader is not None
_plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_plain)
plain = _plain.plain

BLOCKS: dict[str, Any] = {
    "laffn": lambda: LAFFN(6),
    "laffn, q biased": lambda: LAFFN(6, "nc", query_bias=True),
    "sem": lambda: SEM(6, (5, 8)),
    "sem, half as wide, BN": lambda: SEM(6, (5, 8), ratio=0.5, bias_norm=True),
    "sem, summed": lambda: SEM(6, (5, 8), fusion="sum"),
    "sem, few positions for its channels": lambda: SEM(32, (5, 8), bias_norm=True),
    "sdffn": lambda: SDFFN(6),
    "ffn": lambda: FFN(6, 3),
    "med": lambda: MEDBlock(6, (5, 8)),
}
NETWORKS = ["mednext", "mednext_sa_ffn", "medunext"]


def stirred(model: nn.Module) -> nn.Module:
    """In float64, with no weight, bias or statistic left at a value that hides something."""
    model = model.double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.mul_(torch.randint(0, 2, module.weight.shape) * 2 - 1)
    return model


def outputs(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The output and all gradients of a random projection of it."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = model(x)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(3)).double()
    return [out, *torch.autograd.grad((out * direction).sum(), [x, *model.parameters()])]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    # A bias right before BN has no gradient but rounding; next to the largest that is nothing.
    scale = max(float(e.abs().max()) for e in expected[1:])
    for f, e in zip(found, expected, strict=True):
        torch.testing.assert_close(f, e, rtol=1e-9, atol=1e-11 * max(scale, 1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name: str, training: bool, layout: torch.memory_format) -> None:
    block = stirred(BLOCKS[name]()).train(training)
    dim = getattr(block, "dim", 6)
    x = torch.randn(3, dim, 5, 8).double().contiguous(memory_format=layout)
    found = outputs(block, x)
    with plain(block):
        expected = outputs(block, x)
    assert_same(found, expected)
    with as_defined():
        assert_same(outputs(block, x), expected)
    with torch.no_grad():
        torch.testing.assert_close(block(x), expected[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    model = stirred(create_model(name, num_classes=3, img_size=32)).eval()
    x = torch.randn(2, 3, 32, 32).double()
    found = outputs(model, x)
    with plain(model):
        assert_same(found, outputs(model, x))


def test_the_oracle_can_tell() -> None:
    block = stirred(LAFFN(6))
    x = torch.randn(2, 6, 5, 8).double()
    with plain(block):
        expected = outputs(block, x)
    block.k.weight.data[0] *= 1.0001
    with pytest.raises(AssertionError):
        assert_same(outputs(block, x), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast(dtype: torch.dtype) -> None:
    block = MEDBlock(16, (8, 8), laffn_scale="nc", sem_bias_norm=True)
    x = torch.randn(2, 16, 8, 8)
    exact = outputs_f32(block, x)
    with torch.autocast("cpu", dtype=dtype):
        rough = outputs_f32(block, x)
    scale = max(e.norm() for e in exact[1:])
    for r, e in zip(rough, exact, strict=True):
        assert r.dtype == torch.float32
        assert (r - e).norm() <= 0.05 * max(e.norm(), 0.1 * scale)


def outputs_f32(block: nn.Module, x: Tensor) -> list[Tensor]:
    out = block(x).float()
    return [out.detach(), *torch.autograd.grad(out.square().sum(), list(block.parameters()))]


def test_two_steps_give_the_same_bits() -> None:
    block = MEDBlock(16, (8, 8))
    x = torch.randn(4, 16, 8, 8)
    first, second = outputs_f32(block, x), outputs_f32(block, x)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", [*NETWORKS, "mednext_nc", "medunext_sem_ffn"])
def test_folded_for_inference(name: str) -> None:
    """Also with BN of negative weights, which turn the clamps of the stem around."""
    model = stirred(create_model(name, num_classes=3, img_size=32)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    folded = optimize_for_inference(model)
    assert model.training and not folded.training
    assert not any(p.requires_grad for p in folded.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    x = torch.randn(6, 3, 32, 32).double()
    with torch.no_grad():
        found, again = folded(x), folded(x)
        assert torch.equal(found, again)
        with plain(model.eval()):
            torch.testing.assert_close(found, model(x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "options",
    [{}, {"sem_bias_norm": True}, {"sem_ratio": 0.5, "sem_bias_norm": True},
     {"sem_fusion": "sum"}, {"sem_fusion": "sum", "sem_bias_norm": True},
     {"laffn_scale": "nc", "query_bias": True, "ffn": "smooth"},
     {"attn": "linear_simple", "enhance": "sa", "ffn": "ffn"}],
)  # fmt: skip
def test_a_folded_block_of_other_height_than_width(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Eq. 7 is computed in float32, whose rounding depends on layout and CPU: here it is not.
    monkeypatch.setattr(SimplifiedLinearAttention, "forward", lambda _, x: factorised(x, x, x))
    block = stirred(MEDBlock(6, (5, 8), **options)).eval()
    x = torch.randn(2, 6, 5, 8).double()
    with torch.no_grad():
        found = optimize_for_inference(block)(x)
        with plain(block):
            torch.testing.assert_close(found, block(x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["mednext", "medunext"])
def test_folded_under_autocast(name: str) -> None:
    model = create_model(name, num_classes=3, img_size=32).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        exact = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = optimize_for_inference(model)(x).float()
    assert (rough - exact).norm() <= 0.05 * exact.norm()


def test_a_stem_of_positive_weights_needs_one_bound() -> None:
    model = create_model("mednext", num_classes=2, img_size=32)
    clamps = [m for m in optimize_for_inference(model).modules() if isinstance(m, Clamp)]
    assert [clamp.one_sided for clamp in clamps] == [True] * 3


def test_a_block_leaves_its_input() -> None:
    for options in ({}, {"attn": None}, {"attn": "linear_simple"}):
        block = optimize_for_inference(MEDBlock(6, (5, 8), **options))  # type: ignore[arg-type]
        x = torch.randn(2, 6, 5, 8).contiguous(memory_format=torch.channels_last)
        before = x.clone()
        block(x)
        assert torch.equal(x, before)


def test_few_images_at_a_time_are_the_whole_batch() -> None:
    model = stirred(create_model("mednext", num_classes=2, img_size=32)).eval()
    x = torch.randn(7, 3, 32, 32).double()
    with torch.no_grad():
        found = model(x)
    torch.testing.assert_close(found, model(x).detach(), rtol=1e-12, atol=1e-12)


def test_half_precise_sums_of_products_round_once() -> None:
    """1 + 2^-9 + 2^-9 is 1 + 2^-8 in exact sums and 1 if bf16 (8 bits) rounds after each term."""
    from mednext.models import fast

    tiny = [torch.tensor([[v]], dtype=torch.bfloat16) for v in (1.0, 2**-9, 2**-9)]
    one = torch.ones(1, 1, dtype=torch.bfloat16)
    exact = torch.tensor(1 + 2**-8).to(torch.bfloat16)
    assert fast._sum(tiny, [one] * 3, None).item() == exact.item()
    # The gradients of two maps of one input meet there, too: 1 + 2^-9 and 2^-9 more.
    x = torch.zeros(1, 1, dtype=torch.bfloat16, requires_grad=True)
    weights = torch.tensor([[1.0, 2**-9]], dtype=torch.bfloat16).t()
    first, second = fast.dual_linear(x, (weights, None), (weights[1:], None))
    (found,) = torch.autograd.grad(first.sum() + second.sum(), x)
    assert found.item() == exact.item()


def test_the_gate_of_all_images_at_once_is_that_of_each() -> None:
    """A GPU takes the whole batch at a time."""
    from mednext.models import fast

    q, k, g = torch.randn(3, 4, 2, 3, 5, generator=torch.Generator().manual_seed(0)).double()
    by_image = [t.clone().requires_grad_() for t in (q, k)]
    expected = torch.autograd.grad((fast.gate(*by_image, 2.0) * g).sum(), by_image)
    flat = [t.flatten(1, 2) for t in (q, k, g)]
    soft = flat[0].softmax(2), flat[1].softmax(1)
    found = fast.gate_gradients(*soft, 2.0 * soft[0] * soft[1], flat[2])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.view_as(other), other)
