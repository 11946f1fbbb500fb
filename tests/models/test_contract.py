"""What every registered method keeps: a new entry of methods.yaml is tested by being there.

Quick checks run at 64 pixels in eager mode on one thread; counts, and shapes at 96 and the paper's
224 pixels, on the meta device. Real passes at those sizes are slow.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mednext.config import load_methods
from mednext.models.registry import create_model, list_models

PX, CLASSES = 64, 3
RATES = (1e-3, 1e-4)
"""A usual rate, and the smaller one that deep transformers without warm-up need."""
METHODS = list_models()
COUNTS = {
    row["method"]: row
    for row in csv.DictReader(
        Path(__file__).with_name("parameter_counts.csv").open(encoding="utf-8")
    )
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def build(method: str, img_size: int = PX, in_chans: int = 3, classes: int = CLASSES) -> nn.Module:
    torch.manual_seed(0)
    return create_model(method, num_classes=classes, in_chans=in_chans, img_size=img_size)


def batch(method: str, size: int, in_chans: int = 3, img_size: int = PX) -> tuple[Tensor, Tensor]:
    """Noise whose brightness tells the class: of the image, or of its left and right half."""
    random = torch.Generator().manual_seed(1)
    images = torch.randn(size, in_chans, img_size, img_size, generator=random)
    target = torch.arange(size) % CLASSES
    if load_methods()[method].task == "segmentation":
        target = target[:, None, None].repeat(1, img_size, img_size)
        target[:, :, img_size // 2 :] = (target[:, :, img_size // 2 :] + 1) % CLASSES
        images += target[:, None] - 1.0
    else:
        images += target[:, None, None, None] - 1.0
    return images, target


def check_shape(method: str, out: Tensor, size: int, img_size: int) -> None:
    plane = () if load_methods()[method].task == "classification" else (img_size, img_size)
    assert out.shape == (size, CLASSES, *plane)
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("method", METHODS)
def test_training(method: str) -> None:
    """An odd batch of colour images: output shape, gradients of all parameters, a falling loss."""
    model = build(method).train()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    first, *others = RATES
    losses = steps(method, model, first, check=True)
    for rate in others:
        if falls(losses):
            break
        model.load_state_dict(start)
        losses = steps(method, model, rate)
    assert falls(losses), losses


def falls(losses: list[float]) -> bool:
    return min(losses[3:], default=math.inf) < 0.95 * losses[0]


def steps(method: str, model: nn.Module, rate: float, check: bool = False) -> list[float]:
    """The losses of up to six steps on one batch: until it falls.

    The gradients that are checked are those of the second step: in the first, branches that start
    with a zero (as timm's ResNets do) pass none on.
    """
    images, target = batch(method, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    losses = []
    for number in range(6):
        torch.manual_seed(2)  # what a network draws itself is the same in every step
        out = model(images)
        loss = nn.functional.cross_entropy(out, target)
        losses.append(loss.item())
        if falls(losses):
            break
        loss.backward()
        if check and number == 1:
            check_shape(method, out, 3, PX)
            check_gradients(method, model)
        optimizer.step()
        optimizer.zero_grad()
    return losses


def check_gradients(method: str, model: nn.Module) -> None:
    excused = load_methods()[method].no_gradient
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        if any(re.search(pattern, name) for pattern in excused):
            assert gradient is None or not gradient.any(), f"{name} needs no excuse"
            continue
        assert gradient is not None, f"{name} is not used"
        assert torch.isfinite(gradient).all(), name
        assert gradient.any(), f"no gradient reaches {name}"


@pytest.mark.parametrize("method", METHODS)
def test_evaluation(method: str, tmp_path: Path) -> None:
    """Grey images, one and two at a time; the same again; after a round trip; in channels_last."""
    model = build(method, in_chans=1).eval()
    images, _ = batch(method, 2, in_chans=1)
    with torch.no_grad():
        out = model(images)
        check_shape(method, out, 2, PX)
        assert torch.equal(model(images), out)
        scale = float(out.abs().max())
        torch.testing.assert_close(model(images[:1]), out[:1], rtol=1e-3, atol=1e-3 * scale)

        file = tmp_path / "weights.safetensors"
        # Copies: some networks register one tensor under two names, which the format refuses.
        save_file({k: v.clone().contiguous() for k, v in model.state_dict().items()}, file)
        torch.manual_seed(5)
        again = create_model(method, num_classes=CLASSES, in_chans=1, img_size=PX)
        assert again.load_state_dict(load_file(file)).missing_keys == []
        assert torch.equal(again.eval()(images), out)

        last = again.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found = last(images.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(found, out, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("img_size", [96, 224])
def test_shapes_at_other_sizes(method: str, img_size: int, in_chans: int) -> None:
    """Grey and colour, an odd batch: on the meta device, where it costs nothing."""
    with torch.device("meta"):
        model = create_model(
            method, num_classes=CLASSES, in_chans=in_chans, img_size=img_size
        ).eval()
        out = model(torch.zeros(3, in_chans, img_size, img_size))
    plane = () if load_methods()[method].task == "classification" else (img_size, img_size)
    assert out.shape == (3, CLASSES, *plane)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("img_size", [96, 224])
def test_real_passes_at_other_sizes(method: str, img_size: int) -> None:
    model = build(method, img_size).train()
    images, target = batch(method, 2, img_size=img_size)
    out = model(images)
    check_shape(method, out, 2, img_size)
    nn.functional.cross_entropy(out, target).backward()
    with torch.no_grad():
        check_shape(method, model.eval()(images[:1]), 1, img_size)


def meta_params(method: str, classes: int, img_size: int) -> int:
    with torch.device("meta"):
        model = create_model(method, num_classes=classes, img_size=img_size)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_parameter_counts_are_pinned(method: str) -> None:
    """``parameter_counts.csv``: at 224 pixels with the task's head, with 1000 classes, at 64."""
    task = 2 if load_methods()[method].task == "classification" else 4
    found = {
        "params_224": meta_params(method, task, 224),
        "params_224_1000": meta_params(method, 1000, 224),
        "params_64": meta_params(method, task, 64),
    }
    line = ",".join([method, *map(str, found.values())])
    assert method in COUNTS, f"check the counts, then add to parameter_counts.csv: {line}"
    assert found == {name: int(COUNTS[method][name]) for name in found}, line


def test_nothing_is_pinned_that_is_not_registered() -> None:
    assert sorted(COUNTS) == sorted(METHODS)
