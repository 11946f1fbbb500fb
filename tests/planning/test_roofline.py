"""Hours on a GPU that is not here, by hand, and the facts they rest on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from mednext.cli import main
from mednext.config import GpuSpec, load_gpus, load_profile
from mednext.cost.work import Operation, Work
from mednext.planning import roofline
from mednext.planning.plan import Timing, counts, plan
from mednext.planning.roofline import Passes, Price, gpu_hours, price, roofline_text, slots_of

ROOT = Path(__file__).resolve().parents[2]
GPU = GpuSpec(
    name="by hand",
    compute_capability=9.0,
    memory_gb=10,
    bandwidth_gbs=1000,
    vector_tflops=10,
    tensor_tflops={"tf32": 100, "bf16": 200},
    pcie_gbs=10,
    source="made up",
)


@pytest.fixture(autouse=True)
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COMPUTE_SHARE", 0.5), ("BANDWIDTH_SHARE", 0.5)):
        monkeypatch.setattr(roofline, name, value)
    monkeypatch.setattr(roofline, "KERNEL_SECONDS", 2e-6)
    monkeypatch.setattr(roofline, "LAUNCH_SECONDS", 1e-5)


def test_each_operation_is_bound_by_its_slowest_part() -> None:
    work = Work(
        (
            Operation(1e11, 0, 1e6, 1),  # a product: 2 ms of tensor cores, 20 ms without
            Operation(0, 1e6, 1e9, 3),  # a map: 2 ms of bandwidth
            Operation(0, 1, 4, 10),  # too small for either
        ),
        0,
    )
    found = price(work, GPU, "tf32", image_bytes=5e6)
    assert found.compute == pytest.approx(2e-3)
    assert found.bandwidth == pytest.approx(6e-3)
    assert found.small == pytest.approx(20e-6)
    assert found.transfer == pytest.approx(1e-3)
    assert found.host == pytest.approx(14e-5)
    assert found.alone == found.busy == pytest.approx(9.02e-3)
    assert price(work, GPU, "fp32", 0).compute == pytest.approx(20e-3)
    assert price(work, GPU, "bf16", 0).compute == pytest.approx(1e-3)


def test_autocast_halves_the_traffic_of_products_alone() -> None:
    work = Work((Operation(1, 0, 1e9, 1), Operation(0, 1, 1e9, 1)), 0)
    assert price(work, GPU, "tf32", 0).bandwidth == pytest.approx(4e-3)
    assert price(work, GPU, "bf16", 0).bandwidth == pytest.approx(3e-3)


def test_packing_fills_what_the_host_leaves() -> None:
    idle = Price(compute=1.0, host=4.0)
    assert (idle.alone, idle.packed(2), idle.packed(8)) == (4.0, 2.0, 1.0)
    assert Price(compute=5.0, host=4.0).packed(8) == 5.0


def test_images_that_are_evaluated_together_are_started_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roofline, "load_gpus", lambda: {"x": GPU})
    profile = load_profile(ROOT / "config/paper.yaml")
    # A kernel of 2 ms and a host of 10 us: a training batch; four of them in evaluation.
    work = Work((Operation(1e11, 0, 0, 1),), 0)
    passes = Passes(work, work, validated_every=10)
    step, forward = roofline.prices(profile, GPU, lambda *_: passes, "sars_cov2_ct", "patch_cnn")
    assert (step.compute, forward.compute) == (pytest.approx(2e-3), pytest.approx(8e-3))
    assert step.host == forward.host == pytest.approx(1e-5)
    same = profile.model_copy(update={"deterministic": True})
    answer = roofline.prices(same, GPU, lambda *_: passes, "sars_cov2_ct", "patch_cnn")
    assert answer[1].compute == pytest.approx(2e-3)
    row = roofline.timing(profile, GPU, lambda *_: passes, lambda *_: (1.0, 10))
    found = row("sars_cov2_ct", "patch_cnn")
    assert found.forward_seconds == pytest.approx(forward.alone / 128)
    assert found.validated_every == 10


def test_slots_are_what_the_memory_holds() -> None:
    def passes(peak: float) -> Passes:
        return Passes(Work((), round(peak)), Work((), 0))

    # 1.25 x peak + 0.6 GB of 10 GB
    assert slots_of(passes(1e9), GPU) == 5
    assert slots_of(passes(1e6), GPU) == roofline.SLOTS
    assert slots_of(passes(8e9), GPU) == 0


def test_the_hours_of_a_profile_are_its_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    profile = load_profile(ROOT / "config/paper.yaml")
    profile = profile.model_copy(
        update={"datasets": {"sars_cov2_ct": profile.datasets["sars_cov2_ct"]}}
    )
    profile.datasets["sars_cov2_ct"] = profile.datasets["sars_cov2_ct"].model_copy(
        update={"methods": ("mednext",), "protocols": ("paper",)}
    )
    done = plan(profile, lambda *_: Timing(1.0, 10, 0.0, 1.0, 0.5, "by hand"), 1.0)
    times = counts(profile, done.rows[0])
    # Table 1: 1488 train, 497 val, 496 test; 47 steps of 32; three seeds, selections, 300 epochs.
    assert times.steps == 3 * 300 * 47
    assert times.validated == 3 * 300 * (497 + 496)
    assert times.predicted == 3 * 3 * 496
    work = Work((), 0)
    monkeypatch.setattr(roofline, "load_gpus", lambda: {"x": GPU})
    monkeypatch.setattr(roofline, "SHOWN", "x")
    monkeypatch.setattr(roofline, "STARTUP_SECONDS", 0.0)
    monkeypatch.setattr(roofline, "prices", lambda *_: (Price(compute=1.0), Price(compute=0.5)))
    found = gpu_hours(done, lambda *_: Passes(work, work), "x")
    assert found.training == pytest.approx(times.steps / 3600)
    # Four batches of 32 in one forward pass.
    assert found.validation == pytest.approx(times.validated / 128 * 0.5 / 3600)
    assert found.alone == pytest.approx(found.training + found.validation + found.prediction)
    one = gpu_hours(done, lambda *_: Passes(work, work), "x", seeds=1)
    assert (one.runs, one.alone) == (1, pytest.approx(found.alone / 3))
    seldom = gpu_hours(done, lambda *_: Passes(work, work, validated_every=10), "x")
    assert seldom.validation == pytest.approx(found.validation / 10)
    shown = roofline_text(done, lambda *_: Passes(work, work))
    assert f"{found.alone:10.2f}" in shown and "measured: nothing" in shown
    assert f"by method: MedNeXt {found.packed:.2f} (0.00)" in shown
    # Validation on the validation set alone: 497 of 993 images.
    without = found.training + found.validation * 497 / 993 + found.prediction * 2 / 3
    assert f"\n  without best_test: {without:.2f}\n" in shown
    assert f"\n  bf16, without best_test: {without:.2f}" in shown  # of a price that is fixed here


def test_each_gpu_runs_the_locked_wheels_and_names_its_source() -> None:
    gpus = load_gpus()
    assert set(gpus) == {"h100", "h200", "a100", "l4", "t4"}
    for gpu in gpus.values():
        assert gpu.compute_capability >= 7.5 and "data sheet" in gpu.source
        assert all(peak > gpu.vector_tflops for peak in gpu.tensor_tflops.values())
    # Turing has neither TF32 nor BF16 tensor cores (CUDA C++ Programming Guide, arithmetic).
    assert gpus["t4"].peak_tflops("tf32") == gpus["t4"].vector_tflops == 8.1
    # The vendor prints 989 with sparsity for TF32.
    assert gpus["h200"].peak_tflops("tf32") == pytest.approx(989.4 / 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here and would be measured")
def test_the_command_prices_gpus_that_are_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    run = {"source": "phantom", "phantom": {"train": 40, "val": 8, "test": 8}, "epochs": 2}
    run |= {"methods": ["resnet18"], "img_size": 32, "batch_size": 4}
    config = {"profile": "toy", "seeds": [0, 1], "threads": 1, "device": "cuda"}
    Path("toy.yaml").write_text(yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": run}}))
    words = ["plan", "--configfile", "toy.yaml", "--gpu"]
    assert main([*words, "t4"]) == 0
    out = capsys.readouterr().out
    assert "NVIDIA T4 (16 GB), which is NOT here" in out
    assert sum(line.startswith("NVIDIA") for line in out.splitlines()) == 2 * 5  # seeds x GPUs
    with pytest.raises(SystemExit):
        main([*words, "v100"])
