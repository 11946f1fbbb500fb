"""Several GPUs on one machine: each process gets one of its own. The GPUs are a fake driver's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UUIDS = ["GPU-aaaa", "GPU-bbbb", "GPU-cccc"]
# Claims a GPU, says which, and keeps it until its stdin closes.
CLAIM = """
import os, sys
from mednext.training.gpu_lock import claim_gpu
claim_gpu(sys.argv[1])
print(os.environ.get("CUDA_VISIBLE_DEVICES", "none"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with three GPUs, by an nvidia-smi that is a shell script."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nprintf '%s\\n' " + " ".join(UUIDS) + "\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def start(device: str = "cuda") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> str:
    return process.communicate("", timeout=20)[1]


def test_each_process_gets_one_gpu(machine: Path) -> None:
    jobs = [start() for _ in UUIDS]
    try:
        assert sorted(line(job) for job in jobs) == UUIDS
    finally:
        for job in jobs:
            end(job)


def test_one_job_too_many_waits_and_takes_the_gpu_of_a_killed_one(machine: Path) -> None:
    jobs = [start() for _ in UUIDS]
    taken = {line(job): job for job in jobs}
    late = start()
    time.sleep(0.5)
    assert late.poll() is None
    taken["GPU-bbbb"].kill()
    assert line(late) == "GPU-bbbb"
    assert "all 3 GPUs are taken: waiting for one" in end(late)
    for job in jobs:
        end(job)


def test_only_visible_gpus_are_taken(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    job = start()
    assert line(job) == "GPU-cccc"
    end(job)


def test_a_run_on_the_cpu_takes_none(machine: Path) -> None:
    job = start("cpu")
    assert line(job) == "none"
    end(job)


def test_a_gpu_that_is_gone_is_one_message(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = start()
    assert line(job) == ""
    message = end(job)
    assert "no CUDA device found, but the profile asks for one" in message
    assert job.returncode != 0
