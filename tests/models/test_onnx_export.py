"""ONNX files compute what torch computes, and nothing wrong is left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mednext.cli import main
from mednext.errors import UserError
from mednext.models.onnx_export import export_onnx
from mednext.models.registry import create_model, list_models

PX = 64
QUICK = ("resnet18",)
EACH = [pytest.param(m, marks=[] if m in QUICK else pytest.mark.slow) for m in list_models()]


@pytest.mark.parametrize(("method", "classes"), [("mednext", 2), ("medunext", 4)])
def test_the_networks_of_the_paper(method: str, classes: int, tmp_path: Path) -> None:
    model = create_model(method, num_classes=classes, in_chans=1, img_size=PX).train()
    weights, file = tmp_path / "w.safetensors", tmp_path / "out" / "model.onnx"
    save_file(model.state_dict(), weights)
    words = ["models", "export", method, "--num-classes", str(classes), "--in-chans", "1"]
    words += ["--img-size", str(PX), "--weights", str(weights), "--out", str(file)]
    assert main(words) == 0
    images = torch.randn(5, 1, PX, PX)
    (found,) = onnxruntime.InferenceSession(file).run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = model.eval()(images).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", EACH)
def test_every_method_exports_with_a_free_batch(method: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model(method, num_classes=3, img_size=PX)
    file = tmp_path / "model.onnx"
    export_onnx(model, file, in_chans=3, img_size=PX)
    images = torch.randn(2, 3, PX, PX)
    (found,) = onnxruntime.InferenceSession(file).run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = model.eval()(images).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


class DiceThrow(nn.Module):
    """Its output is random, so no two runs agree."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mean(dim=(2, 3)) + torch.rand_like(x[:, :, 0, 0])


def test_a_graph_that_differs_is_not_left_behind(tmp_path: Path) -> None:
    model = DiceThrow().train()
    with pytest.raises(UserError, match="other logits"):
        export_onnx(model, tmp_path / "m.onnx", in_chans=1, img_size=8)
    assert list(tmp_path.iterdir()) == []
    assert model.training


class AsksValues(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat if flat.sum().item() > 0 else -flat


def test_what_cannot_be_exported_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be exported"):
        export_onnx(AsksValues(1, 1), tmp_path / "m.onnx", in_chans=1, img_size=8)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"head.weight": torch.zeros(2, 2)}, file)
    words = ["models", "export", "mednext", "--num-classes", "2", "--img-size", str(PX)]
    out = tmp_path / "m.onnx"
    assert main([*words, "--weights", str(file), "--out", str(out)]) == 2
    assert "another network" in capsys.readouterr().err
    file.write_text("no tensors")
    assert main([*words, "--weights", str(file), "--out", str(out)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not out.exists()
