"""The way of a training on a GPU, as far as it can be gone without one."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from mednext.config import RunConfig
from mednext.models.registry import create_model, list_models
from mednext.training import augment, augment_slices, batches, on_device
from mednext.training import train as engine
from mednext.training.batches import ordered_batch, subset_rows, train_batches
from mednext.training.on_device import OnDevice, arrays_of, placed, where_it_fits
from mednext.training.step import Stepper

from .conftest import TinyClassifier

Tiny = Callable[..., RunConfig]
SPEED = Path(__file__).resolve().parents[2] / "benchmarks/speed"
SOME = ["mednext", "patch_cnn", "vit", "unet"]
AUGMENTATIONS = [
    ("classification", "crop_flip"),
    ("segmentation", "transunet"),
    ("segmentation", "transunet_corrected"),
]
EACH = [pytest.param(m, marks=[] if m in SOME else pytest.mark.slow) for m in list_models()]


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("steps", SPEED / "steps.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("task", "augmentation"),
    AUGMENTATIONS,
)
def test_batches_made_on_the_device_are_those_of_the_cpu(
    tiny: Tiny, task: str, augmentation: str
) -> None:
    run = tiny(task)
    run = run.model_copy(update={"recipe": {**run.recipe, "augment": augmentation}})
    host = engine.load(run)
    there = placed(host, torch.device("cpu"))
    for epoch in range(5):
        both = zip(train_batches(host, run, epoch), train_batches(there, run, epoch), strict=True)
        for (images, labels), (same, truth) in both:
            assert torch.equal(images, same) and torch.equal(labels, truth)
            assert same.is_contiguous(memory_format=torch.channels_last)
    rows = subset_rows(host, "val")
    pairs = zip(ordered_batch(host, run, rows), ordered_batch(there, run, rows), strict=True)
    for one, other in pairs:
        assert torch.equal(one, other)


@pytest.mark.parametrize(("task", "augmentation"), AUGMENTATIONS)
def test_making_batches_on_the_device_waits_for_nothing(
    tiny: Tiny,
    monkeypatch: pytest.MonkeyPatch,
    steps: ModuleType,
    task: str,
    augmentation: str,
) -> None:
    run = tiny(task)
    run = run.model_copy(update={"recipe": {**run.recipe, "augment": augmentation}})
    for module in (augment, augment_slices, batches, on_device):
        if hasattr(module, "to_device"):  # numbers are sent from pinned memory
            monkeypatch.setattr(module, "to_device", steps._unwaited)
    there = placed(engine.load(run), torch.device("meta"))
    with steps.Counted() as counted:
        found = list(train_batches(there, run, 0))
    assert len(found) > 1 and {x.device.type for pair in found for x in pair} == {"meta"}
    # Draws are read on the host, where they are made; a number on meta cannot be read at all.
    assert counted.operations > 0 and [w for w in counted.waits if "meta" in w] == []


class Loss(torch.Tensor):
    """Of a step: notes what is done with it and with what comes of it."""

    seen: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


def test_losses_are_read_once_per_epoch(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny("classification")
    stepper = Stepper(run, TinyClassifier(2), torch.device("cpu"))
    losses: list[float] = []

    def step(images: torch.Tensor, labels: torch.Tensor, rate: float) -> torch.Tensor:
        loss = Stepper.step(stepper, images, labels, rate)
        losses.append(loss.item())
        return loss.as_subclass(Loss)

    monkeypatch.setattr(stepper, "step", step)
    monkeypatch.setattr(Loss, "seen", [])
    mean = engine.train_epoch(run, engine.load(run), stepper, 0, "tiny")
    assert Loss.seen == ["stack", "tolist"]
    assert len(losses) == 3 and stepper.first_losses == losses
    assert mean == pytest.approx(sum(losses) / 3)


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_data_lie_on_the_gpu_where_they_take_a_tenth_of_what_is_free(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    run = tiny("segmentation")
    data = engine.load(run)
    size = sum(array.nbytes for array in arrays_of(data))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10 * size / share, 0))
    monkeypatch.setattr(on_device, "placed", lambda data, _: placed(data, torch.device("cpu")))
    found = where_it_fits(data, run, torch.device("cuda"))
    fits = share < 1
    assert isinstance(found, OnDevice) is fits
    assert ("stay in main memory" in capsys.readouterr().err) is not fits
    assert where_it_fits(data, run, torch.device("cpu")) is data


@pytest.mark.parametrize("method", EACH)
@pytest.mark.parametrize("training", [True, False])
def test_no_tensor_of_a_forward_pass_is_on_the_wrong_device(method: str, training: bool) -> None:
    """CUDA tensors without a GPU: a number read back or a tensor left on the CPU is an error."""
    model = create_model(method, num_classes=4, img_size=64).train(training)
    with FakeTensorMode(allow_non_fake_inputs=False):
        there = {
            name: torch.empty(value.shape, dtype=value.dtype, device="cuda")
            for name, value in [*model.named_parameters(), *model.named_buffers()]
        }
        images = torch.empty(2, 3, 64, 64, device="cuda")
        out = torch.func.functional_call(model, there, (images,))
    assert out.device.type == "cuda" and out.shape[:2] == (2, 4)


@pytest.mark.parametrize("method", EACH)
def test_a_step_waits_for_nothing_and_does_no_more_than_the_table_says(
    steps: ModuleType, method: str
) -> None:
    with (SPEED / "steps.csv").open(newline="") as file:
        bounds = {row["method"]: row for row in csv.DictReader(file)}
    assert set(bounds) == set(list_models())
    found = steps.count(method)
    assert found.waits == [] and bounds[method]["waits"] == "0"
    assert found.operations <= int(bounds[method]["operations"])


def test_what_a_device_has_to_be_waited_for_is_seen(steps: ModuleType) -> None:
    x = torch.arange(4.0)
    with steps.Counted() as counted:
        x.sum().item()
        x[x > 1]
        x.to("meta")
        x.to("meta", non_blocking=True)
    kinds = [wait.split()[0] for wait in counted.waits]
    assert kinds == ["_local_scalar_dense", "index", "_to_copy"]
