"""Operations of a pass, against counts by hand and against torch's own counter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mednext.cost.complexity import on_meta
from mednext.cost.work import ADAM_TRAFFIC, Operation, prediction_work, training_work


class Tiny(nn.Module):
    """A convolution, a depthwise one, ReLU, mean, a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.depthwise(self.dense(x)).relu().mean((2, 3)))
        return y


def tiny() -> nn.Module:
    with torch.device("meta"):
        return Tiny()


def test_a_forward_pass_by_hand() -> None:
    work = prediction_work(tiny(), (2, 3, 16, 16))
    # Two operations per multiply-accumulate, at 16 x 16 places of 2 images.
    dense, depthwise = 2 * 2 * 256 * 8 * 3 * 9, 2 * 2 * 256 * 8 * 9
    image, maps = 4 * 2 * 256 * 3, 4 * 2 * 256 * 8
    # A weight and its input are read, the output is written; ReLU reads and writes a map.
    assert work.operations[0] == Operation(dense, 0, image + 4 * 216 + maps, 1)
    assert work.operations[1] == Operation(0, depthwise, maps + 4 * 72 + maps, 1)
    assert work.operations[2] == Operation(0, 2 * 256 * 8, 2 * maps, 1)
    assert work.operations[3] == Operation(0, 16, maps + 4 * 16, 1)
    # bias, rows, matrix (a view of the weight), result
    assert work.operations[4] == Operation(2 * 2 * 8 * 2, 0, 4 * (2 + 16 + 16 + 4), 1)
    assert work.launches == 5 and work.flops == dense + 64


def test_a_backward_pass_is_two_products_for_each_but_the_first() -> None:
    step, forward = training_work(tiny(), (2, 3, 16, 16), "classification"), 2 * 2 * 256 * 8 * 27
    # The images need no gradient; the linear map's input and weight do.
    assert step.flops == 2 * forward + 3 * 64
    (backward,) = [o for o in step.operations if o.vector_flops == 2 * 2 * 2 * 256 * 72]
    assert backward.tensor_flops == 0 and backward.times == 1
    adam = step.operations[-1]
    assert adam.bytes * adam.times == ADAM_TRAFFIC * (216 + 72 + 16 + 2)


@pytest.mark.parametrize("method", ["resnet18", "vit"])
def test_products_are_those_of_torchs_counter(method: str) -> None:
    model = on_meta(method, 2, 64).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(torch.zeros(2, 3, 64, 64, device="meta"))
    assert prediction_work(model, (2, 3, 64, 64)).flops == counter.get_total_flops()


def test_patch_cnn_trains_one_patch_and_evaluates_a_hundred() -> None:
    model = on_meta("patch_cnn", 2, 64)
    step = training_work(model, (2, 3, 64, 64), "classification").flops
    forward = prediction_work(model, (2, 3, 64, 64)).flops
    # A step is about three forward passes over one patch, the vote one over each of a hundred.
    assert math.isclose(step / forward, 3 / 100, rel_tol=0.1)


def test_segmentation_has_a_label_per_pixel() -> None:
    work = training_work(on_meta("unet", 4, 32), (2, 3, 32, 32), "segmentation")
    assert work.peak_bytes > 2 * 32 * 32 * 4 * 4 and work.launches > 50
