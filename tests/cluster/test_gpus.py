"""Several GPUs on one machine: each process gets one of its own. The GPUs are a fake driver's."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mednext.runs import gpu_lock

from ..checkout import copy_checkout, in_shell

ROOT = Path(__file__).resolve().parents[2]
UUIDS = ["GPU-aaaa", "GPU-bbbb", "GPU-cccc"]
# Claims a GPU, says which, and keeps it until its stdin closes.
CLAIM = """
import os, sys
from mednext.runs.gpu_lock import claim_gpu
claim_gpu(sys.argv[1], int(sys.argv[2]))
print(os.environ.get("CUDA_VISIBLE_DEVICES", "none"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with three GPUs, by an nvidia-smi that is a shell script."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    listed = "\n".join(f"GPU {i}: NVIDIA H100 80GB (UUID: {u})" for i, u in enumerate(UUIDS))
    write_tool(tool, listed)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def write_tool(tool: Path, listed: str) -> None:
    """An nvidia-smi that answers ``-L``."""
    tool.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && cat <<'end'\n{listed}\nend\n")
    tool.chmod(0o755)


def start(device: str = "cuda", places: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, device, str(places)],
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
    assert late.stderr is not None
    assert "all 3 GPUs are taken: waiting for one" in late.stderr.readline()
    taken["GPU-bbbb"].kill()
    assert line(late) == "GPU-bbbb"
    end(late)
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


def test_several_trainings_share_a_gpu_after_each_has_one(machine: Path) -> None:
    jobs = [start(places=2) for _ in range(6)]
    try:
        taken = [line(job) for job in jobs]
        assert sorted(taken) == sorted(UUIDS * 2)
    finally:
        for job in jobs:
            end(job)


@pytest.mark.parametrize(
    ("options", "visible", "places"),
    [("", "0,2", 4), ("--resources gpu=1", "0,1,2", 1)],
    ids=["two of three GPUs", "as asked"],
)
def test_snakemake_starts_no_more_trainings_than_there_are_places(
    machine: Path, options: str, visible: str, places: int
) -> None:
    folder = copy_checkout(machine / "checkout")
    entry = {"source": "phantom", "phantom": {"train": 2, "val": 2, "test": 2}}
    entry |= {"methods": ["mednext"], "img_size": 64, "epochs": 1, "batch_size": 2}
    config = {"profile": "two", "trainings_per_gpu": 2, "seeds": [0], "threads": 1}
    config |= {"device": "auto", "datasets": {"sars_cov2_ct": entry}}
    (folder / "two.yaml").write_text(yaml.safe_dump(config))
    command = f"snakemake fetch_sars_cov2_ct --cores 1 --configfile two.yaml {options} 2>&1"
    said = in_shell(folder, command, CUDA_VISIBLE_DEVICES=visible)
    (found,) = re.findall(r"^Provided resources: gpu=\D*(\d+)\D*$", said, re.MULTILINE)
    assert int(found) == places


def test_users_share_the_locks(machine: Path) -> None:
    """Two users must not take one GPU: the folder is one for all, and a lock needs no writing."""
    end(start())
    folder = machine / "mednext-gpus"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    (lock,) = folder.iterdir()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644
    other = start()
    assert line(other) == UUIDS[0]
    end(other)


MIG = """GPU 0: NVIDIA H100 80GB (UUID: GPU-aaaa)
  MIG 3g.40gb     Device  0: (UUID: MIG-1111)
  MIG 3g.40gb     Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA H100 80GB (UUID: GPU-bbbb)"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No answer of nvidia-smi is remembered."""
    gpu_lock.installed_gpus.cache_clear()
    yield monkeypatch
    gpu_lock.installed_gpus.cache_clear()


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ("MIG-1111", "MIG-2222", "GPU-bbbb")),
        ("MIG-2222", ("MIG-2222",)),
        ("MIG-GPU-aaaa/1/0", ("MIG-GPU-aaaa/1/0",)),  # the form before driver 470
        ("GPU-b", ("GPU-bbbb",)),
        ("2", ("GPU-bbbb",)),
        ("", ()),
        ("NoDevFiles", ()),
    ],
)
def test_parts_of_a_split_gpu(
    machine: Path, asked: pytest.MonkeyPatch, visible: str | None, found: tuple[str, ...]
) -> None:
    write_tool(machine / "bin/nvidia-smi", MIG)
    if visible is not None:
        asked.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_lock.visible_gpus() == found
    assert gpu_lock.device_type("auto") == ("cuda" if found else "cpu")


@pytest.mark.parametrize(
    ("visible", "found"),
    [(None, ("0", "1")), ("1", ("1",)), ("GPU-cccc", ("GPU-cccc",)), ("", ())],
)
def test_a_gpu_without_nvidia_smi(
    tmp_path: Path, asked: pytest.MonkeyPatch, visible: str | None, found: tuple[str, ...]
) -> None:
    """As in a small container: the driver is there, the tool is not."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    asked.setattr(gpu_lock, "DEVICES", tmp_path)
    asked.setenv("PATH", "")
    asked.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        asked.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_lock.visible_gpus() == found


def test_none_is_locked_where_none_is_listed(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the profile may have one all the same is for torch to say."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = start()
    assert line(job) == ""
    end(job)
    assert job.returncode == 0 and not (machine / "mednext-gpus").exists()
