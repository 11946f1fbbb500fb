"""What is measured of a device, and what is derived from it, against made-up passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mednext.config import RunConfig, load_profile
from mednext.cost.work import Operation, Work
from mednext.planning import estimate as timing
from mednext.planning import microbenchmark as speed
from mednext.planning.estimate import Clock
from mednext.planning.microbenchmark import Pass, Speed, batches, measure_speed
from mednext.planning.roofline import Passes
from tests.finished_runs import run_of

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


class Timed:
    """A clock under which a pass over n images takes 3 + 0.5 n seconds, the first one 100 more."""

    repeats = 2

    def __init__(self) -> None:
        self.runs: list[int] = []

    def seconds(self, work: object) -> float:
        work()  # type: ignore[operator]
        return 3 + 0.5 * self.runs[-1] + (100 if len(set(self.runs)) == len(self.runs) else 0)


def test_the_line_through_two_batches() -> None:
    clock = Timed()

    def work(images: int) -> object:
        return lambda: clock.runs.append(images)

    assert speed._pass(work, 4, 16, clock) == Pass(3, 0.5)  # type: ignore[arg-type]
    assert clock.runs == [4, 4, 4, 16, 16, 16]  # the first of each does not count
    assert speed._pass(work, 2, 2, clock) == Pass(0, 2)  # type: ignore[arg-type]
    assert Pass(3, 0.5).of(32) == 19


def test_batches_are_small_where_an_image_is_much_work() -> None:
    run = run_of("classification", batch_size=32)
    assert batches(run, 0.15, CPU) == (4, 16)
    assert batches(run, 1.0, CPU) == (1, 4)
    assert batches(run, 40.0, CPU) == (1, 1)
    assert batches(run_of("classification", batch_size=3), 0.01, CPU) == (1, 3)


def test_a_real_network_is_measured() -> None:
    run = run_of("classification", method="resnet18")
    found = measure_speed(run, 0.04, training=True)
    assert found.step is not None
    # Forward and backward pass of a batch take longer than the forward pass alone.
    assert found.step.of(4) > 1.2 * found.forward.of(4) > 0
    assert measure_speed(run, 0.04, training=False).step is None


def passes(multiple: float) -> Passes:
    """A training step that computes ``multiple`` times what a forward pass does."""
    return Passes(*(Work((Operation(flops, 0, 0, 1),), 0) for flops in (multiple, 1.0)))


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Forward passes of 1 s and GMACs x 0.1 s per image, training steps of thrice as much; nothing
    is run.
    """
    asked: list[tuple[str, bool]] = []

    def made_up(run: RunConfig, gmacs: float, training: bool) -> Speed:
        asked.append((run.method, training))
        forward = Pass(1.0, 0.1 * gmacs)
        return Speed(forward, Pass(3.0, 0.3 * gmacs)) if training else Speed(forward)

    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(timing, "measure_speed", made_up)
    monkeypatch.setattr(Clock, "work", lambda self, dataset, method: passes(3.0))
    monkeypatch.setattr(Clock, "cost", lambda self, dataset, method: (2.0, 1_000_000))
    return asked


def test_without_time_one_network_of_each_task_is_measured(
    measured: list[tuple[str, bool]],
) -> None:
    clock = Clock(load_profile(ROOT / "config/demo.yaml"), 0.0)
    assert sorted(measured) == [("medunext", True), ("mednext", True)][::-1]
    assert clock.timing("sars_cov2_ct", "mednext").basis == "its training steps"
    derived = clock.timing("sars_cov2_ct", "resnet18")
    assert derived.basis == "GMACs"
    # Equal GMACs: as the network that was measured, with a batch of 16.
    assert derived.train_seconds == pytest.approx(0.6)
    assert derived.step_seconds == pytest.approx(3.0)
    assert derived.forward_seconds == pytest.approx((1 + 16 * 0.2) / 16)


def test_with_time_all_are_measured_once(measured: list[tuple[str, bool]]) -> None:
    profile = load_profile(ROOT / "config/demo.yaml")
    clock = Clock(profile, 1000.0)
    names = {"mednext", "resnet18", "medunext", "unet", "nnunet"}
    assert {method for method, training in measured if training} == names
    bases = {clock.timing(d, m).basis for d, run in profile.datasets.items() for m in run.methods}
    assert bases == {"its training steps"}
    measured.clear()
    assert 0 <= Clock(profile, 0.0).age < 60
    assert measured == []  # all of it was kept on the disk


def test_a_training_step_is_derived_from_the_forward_pass(
    measured: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([0.0, *[1.0] * 3])  # the begin, and before each of the three other passes
    monkeypatch.setattr(timing.time, "process_time", lambda: next(ticks, 99.0))
    clock = Clock(load_profile(ROOT / "config/demo.yaml"), 10.0)
    assert ("resnet18", True) not in measured and ("resnet18", False) in measured
    derived = clock.timing("sars_cov2_ct", "resnet18")
    assert derived.basis == "its forward pass"
    # Thrice the forward pass, as in the measured network.
    assert derived.train_seconds == pytest.approx(0.6)
    assert derived.step_seconds == pytest.approx(3.0)
    # A network that computes a tenth as much in training, for what it does in evaluation.
    monkeypatch.setattr(
        Clock, "work", lambda self, dataset, method: passes(0.3 if method == "resnet18" else 3.0)
    )
    assert clock.timing("sars_cov2_ct", "resnet18").train_seconds == pytest.approx(0.06)
