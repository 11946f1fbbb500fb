"""The blocks against independent numpy computations and the counts of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mednext.errors import UserError
from mednext.models.blocks import FFN, LAFFN, SA, SDFFN, SEM, MEDBlock
from mednext.models.linear_attention import LinearAttention, SimplifiedLinearAttention
from mednext.models.registry import create_model

Array = NDArray[np.float64]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def weight(module: nn.Module) -> Array:
    return module.weight.detach().double().numpy().squeeze()


def bias(module: nn.Module) -> Array:
    return module.bias.detach().double().numpy()


def pointwise(w: Array, x: Array) -> Array:
    return np.einsum("oc,bchw->bohw", w, x)


def correlate(x: Array, w: Array) -> Array:
    """Depthwise correlation with zero padding, written out; w: C x kh x kw."""
    kh, kw = w.shape[1:]
    padded = np.pad(x, ((0, 0), (0, 0), (kh // 2,) * 2, (kw // 2,) * 2))
    out = np.zeros_like(x)
    for i in range(kh):
        for j in range(kw):
            window = padded[:, :, i : i + x.shape[2], j : j + x.shape[3]]
            out += w[None, :, i, j, None, None] * window
    return out


def params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("scale", ["none", "nc"])
def test_laffn_is_the_printed_equation(scale: str) -> None:
    block = LAFFN(3, scale)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 2, 4)
    a = x.double().numpy()
    q, k = np.exp(pointwise(weight(block.q), a)), np.exp(pointwise(weight(block.k), a))
    over_channels = q / q.sum(axis=1, keepdims=True)
    over_positions = k / k.sum(axis=(2, 3), keepdims=True)
    gate = over_channels * over_positions * (3 * 8 if scale == "nc" else 1)
    expected = pointwise(weight(block.v), gate) + bias(block.v)[:, None, None]
    np.testing.assert_allclose(block(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_laffn_nc_is_n_times_c_as_large() -> None:
    plain, scaled = LAFFN(4, "none"), LAFFN(4, "nc")
    scaled.load_state_dict(plain.state_dict())
    for block in (plain, scaled):
        nn.init.zeros_(block.v.bias)
    x = torch.randn(1, 4, 5, 3)
    torch.testing.assert_close(scaled(x), plain(x) * (15 * 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_laffn_does_not_vanish_under_autocast(dtype: torch.dtype) -> None:
    block = LAFFN(64)
    nn.init.zeros_(block.v.bias)
    x = torch.randn(1, 64, 28, 28)
    with torch.autocast("cpu", dtype=dtype):
        inside = block(x)
    assert inside.dtype == torch.float32
    whole = block(x)
    if dtype == torch.float16:  # whose exponent is too short: nothing of the block is lowered
        assert torch.equal(inside, whole)
    else:  # products round to 8 bits: a hundredth of what is there
        assert float((inside - whole).norm() / whole.norm()) < 0.01
    assert inside.abs().max() > 0


@pytest.mark.parametrize("fusion", ["cat", "sum"])
def test_sem_is_its_three_views_times_k(fusion: str) -> None:
    block = SEM(4, (3, 5), ratio=0.5, fusion=fusion)  # type: ignore[arg-type]
    x = torch.randn(2, 4, 3, 5)
    qk = pointwise(weight(block.qk), x.double().numpy())
    q, k = qk[:, :2], qk[:, 2:]
    views = []
    for branch in (block.local3, block.local7):
        row, column = (m.weight.detach().double().numpy()[:, 0] for m in branch)
        assert row.shape[1] == 1 and column.shape[2] == 1
        views.append(correlate(correlate(q, row), column))
    along_h = np.einsum("gh,bchw->bcgw", weight(block.axis_h), q)
    along_w = np.einsum("vw,bchw->bchv", weight(block.axis_w), q)
    views.append(pointwise(weight(block.axes), np.concatenate([along_h, along_w], axis=1)))
    joined = np.concatenate(views, axis=1) if fusion == "cat" else sum(views)
    expected = pointwise(weight(block.v), pointwise(weight(block.join), joined) * k)
    np.testing.assert_allclose(block(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_sdffn_by_hand() -> None:
    block = SDFFN(3)
    x = torch.randn(2, 3, 4, 3)
    y = pointwise(weight(block.expand), x.double().numpy()) + bias(block.expand)[:, None, None]
    y = correlate(y, weight(block.local)) + bias(block.local)[:, None, None]
    erf = np.vectorize(math.erf)
    y = y * 0.5 * (1 + erf(y / np.sqrt(2)))
    expected = pointwise(weight(block.project), y) + bias(block.project)[:, None, None]
    np.testing.assert_allclose(block(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def attention_of_eq_6(q: Array, k: Array, v: Array) -> Array:
    """With the N x N matrix written out, for one image; q, k, v: C x N."""
    over_channels = np.exp(q) / np.exp(q).sum(axis=0, keepdims=True)
    over_positions = np.exp(k) / np.exp(k).sum(axis=1, keepdims=True)
    matrix = over_channels.T @ over_positions
    assert matrix.shape == (q.shape[1],) * 2
    return (matrix @ v.T).T


def test_linear_attention_is_eq_6() -> None:
    block = LinearAttention(3)
    x = torch.randn(1, 3, 2, 4)
    a = x.double().numpy()[0].reshape(3, 8)
    expected = attention_of_eq_6(*(weight(m) @ a for m in (block.q, block.k, block.v)))
    np.testing.assert_allclose(block(x).detach().numpy()[0].reshape(3, 8), expected, rtol=1e-5)


def test_simplified_linear_attention_is_eq_7() -> None:
    block = SimplifiedLinearAttention(3)
    assert params(block) == 0
    x = torch.randn(1, 3, 2, 4)
    a = x.double().numpy()[0].reshape(3, 8)
    expected = attention_of_eq_6(a, a, a)
    np.testing.assert_allclose(block(x).numpy()[0].reshape(3, 8), expected, rtol=1e-5)


def test_smooth_ffn_keeps_the_width() -> None:
    (part,) = MEDBlock(5, (3, 2), attn=None, enhance=None, ffn="smooth").parts
    x = torch.randn(1, 5, 3, 2)
    smooth = part[1]
    y = pointwise(weight(smooth.expand), x.double().numpy()) + bias(smooth.expand)[:, None, None]
    y = y * 0.5 * (1 + np.vectorize(math.erf)(y / np.sqrt(2)))
    expected = pointwise(weight(smooth.project), y) + bias(smooth.project)[:, None, None]
    np.testing.assert_allclose(smooth(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("reduction", [1, 2])
def test_sa_by_hand(reduction: int) -> None:
    block = SA(4, reduction, head_dim=2)
    x = torch.randn(1, 4, 2, 4)
    a = x.double().numpy()
    small = block.reduce(x).detach().double().numpy()
    q = pointwise(weight(block.q), a) + bias(block.q)[:, None, None]
    kv = pointwise(weight(block.kv), small) + bias(block.kv)[:, None, None]
    out = np.zeros_like(a)
    for head in (slice(0, 2), slice(2, 4)):
        keys = kv[0, :4][head].reshape(2, -1)
        values = kv[0, 4:][head].reshape(2, -1)
        score = np.exp(q[0, head].reshape(2, -1).T @ keys / np.sqrt(2))
        mixed = score / score.sum(axis=1, keepdims=True) @ values.T
        out[0, head] = mixed.T.reshape(2, 2, 4)
    expected = pointwise(weight(block.project), out) + bias(block.project)[:, None, None]
    np.testing.assert_allclose(block(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_med_block_is_pre_norm_and_residual() -> None:
    block = MEDBlock(4, (2, 2), enhance=None)
    norm, laffn = block.parts[0]
    x = torch.randn(1, 4, 2, 2)
    centred = x - x.mean(dim=1, keepdim=True)
    normed = centred / (centred.pow(2).mean(dim=1, keepdim=True) + norm.eps).sqrt()
    middle = x + laffn(normed)
    torch.testing.assert_close(block(x), middle + block.parts[1](middle))


@pytest.mark.parametrize("c", [64, 128])
def test_counts_of_the_tables(c: int) -> None:
    assert params(LAFFN(c)) == 3 * c**2 + c
    assert params(SEM(c, (7, 5))) == 8 * c**2 + 20 * c + 7**2 + 5**2
    assert params(SEM(c, (7, 5), ratio=0.5)) == 2.75 * c**2 + 10 * c + 7**2 + 5**2
    assert params(SEM(c, (7, 5), fusion="sum")) == 6 * c**2 + 20 * c + 7**2 + 5**2
    assert params(SDFFN(c)) == 2 * c**2 + 9 * c + 3 * c
    assert params(FFN(c, 4)) == 8 * c**2 + 5 * c
    assert params(FFN(c, 3)) == 6 * c**2 + 4 * c
    assert params(SA(c)) == 4 * c**2 + 4 * c


@pytest.mark.parametrize(
    ("ratio", "coefficient", "printed"),
    [(0.5, 2.75, 10.57), (1.0, 8.0, 30.60)],  # 10.57: what the rows of Table 8 leave for SEM
)
def test_sem_of_table_8_has_half_the_width(
    ratio: float, coefficient: float, printed: float
) -> None:
    with torch.device("meta"):
        network = create_model("medunext", num_classes=4, img_size=224, sem_ratio=ratio)
    modules = [module for module in network.modules() if isinstance(module, SEM)]
    params = sum(p.numel() for module in modules for p in module.parameters())
    assert params / 1e6 == pytest.approx(printed, abs=0.015)
    # Maps of C channels alone: 2 r + 5 r^2 + r times C^2, of q and k, the joints, and v.
    of_maps = sum(coefficient * module.dim**2 for module in modules)
    assert 2 * ratio + 5 * ratio**2 + ratio == coefficient
    assert of_maps < params < 1.01 * of_maps


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"attn": None}, [SEM, SDFFN]),
        ({"enhance": None}, [LAFFN, SDFFN]),
        ({"ffn": None}, [LAFFN, SEM]),
        ({"enhance": "sa", "ffn": "ffn"}, [LAFFN, SA, FFN]),
        ({"attn": "linear", "ffn": "smooth"}, [LinearAttention, SEM, FFN]),
        ({"attn": "linear_simple", "enhance": None}, [SimplifiedLinearAttention, SDFFN]),
    ],
)
def test_parts_can_be_replaced(options: dict, parts: list[type]) -> None:
    block = MEDBlock(8, (4, 4), **options)
    assert [type(part[1]) for part in block.parts] == parts
    assert block(torch.randn(1, 8, 4, 4)).shape == (1, 8, 4, 4)


def test_wrong_shapes_are_clear_errors() -> None:
    with pytest.raises(UserError, match=r"(?s)SEM.*found:\s+4 x 5.*expected:\s+4 x 4"):
        SEM(8, (4, 4))(torch.zeros(1, 8, 4, 5))
    panels = (LinearAttention(8), SimplifiedLinearAttention(8))
    for block in (LAFFN(8), SEM(8, (4, 4)), SDFFN(8), FFN(8), SA(8), *panels):
        with pytest.raises(UserError, match="channels"):
            block(torch.zeros(1, 7, 4, 4))
        with pytest.raises(UserError, match="dimensions"):
            block(torch.zeros(8, 4, 4))


@pytest.mark.parametrize(
    "options",
    [{"laffn_scale": "n"}, {"sem_fusion": "mean"}, {"attn": "sa"}, {"enhance": "x"}, {"ffn": "x"}],
)
def test_unknown_options_are_clear_errors(options: dict) -> None:
    with pytest.raises(UserError, match="unknown value"):
        MEDBlock(8, (4, 4), **options)
