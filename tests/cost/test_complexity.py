"""Counts against hand computations and the printed costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mednext.cli import main
from mednext.config import load_methods
from mednext.cost import complexity
from mednext.cost.complexity import count, measure, printed_costs, write_costs
from mednext.errors import UserError
from mednext.models.blocks import SEM
from mednext.results import CostRow, read_rows

BASELINES = (
    "resnet18", "convnext_t", "resnet50", "densenet121", "resmlp", "mlp_mixer", "sparse_mlp", "vit",
    "swin_v2",
)  # fmt: skip
MATCHING = {
    "mednext", "mednext_sem_ffn", "mednext_laffn_sdffn", "mednext_sem_sdffn",
    "resnet18", "resnet50", "densenet121", "sparse_mlp",
    "medunext", "medunext_sa_ffn", "medunext_laffn_sa_ffn", "medunext_sem_ffn",
    "medunext_sa_sdffn", "medunext_laffn_sdffn", "transunet",
}  # fmt: skip
NEARLY = {"convnext_t", "mednext_laffn_sem"}


def test_a_tiny_network_by_hand() -> None:
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5)
        )
    cost = count(model, (1, 3, 4, 4))
    assert cost.params == 3 * 8 * 9 + 8 + 128 * 5 + 5
    assert cost.gmacs * 1e9 == pytest.approx(16 * 3 * 8 * 9 + 128 * 5)
    assert cost.activations_m * 1e6 == pytest.approx(8 * 16 + 5)


def test_sem_by_hand() -> None:
    c, h, w = 16, 6, 4
    with torch.device("meta"):
        cost = count(SEM(c, (h, w)), (1, c, h, w))
    assert cost.gmacs * 1e9 == pytest.approx((8 * c**2 + 20 * c) * h * w + c * h * w * (h + w))


def test_mednext_without_the_axis_maps_is_the_printed_count() -> None:
    sizes = {64: 56, 128: 28, 256: 14, 512: 7}
    axes = sum(2 * c * s * s * 2 * s for c, s in sizes.items()) / 1e9
    assert axes == pytest.approx(0.060, abs=0.0005)
    assert measure("mednext", num_classes=2).gmacs - axes == pytest.approx(1.90, abs=0.02)


def test_resnet18_is_the_known_count() -> None:
    # 1.814 G: He et al. give 1.8 x 10^9 for 18 layers; torchvision's model card 1.81.
    assert measure("resnet18", num_classes=1000).gmacs == pytest.approx(1.814, abs=0.001)


def test_printed_costs_come_from_the_tables() -> None:
    methods = load_methods()
    assert printed_costs(methods["mednext"]) == (10.72, 1.90)
    assert printed_costs(methods["resnet18"]) == (11.69, 1.82)
    assert printed_costs(methods["medunext"]) == (39.85, 39.87)
    assert printed_costs(methods["unet"]) == (41.25, None)


def test_cost_csv(tmp_path: Path) -> None:
    path = tmp_path / "cost.csv"
    write_costs(path)
    rows = read_rows(path, CostRow)
    assert {row.method for row in rows} == set(load_methods())
    judged = {row.method: row for row in rows if row.verdict_params is not None}
    assert len(judged) == len(load_methods()) == sum(r.verdict_params is not None for r in rows)
    # Baselines of Tables 2 to 4 were printed with the 1000 classes of ImageNet.
    baselines = set(BASELINES)
    heads = {m: 4 if load_methods()[m].task == "segmentation" else 2 for m in judged}
    heads |= dict.fromkeys(baselines, 1000)
    assert {m: r.num_classes for m, r in judged.items()} == heads
    # model_spec, sections 2, 4 and 8: what matches the printed parameters, and what nearly does
    found = {m for m, r in judged.items() if r.verdict_params == "matches"}
    assert found == MATCHING
    assert {m for m, r in judged.items() if r.verdict_params == "near"} == NEARLY
    assert all(row.reason for row in rows if {row.verdict_params, row.verdict_gmacs} & {"off"})
    assert all(str(row.uncounted_ops).startswith("torch: ") for row in rows)
    classifiers = [row for row in rows if row.task == "classification"]
    assert sorted({row.num_classes for row in classifiers}) == [2, 1000]


def test_other_sizes_carry_no_verdict(tmp_path: Path) -> None:
    write_costs(tmp_path / "cost.csv", ["unet"], img_size=64)
    (row,) = read_rows(tmp_path / "cost.csv", CostRow)
    assert row.verdict_params is None and row.reason is not None and "224" in row.reason


def test_full_counts(tmp_path: Path) -> None:
    out = str(tmp_path / "cost.csv")
    assert main(["cost", "--full", "--out", out, "--methods", "mednext"]) == 0
    two, thousand = read_rows(tmp_path / "cost.csv", CostRow)
    assert two.gmacs_fvcore == pytest.approx(1.963, abs=0.001)  # model_spec, Table 7 row 8
    assert two.gmacs_ptflops == pytest.approx(1.961, abs=0.001)
    # Without SEM's maps, by hand: of H x W positions and C channels H + W products each.
    stages = [(56, 64, 2), (28, 128, 2), (14, 256, 2), (7, 512, 2)]
    maps = sum(n * 2 * side**3 * channels for side, channels, n in stages) / 1e9
    assert two.gmacs_without_maps == pytest.approx(two.gmacs_fvcore - maps, abs=1e-6)
    assert two.verdict_gmacs == "matches"
    assert "as fvcore without SEM's axis maps counts" in str(two.reason)
    counters = dict(part.split(": ") for part in str(two.uncounted_ops).split("; "))
    assert list(counters) == ["torch", "fvcore", "ptflops"]
    assert "_softmax x16" in counters["torch"] and "native_layer_norm x25" in counters["torch"]
    assert "aten::softmax x16" in counters["fvcore"] and "norm" not in counters["fvcore"]
    assert counters["ptflops"] == "LayerNorm2d x24"  # a subclass of what it knows
    # The recipe's batch; weights, gradients and moments alone take 16 bytes per parameter.
    assert two.train_batch == 32
    assert two.train_memory_mib is not None and two.train_memory_mib > 16 * two.params / 2**20
    assert thousand.train_memory_mib is None  # no task of the paper has 1000 classes


def test_a_network_that_cannot_be_counted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def reads_values(*_args: object, **_kwargs: object) -> nn.Module:
        class Reads(nn.Linear):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * x.sum().item()

        return Reads(2, 2)

    monkeypatch.setattr(complexity, "create_model", reads_values)
    with pytest.raises(UserError, match=r"'unet' cannot be counted"):
        measure("unet", num_classes=2)


def test_unknown_method_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown method"):
        write_costs(tmp_path / "cost.csv", ["u_net"])
