"""Accumulated, halved, compiled and half-precise steps against the plain one."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.models.blocks import LAFFN, SDFFN
from mednext.models.registry import create_model
from mednext.training import step
from mednext.training import train as engine
from mednext.training import validate as validation
from mednext.training.evaluate import predict
from mednext.training.step import Stepper, make_optimizer
from mednext.training.validate import validate

from .conftest import TinyClassifier

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
    return loss.item(), next(model.parameters()).detach(), stepper


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


class Normed(Linear):
    """With batch norm; its activations are watched, and the error below torch is one in words."""

    def __init__(self, capacity: int, error: Exception) -> None:
        super().__init__(capacity)
        self.norm = nn.BatchNorm2d(3, momentum=0.5)
        self.error = error
        self.kept: list[weakref.ref[Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        self.kept.append(weakref.ref(y))
        if len(x) > self.capacity:
            raise type(self.error)(*self.error.args)  # a kept one would keep its frames
        return self.layer(y.flatten(1))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["torch", "cudnn", "cublas"],
)
def test_a_repeated_step_moves_batch_norm_once_and_holds_nothing_of_the_first_try(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run = tiny("classification", batch_size=7, deterministic=False)
    tight, alive = Normed(4, error), []
    monkeypatch.setattr(step, "release", lambda device: alive.append([ref() for ref in tight.kept]))
    stepper = Stepper(run, tight, CPU)
    stepper.step(*batch(), rate=0.01)
    assert stepper.halvings == 1 and alive == [[None]]
    fitting = Normed(99, error)
    Stepper(tiny("classification", batch_size=7, micro_batch=4), fitting, CPU).step(
        *batch(), rate=0.01
    )
    assert tight.norm.num_batches_tracked == 2
    assert torch.equal(tight.norm.running_mean, fitting.norm.running_mean)
    assert torch.equal(tight.layer.weight, fitting.layer.weight)


def test_other_errors_are_not_taken_for_a_full_device(tiny: Tiny) -> None:
    run = tiny("classification", batch_size=7, deterministic=False)
    with pytest.raises(RuntimeError, match="misaligned"):
        Stepper(run, Normed(2, RuntimeError("misaligned address")), CPU).step(*batch(), rate=0.01)


def test_validation_that_does_not_fit_is_halved(tiny: Tiny) -> None:
    run = tiny("classification", deterministic=False)
    data = engine.load(run)
    sizes: list[int] = []

    class Tight(TinyClassifier):
        def forward(self, x: Tensor) -> Tensor:
            sizes.append(len(x))
            if len(x) > 1:
                raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
            return super().forward(x)

    torch.manual_seed(0)
    model = Tight(2)
    found = validate(run, data, Stepper(run, model, CPU), "val")
    assert sizes == [4, 2, 1, 1, 1, 1]
    wide = TinyClassifier(2)
    wide.load_state_dict(model.state_dict())
    assert found == pytest.approx(validate(run, data, Stepper(run, wide, CPU), "val"))


@pytest.mark.parametrize(
    ("deterministic", "sizes"),
    [(False, [12, 1]), (True, [3, 3, 3, 3, 1])],
    ids=["fast", "repeatable"],
)
def test_four_training_batches_are_evaluated_at_once_on_a_gpu(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, deterministic: bool, sizes: list[int]
) -> None:
    """Not where a sum in another order could change a bit."""
    monkeypatch.setattr(validation, "to_device", lambda x, device: x)
    run = tiny("classification", deterministic=deterministic)
    found = validation.in_batches(
        run,
        engine.load(run),
        np.arange(13),
        3,
        torch.device("cuda"),
        lambda images, labels: len(images),
    )
    assert found == sizes


@pytest.mark.parametrize(
    ("count", "micro_batch", "sizes"),
    [
        (16, 5, [5, 5, 4, 2]),
        (7, 3, [3, 2, 2]),
        (7, 2, [2, 2, 3]),
        (3, 2, [3]),
        (8, 4, [4, 4]),
        (9, 7, [7, 2]),
        (4, 9, [4]),
        (3, 1, [1, 1, 1]),
        (1, 4, [1]),
    ],
)
def test_no_part_of_a_batch_is_one_image_that_batch_norm_cannot_take(
    tiny: Tiny, count: int, micro_batch: int, sizes: list[int]
) -> None:
    run = tiny("classification", batch_size=16, micro_batch=micro_batch)
    stepper = Stepper(run, Normed(99, ValueError()), CPU)
    found = [part.stop - part.start for part in stepper.parts(count)]
    assert found == sizes and sum(found) == count


def test_batch_norm_of_single_pixels(tiny: Tiny) -> None:
    """A network whose deepest map is 1 x 1: the rest of a batch is joined, or it is said why."""

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.norm(x.mean((2, 3), keepdim=True)).flatten(1))

    run = tiny("classification", batch_size=7, micro_batch=3)
    assert math.isfinite(Stepper(run, Deep(), CPU).step(*batch(), rate=0.01).item())
    alone = tiny("classification", batch_size=7, micro_batch=1)
    with pytest.raises(UserError, match=r"one image at a time(.|\n)*micro_batch 1(.|\n)*2 or more"):
        Stepper(alone, Deep(), CPU).step(*batch(), rate=0.01)


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (lambda x: x.mean((1, 2, 3)), r"a tensor of \(7,\)"),
        (lambda x: x.mean((2, 3)), r"a tensor of \(7, 3\)"),
        (lambda x: x[:, :2], r"a tensor of \(7, 2, 8, 8\)"),
        (lambda x: (x.mean((2, 3)), None), "tuple"),
    ],
)
def test_what_is_no_logits_is_refused(
    tiny: Tiny, output: Callable[[Tensor], object], found: str
) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> object:
            return output(self.layer(x))

    with pytest.raises(UserError, match=rf"(?s)logits.*{found}.*a tensor of \(7, 2\).*doctor"):
        Stepper(tiny("classification", batch_size=7), Odd(), CPU).step(*batch(), rate=0.01)


@pytest.mark.parametrize(("deterministic", "capacity"), [(True, 2), (False, 0)])
def test_a_device_that_stays_full_is_an_error(
    tiny: Tiny, deterministic: bool, capacity: int
) -> None:
    run = tiny("classification", deterministic=deterministic)
    with pytest.raises(torch.OutOfMemoryError):
        Stepper(run, Linear(capacity), CPU).step(*batch(), rate=0.01)


def test_halvings_are_recorded(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Stepper._gradients

    def tight(self: Stepper, images: Tensor, labels: Tensor) -> Tensor:
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


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_laffn_in_half_precision(tiny: Tiny, precision: str) -> None:
    """In a real step of MedNeXt. bf16: products in bf16, softmaxes and gate in fp32; fp16, in which
    a gate of 1 / (N C) would vanish: everything in fp32, rounded once at the end."""
    torch.manual_seed(0)
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    model = create_model("mednext", num_classes=2, in_chans=3, img_size=32)
    equal: list[float] = []
    kinds: set[torch.dtype] = set()

    def compare(block: LAFFN, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            x = inputs[0].double()
            weight = [part.weight.double() for part in (block.q, block.k, block.v)]
            q, k = (F.conv2d(x, w) for w in weight[:2])
            if half == torch.bfloat16:
                x, *weight = (t.to(half).double() for t in (x, *weight))
                q, k = (F.conv2d(x, w).to(half).double() for w in weight[:2])
            gate = q.softmax(1) * k.flatten(2).softmax(2).view_as(k)
            if half == torch.bfloat16:
                gate = gate.to(half).double()
            whole = F.conv2d(gate, weight[2]).to(half)
        equal.append(float((output.to(half) == whole).double().mean()))

    for module in model.modules():
        if isinstance(module, LAFFN):
            nn.init.zeros_(module.v.bias)  # it would hide the rest, which is about 1 / (N C)
            module.register_forward_hook(compare)
        elif isinstance(module, SDFFN):
            module.register_forward_hook(lambda m, i, out: kinds.add(out.dtype))
    run = tiny("classification", precision=precision)
    stepper = Stepper(run, model, CPU)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    loss = stepper.step(images, torch.tensor([0, 1]), rate=1e-4)
    assert math.isfinite(loss.item())
    # Rounded where it says: but for ties the same numbers.
    assert len(equal) > 0 and min(equal) > 0.9, min(equal)
    assert kinds == {half}
    assert {v.dtype for v in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_the_fused_optimiser_steps_as_the_plain_one(tiny: Tiny, task: str) -> None:
    run = tiny(task)
    ours, plain = Linear(), Linear()
    fused = make_optimizer(run, ours)
    assert fused.defaults["fused"] is True
    kind = {"classification": torch.optim.AdamW, "segmentation": torch.optim.Adam}[task]
    decay = {"classification": 0.05, "segmentation": 0.0}[task]
    loop = kind(plain.parameters(), lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)
    images, labels = batch()
    for optimizer, model in ((fused, ours), (loop, plain)):
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    torch.testing.assert_close(ours.layer.weight, plain.layer.weight)


def test_networks_and_images_are_channels_last(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    whole = Stepper.step

    def looked_at(self: Stepper, images: Tensor, *rest: object, **more: object) -> Tensor:
        weight = next(v for v in self.model.parameters() if v.ndim == 4 and v.shape[2] > 1)
        for tensor in (images, weight):
            seen.append(tensor.is_contiguous(memory_format=torch.channels_last))
        return whole(self, images, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Stepper, "step", looked_at)
    for task in ("classification", "segmentation"):
        engine.train(tiny(task, epochs=1))
    assert len(seen) > 4 and all(seen)


def test_nothing_larger_than_a_micro_batch_is_evaluated(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    whole = TinyClassifier.forward

    def counted(self: TinyClassifier, x: Tensor) -> Tensor:
        sizes.append(len(x))
        return whole(self, x)

    monkeypatch.setattr(TinyClassifier, "forward", counted)
    run = tiny("classification", epochs=1, micro_batch=2)
    engine.train(run)
    predict(run)
    assert max(sizes) == 2


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


def test_under_compile_each_shape_is_compiled_for_itself(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole batch and the rest of an epoch, each once: no kernel is for a length not known."""
    compiled: list[tuple[int, ...]] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        compiled.extend(tuple(x.shape) for x in inputs if getattr(x, "ndim", 0) == 4)
        return graph.forward

    whole = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **more: whole(*a, **more, backend=backend))
    torch._dynamo.reset()
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    stepper = Stepper(tiny("classification", batch_size=7, compile=True), model, CPU)
    images, labels = batch()
    for count in (7, 7, 4, 7, 4):
        stepper.step(images[:count], labels[:count], rate=0.01)
    assert compiled == [(7, 3, 8, 8), (4, 3, 8, 8)]
    assert all(type(size) is int for shape in compiled for size in shape)


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
        losses.append(stepper.step(*batch(), rate=0.0).item())
    assert losses[1] - losses[0] == pytest.approx(penalty, rel=1e-4)
    # The gradient of the penalty is the weight itself; a rate of 0 has not moved it.
    torch.testing.assert_close(kept[both] - kept[plain], both.layer.weight.detach())
