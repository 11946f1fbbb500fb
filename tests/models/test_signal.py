"""The dead-signal report against variances and gradients worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mednext.cli import main
from mednext.errors import UserError
from mednext.models.blocks import MEDBlock
from mednext.models.signal import measure_signal
from mednext.results import SignalRow, read_rows


class OneBlock(nn.Module):
    """A MED block with one part, and the mean of its channels as logits."""

    def __init__(self, **block: object) -> None:
        super().__init__()
        self.block = MEDBlock(3, (2, 2), **{"attn": None, "enhance": None, "ffn": None, **block})

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x).mean(dim=(2, 3))


def test_a_part_by_hand() -> None:
    torch.manual_seed(0)
    model = OneBlock(ffn="smooth")
    images, target = torch.randn(5, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    (row,) = measure_signal(model, images, target)
    part = model.block.parts[0]
    branch = part(images).detach().numpy()
    assert (row.module, row.part) == ("block.parts.0", "FFN")
    assert (row.channels, row.positions) == (3, 4)
    assert row.branch_std == pytest.approx(np.sqrt(branch.var(axis=0, ddof=1).mean()))
    assert row.stream_std == pytest.approx(np.sqrt(images.numpy().var(axis=0, ddof=1).mean()))
    assert row.ratio == pytest.approx(row.branch_std / row.stream_std)
    weights = [part[1].expand.weight, part[1].project.weight]
    grads = torch.autograd.grad(nn.functional.cross_entropy(model(images), target), weights)
    flat = torch.cat([g.flatten() for g in grads]).numpy()
    assert row.grad_rms == pytest.approx(np.sqrt((flat**2).mean()), rel=1e-5)
    flat = torch.cat([w.flatten() for w in weights]).detach().numpy()
    assert row.weight_rms == pytest.approx(np.sqrt((flat**2).mean()), rel=1e-5)


def test_constants_are_no_signal() -> None:
    model = OneBlock(ffn="smooth")
    ffn = model.block.parts[0][1]
    nn.init.zeros_(ffn.project.weight)
    nn.init.constant_(ffn.project.bias, 7.0)
    (row,) = measure_signal(model, torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]))
    assert row.branch_std == row.ratio == 0


def test_the_model_stays_as_it_was() -> None:
    model = OneBlock(enhance="sem", sem_bias_norm=True).train()  # with BN: running statistics
    before = {k: v.clone() for k, v in model.state_dict().items()}
    measure_signal(model, torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert model.training and all(p.grad is None for p in model.parameters())


def test_a_part_without_weights_has_no_gradient() -> None:
    model = OneBlock(attn="linear_simple", ffn="smooth")
    row, _ = measure_signal(model, torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]))
    assert row.part == "SimplifiedLinearAttention"
    assert row.grad_rms == row.weight_rms == 0 and row.branch_std > 0


def test_printed_laffn_is_nearly_dead_and_nc_is_not(tmp_path: Path) -> None:
    out = tmp_path / "signal.csv"
    assert main(["models", "signal", "--img-size", "64", "--out", str(out)]) == 0
    rows = read_rows(out, SignalRow)
    by_part = {
        (method, part): [r for r in rows if (r.method, r.part) == (method, part)]
        for method in ("mednext", "mednext_nc")
        for part in ("LAFFN", "SEM", "SDFFN")
    }
    assert all(len(found) == 8 for found in by_part.values())
    for row in by_part["mednext", "LAFFN"]:
        # A product of softmaxes that averages 1 / (N C); M_v keeps the scale up to about 1/2.
        assert 0.1 < row.branch_std * row.positions * row.channels < 1
        assert row.ratio < 1e-3
    for row in by_part["mednext_nc", "LAFFN"]:
        assert 0.1 < row.ratio < 1
    live = min(row.grad_rms for row in by_part["mednext", "SDFFN"])
    assert max(row.grad_rms for row in by_part["mednext", "LAFFN"]) < 0.02 * live
    assert min(row.grad_rms for row in by_part["mednext_nc", "LAFFN"]) > 0.1 * live


def test_what_cannot_be_measured_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MED blocks"):
        measure_signal(nn.Linear(2, 2), torch.zeros(2, 2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(UserError, match="one image"):
        measure_signal(OneBlock(ffn="smooth"), torch.zeros(1, 3, 2, 2), torch.tensor([0]))
    out = tmp_path / "signal.csv"
    assert main(["models", "signal", "--methods", "resnet18", "--out", str(out)]) == 2
    assert not out.exists()
