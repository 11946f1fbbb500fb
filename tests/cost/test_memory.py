"""Peak memory of a training step: by hand, and against torch's own tracker."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed._tools.mem_tracker import MemTracker

from mednext.cost.memory import training_bytes
from mednext.models.registry import create_model


def test_a_linear_map_by_hand() -> None:
    """256 images of 100 numbers and 100 classes; the worst moment is in the backward pass.

    Alive are then the images, labels, weights and two moments (one counter beside them), the
    log-softmax, the gradient that reaches it and the one that leaves it; and the loss, its gradient
    and the weight of the mean, one number each.
    """
    with torch.device("meta"):
        model = nn.Sequential(nn.Flatten(), nn.Linear(100, 100, bias=False))
    weights, maps = 100 * 100, 256 * 100
    numbers = maps + 3 * weights + 1 + 3 * maps + 3
    found = training_bytes(model, (256, 1, 10, 10), "classification")
    assert found == pytest.approx(4 * numbers + 8 * 256, abs=16)


def tracked_by_torch(model: nn.Module, shape: tuple[int, ...]) -> int:
    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(self.model(images), labels)

    with torch.device("meta"):
        images, labels = torch.zeros(shape), torch.zeros(shape[:1], dtype=torch.long)
    step, optimizer = Loss(), torch.optim.AdamW(model.train().parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    tracker = MemTracker()
    tracker.track_external(step, optimizer, images, labels)
    with tracker:
        step(images, labels).backward()
        optimizer.step()
    return sum(parts["Total"] for parts in tracker.get_tracker_snapshot("peak").values())


@pytest.mark.parametrize(("method", "batch"), [("resnet18", 8), ("mednext", 2)])
def test_torchs_tracker_finds_the_same(method: str, batch: int) -> None:
    def model() -> nn.Module:
        with torch.device("meta"):
            return create_model(method, num_classes=2, img_size=64)

    shape = (batch, 3, 64, 64)
    expected = tracked_by_torch(model(), shape)
    assert training_bytes(model(), shape, "classification") == pytest.approx(expected, abs=16)


def test_a_second_task_takes_memory() -> None:
    with torch.device("meta"):
        model = create_model("darr", num_classes=4, img_size=96)
    whole = training_bytes(model, (4, 3, 96, 96), "segmentation")
    model.auxiliary_loss = None
    assert whole > training_bytes(model, (4, 3, 96, 96), "segmentation")
