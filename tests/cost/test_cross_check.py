"""The other counters against hand computations, and what each of them leaves out."""

from __future__ import annotations

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.cost.complexity import count, gmacs_verdict
from mednext.cost.cross_check import CrossCheck, cross_check, plain_attention


def twice(build: type[nn.Module]) -> tuple[nn.Module, nn.Module]:
    with torch.device("meta"):
        on_meta = build()
    return build(), on_meta


class Attention(nn.Module):
    """Fused attention of 4 heads of 8 channels over the 5 x 6 positions, then a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        heads = x.flatten(2).unflatten(1, (4, 8)).transpose(2, 3)
        y = F.scaled_dot_product_attention(heads, heads, heads)
        return self.out(y.transpose(2, 3).flatten(1, 2).transpose(1, 2).mean(dim=1))


def test_attention_is_counted_by_all() -> None:
    products = 2 * 4 * 30 * 30 * 8
    linear = 32 * 3
    with plain_attention():
        real, on_meta = twice(Attention)
        found = cross_check(real, on_meta, (1, 32, 5, 6))
        assert round(count(on_meta, (1, 32, 5, 6)).gmacs * 1e9) == products + linear
    assert round(found.gmacs_fvcore * 1e6) == round((products + linear) / 1e3)
    # ptflops adds a bias of 3 to the linear map.
    assert round(found.gmacs_ptflops * 1e6) == round((products + linear + 3) / 1e3)
    assert "softmax" in found.skipped_fvcore and "attention" not in found.skipped_fvcore


def test_plain_attention_is_attention() -> None:
    q, k, v = torch.randn(3, 2, 4, 9, 8).unbind()
    fused = F.scaled_dot_product_attention(q, k, v)
    with plain_attention():
        torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v), fused)
        assert not timm.create_model("vit_tiny_patch16_224").blocks[0].attn.fused_attn
    assert timm.create_model("vit_tiny_patch16_224").blocks[0].attn.fused_attn


class Products(nn.Module):
    """Matrix products in three spellings, and a layer of a type of its own."""

    class Renamed(nn.LayerNorm):
        pass

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 8))
        self.norm = self.Renamed(8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x[:, 0])
        y = torch.matmul(y @ self.weight, self.weight)
        return torch.einsum("bnc,cd->bnd", y, self.weight)


def test_what_each_counter_misses() -> None:
    real, on_meta = twice(Products)
    found = cross_check(real, on_meta, (1, 1, 1000, 8))
    product, norm = 1000 * 8 * 8, 5 * 1000 * 8  # fvcore counts 5 operations per normalised number
    assert round(found.gmacs_fvcore * 1e6) == (3 * product + norm) // 1000
    assert round(found.gmacs_ptflops * 1e6) == product // 1000
    assert found.skipped_ptflops == "@ x1, Renamed x1, einsum x1"
    assert "layer_norm" not in found.skipped_fvcore
    assert count(on_meta, (1, 1, 1000, 8)).uncounted == "native_layer_norm x1"


class Shared(nn.Module):
    """One layer under two names, which ptflops would count once."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8, bias=False)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def test_ptflops_is_not_asked_about_shared_layers() -> None:
    real, on_meta = twice(Shared)
    found = cross_check(real, on_meta, (1, 1, 1000, 8))
    assert found.gmacs_ptflops is None
    assert round(found.gmacs_fvcore * 1e6) == 2 * 1000 * 8 * 8 // 1000


@pytest.mark.parametrize(
    ("counts", "printed", "expected"),
    [
        # ResNet50 at 224 px: convolutions and products alone, and as fvcore counts.
        ((4.089184, 4.1118, 4.13, None), 4.11, ("matches", "fvcore")),
        ((4.089184, None, None, None), 4.11, ("off", "torch")),
        ((1.82, 1.95, None, None), 1.82, ("matches", "torch")),
        ((1.0, 1.1, 2.701, None), 2.7, ("matches", "ptflops")),
        ((1.0, 1.1, 1.2, None), None, ("not printed", "torch")),
        # Table 7, row 8: SEM's maps along H and W are not in the printed 1.90.
        ((1.948, 1.963, 1.961, 1.903), 1.90, ("matches", "fvcore without SEM's axis maps")),
    ],
)
def test_a_printed_count_is_judged_by_every_counter(
    counts: tuple[float, float | None, float | None, float | None],
    printed: float | None,
    expected: tuple[str, str],
) -> None:
    plain, fvcore, ptflops, without = counts
    check = None if fvcore is None else CrossCheck(fvcore, ptflops, without, "", "")
    assert gmacs_verdict(plain, check, printed) == expected
