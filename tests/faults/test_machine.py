"""Memory runs out, the GPU is missing or goes away, the loss explodes."""

from __future__ import annotations

import math
import resource
from pathlib import Path

import pytest
import torch

import mednext.training.train as engine
from mednext.runs.resolve import run_paths
from mednext.training.step import Stepper
from tests.faults.conftest import HANGS, Outcome, World


def failing_in_epoch(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    """The first step of epoch ``number`` (from 1) raises ``error``."""
    whole = engine.train_epoch

    def epoch(*arguments: object) -> float:
        if arguments[3] == number - 1:
            raise error
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "train_epoch", epoch)


@pytest.mark.parametrize(
    ("error", "code", "words", "fault"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            4,
            ["out of memory", "2.00 GiB", "micro_batch"],
            "GPU out of memory in a deterministic run",
        ),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            4,
            ["out of memory", "CUDNN_STATUS_ALLOC_FAILED", "micro_batch"],
            "cuDNN finds no memory for its work space",
        ),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 8589934592 bytes."
            ),
            4,
            ["out of memory", "8589934592 bytes"],
            "main memory exhausted",
        ),
        (
            torch.AcceleratorError("CUDA error: device-side failure or device lost"),
            5,
            ["the GPU failed or is gone", "another GPU"],
            "GPU gone in the middle of a training",
        ),
        (
            torch.AcceleratorError(
                "CUDA error: no kernel image is available for execution on the device"
            ),
            2,
            ["not one that the installed torch was built for", "does not help"],
            "GPU older than the installed torch",
        ),
        (
            RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
            2,
            ["not one that the installed torch was built for", "11040"],
            "driver older than the installed torch",
        ),
    ],
    ids=["gpu-memory", "cudnn-memory", "memory", "gpu-gone", "no-kernel", "old-driver"],
)
def test_failure_in_the_third_epoch(
    world: World,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: list[str],
    fault: str,
) -> None:
    world.forget_run()
    with monkeypatch.context() as patch:
        failing_in_epoch(patch, 3, error)
        found, said = world.do("train")
    assert found == code and all(word in said for word in words), said
    (kept,) = run_paths(world.run).work.glob("*/checkpoint.pt")
    assert torch.load(kept, weights_only=True)["state"]["epoch"] == 2
    world.finish()
    outcome(fault, said[said.index("error:") :], "continued after its last epoch: same bits")


def test_a_process_with_too_little_memory(world: World, outcome: Outcome) -> None:
    """Real: the address space of the process is limited once everything is imported."""
    world.forget_run()
    code = (
        "import resource, sys\n"
        "import torch\n"
        "import mednext.training.train\n"
        # It imports half of torch, and an import without memory may end in any error.
        "torch.use_deterministic_algorithms(True)\n"
        "from mednext.cli import main\n"
        "from pathlib import Path\n"
        "now = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (now + {20 * 2**20}, resource.RLIM_INFINITY))\n"
        "sys.exit(main(['train', '--configfile', 'tiny.yaml']))\n"
    )
    process = world.start(code=code)
    said = process.communicate(timeout=HANGS)[0]
    assert process.returncode == 4 and "out of memory" in said, said
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    world.finish()
    outcome("memory limit of the job reached", said[said.index("error:") :], "same bits with more")


def test_no_gpu_where_one_is_asked_for(
    world: World, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path("tiny.yaml")
    text = file.read_text()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    file.write_text(text.replace("device: cpu", "device: cuda"))
    code, said = world.do("train")
    assert code == 2 and "no CUDA device found" in said
    file.write_text(text)
    world.finish()
    outcome("no GPU where the profile asks for one", said, "refused before anything is touched")


def test_the_loss_is_not_a_number(
    world: World, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.forget_run()
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", lambda *a: torch.tensor(math.nan))
        code, _ = world.do("train")
    assert code == 0  # it would only fail again: a row, not a retry
    assert '"status": "failed"' in run_paths(world.run).run_json.read_text()
    assert world.do("predict")[0] == world.do("evaluate")[0] == 0
    code, _ = world.do("results collect")
    table = Path("results/tiny/metrics.csv").read_text()
    assert code == 0 and "failed" in table and "diverged: the training loss was nan" in table
    run_paths(world.run).run_json.unlink()
    world.finish()
    seen = "in `metrics.csv` the status `failed`, the reason `diverged: the training loss was nan`"
    outcome("training diverges", table, "a row 'failed'; the sweep goes on", in_words=seen)
