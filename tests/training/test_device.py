"""Where a run computes, in which precision, and what of that is part of its identity."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mednext.config import RunConfig, load_profile
from mednext.errors import UserError
from mednext.runs import gpu_lock
from mednext.runs.resolve import resolve_runs
from mednext.training import device
from mednext.training import train as engine
from mednext.training.evaluate import predict

Tiny = Callable[..., RunConfig]


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((9, 0), ["sm_75", "sm_80", "sm_90"], True),
        ((8, 9), ["sm_75", "sm_80", "sm_90"], True),  # L4: code for 8.0 runs on 8.9
        ((7, 0), ["sm_75", "sm_80", "sm_90"], False),  # V100 with wheels of CUDA 13
        ((12, 0), ["sm_80", "sm_90", "compute_90"], True),
        ((9, 1), ["sm_90a"], False),
    ],
)
def test_which_gpus_the_wheels_run_on(
    capability: tuple[int, int], built: list[str], runs: bool
) -> None:
    assert device.runs_on(capability, built) is runs


def test_an_old_driver_is_one_message(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "init", refused)
    with pytest.raises(UserError, match=r"no CUDA device found(.|\n)*version 11040(.|\n)*remedy"):
        device.pick_device(tiny("classification", device="cuda"))


def test_a_gpu_that_the_wheels_do_not_know_is_one_message(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
    with pytest.raises(UserError, match=r"not built for this GPU(.|\n)*V100(.|\n)*7\.0"):
        device.pick_device(tiny("classification", device="cuda"))


@pytest.mark.parametrize("visible", [(), ("GPU-aaaa",)])
def test_auto_is_resolved_before_it_can_be_part_of_a_run(
    monkeypatch: pytest.MonkeyPatch, visible: tuple[str, ...]
) -> None:
    monkeypatch.setattr(gpu_lock, "visible_gpus", lambda: visible)
    profile = load_profile("config/demo.yaml")
    assert profile.device == "auto"
    assert {run.device for run in resolve_runs(profile)} == {"cuda" if visible else "cpu"}


def test_tf32_is_refused_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_lock, "visible_gpus", lambda: ())
    profile = load_profile("config/demo.yaml").model_copy(update={"precision": "tf32"})
    with pytest.raises(UserError, match=r"TF32 is a precision of GPUs(.|\n)*precision: fp32"):
        resolve_runs(profile)


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")]
)
def test_products_and_convolutions_share_one_precision(
    tiny: Tiny, precision: str, kind: str
) -> None:
    run = tiny("classification", precision=precision)
    try:
        device.prepare_torch(run)
        assert torch.backends.cuda.matmul.fp32_precision == kind
        assert torch.backends.cudnn.conv.fp32_precision == kind
        assert not torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    finally:
        device.prepare_torch(tiny("classification"))


def test_a_checkpoint_of_the_cpu_does_not_go_on_on_a_gpu(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny("classification")
    whole = engine.train_epoch
    epochs: list[int] = []

    def stopped(*arguments: object) -> float:
        epochs.append(int(arguments[3]))  # type: ignore[call-overload]
        if arguments[3] == 2:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "train_epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        engine.train(run)
    monkeypatch.setattr(engine, "device_of", lambda run: "NVIDIA H100 80GB HBM3")
    with pytest.raises(KeyboardInterrupt):
        engine.train(run)
    assert epochs == [0, 1, 2] * 2
    assert "is of another device" in capsys.readouterr().err


def test_a_run_of_one_gpu_is_not_that_of_another(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny("classification", epochs=1)
    engine.train(run)
    monkeypatch.setattr(engine, "train_epoch", lambda *a: pytest.fail("trained again"))
    engine.train(run)
    monkeypatch.setattr(engine, "device_of", lambda run: "NVIDIA H100 80GB HBM3")
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        engine.train(run)


def test_prediction_and_validation_are_in_the_precision_of_training(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from .conftest import TinyClassifier

    seen: set[tuple[bool, bool]] = set()
    whole = TinyClassifier.forward

    def looked_at(self: TinyClassifier, x: torch.Tensor) -> torch.Tensor:
        seen.add((self.training, torch.is_autocast_enabled("cpu")))
        return whole(self, x)

    monkeypatch.setattr(TinyClassifier, "forward", looked_at)
    run = tiny("classification", epochs=1, precision="bf16")
    engine.train(run)
    predict(run)
    assert seen == {(True, True), (False, True)}
