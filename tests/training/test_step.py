"""Accumulated, halved, compiled and half-precise steps against the plain one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from mednext.config import RunConfig
from mednext.training import train as engine
from mednext.training.step import Stepper

Tiny = Callable[..., RunConfig]
CPU = torch.device("cpu")


class Linear(nn.Module):
    """No batch norm: gradients of micro-batches add up exactly. Runs out of memory above
    ``capacity`` images."""

    def __init__(self, capacity: int = 99) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3 * 8 * 8, 2)
        self.capacity = capacity

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.capacity:
            raise torch.OutOfMemoryError(f"{len(x)} images")
        return self.layer(x.flatten(1))


def batch() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.randn(7, 3, 8, 8, generator=random)
    return images, torch.tensor([0, 1, 1, 0, 1, 0, 0])


def after_steps(run: RunConfig, model: nn.Module) -> tuple[float, Tensor, Stepper]:
    stepper = Stepper(run, model, CPU)
    loss = stepper.step(*batch(), rate=0.01)
    stepper.step(*batch(), rate=0.01)
    return loss, next(model.parameters()).detach(), stepper


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 6])
def test_micro_batches_add_up(tiny: Tiny, micro_batch: int) -> None:
    whole = after_steps(tiny("classification"), Linear())
    parts = after_steps(tiny("classification", micro_batch=micro_batch), Linear(micro_batch))
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)
    torch.testing.assert_close(parts[1], whole[1])


def test_a_full_device_halves_the_micro_batch_and_keeps_the_step(tiny: Tiny) -> None:
    run = tiny("classification", batch_size=7)
    whole = after_steps(run, Linear())
    tight = after_steps(run.model_copy(update={"deterministic": False}), Linear(capacity=2))
    # 7 -> 4 -> 2 fits
    assert (tight[2].micro_batch, tight[2].halvings) == (2, 2)
    assert tight[0] == pytest.approx(whole[0], rel=1e-5)
    torch.testing.assert_close(tight[1], whole[1])


@pytest.mark.parametrize(("deterministic", "capacity"), [(True, 2), (False, 0)])
def test_a_device_that_stays_full_is_an_error(
    tiny: Tiny, deterministic: bool, capacity: int
) -> None:
    run = tiny("classification", deterministic=deterministic)
    with pytest.raises(torch.OutOfMemoryError):
        Stepper(run, Linear(capacity), CPU).step(*batch(), rate=0.01)


def test_halvings_are_recorded(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Stepper._gradients

    def tight(self: Stepper, images: Tensor, labels: Tensor) -> float:
        if self.micro_batch > 2:
            raise torch.OutOfMemoryError
        return whole(self, images, labels)

    monkeypatch.setattr(Stepper, "_gradients", tight)
    record = engine.train(tiny("classification", deterministic=False))
    assert (record.status, record.micro_batch, record.memory_halvings) == ("ok", 2, 1)


def test_bf16_is_near_fp32_and_keeps_its_weights_in_fp32(tiny: Tiny) -> None:
    whole = after_steps(tiny("classification"), Linear())
    half = after_steps(tiny("classification", precision="bf16"), Linear())
    assert half[0] == pytest.approx(whole[0], rel=0.02) and half[0] != whole[0]
    assert half[1].dtype == torch.float32


def test_fp16_scales_its_loss(tiny: Tiny) -> None:
    stepper = after_steps(tiny("classification", precision="fp16"), Linear())[2]
    assert stepper.scaler.is_enabled() and stepper.state_dict()["scaler"]["scale"] > 1
    assert not after_steps(tiny("classification"), Linear())[2].scaler.is_enabled()


def test_a_stepper_continues_where_it_was(tiny: Tiny) -> None:
    run = tiny("classification", micro_batch=3)
    model = Linear()
    stepper = Stepper(run, model, CPU)
    stepper.step(*batch(), rate=0.01)
    copy = Linear()
    copy.load_state_dict(model.state_dict())
    other = Stepper(run.model_copy(update={"micro_batch": None}), copy, CPU)
    other.load_state_dict(deepcopy(stepper.state_dict()))
    assert other.micro_batch == 3
    for each in (stepper, other):
        each.step(*batch(), rate=0.01)
    assert torch.equal(model.layer.weight, copy.layer.weight)


@pytest.mark.slow
def test_a_compiled_network_trains_alike(tiny: Tiny) -> None:
    plain = after_steps(tiny("classification"), Linear())
    compiled = after_steps(tiny("classification", compile=True), Linear())
    torch.testing.assert_close(compiled[1], plain[1], rtol=1e-4, atol=1e-6)


class TwoTasks(Linear):
    """Its second task pulls all weights towards zero, whatever the images."""

    def auxiliary_loss(self, x: Tensor) -> Tensor:
        return 0.5 * self.layer.weight.square().sum()


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_a_second_task_is_added_to_the_loss_once(tiny: Tiny, micro_batch: int | None) -> None:
    run = tiny("classification", batch_size=7, micro_batch=micro_batch)
    plain, both = Linear(), TwoTasks()
    penalty = both.layer.weight.square().sum().item() / 2
    kept: dict[nn.Module, Tensor] = {}
    losses = []
    for model in (plain, both):
        stepper = Stepper(run, model, CPU)
        stepper.optimizer.register_step_pre_hook(
            lambda *_, model=model: kept.__setitem__(model, model.layer.weight.grad.clone())
        )
        losses.append(stepper.step(*batch(), rate=0.0))
    assert losses[1] - losses[0] == pytest.approx(penalty, rel=1e-4)
    # The gradient of the penalty is the weight itself; a rate of 0 has not moved it.
    torch.testing.assert_close(kept[both] - kept[plain], both.layer.weight.detach())
