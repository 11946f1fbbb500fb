"""One GPU per process on a machine with several.

A process takes the first GPU that no other process of this suite holds, by a lock that the kernel
frees when the process ends, and sees no other. GPUs are identified by their UUID, so that jobs of a
cluster that each see "GPU 0" do not wait for one another. Must be called before CUDA starts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from mednext.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SECONDS_BETWEEN_LOOKS = 2.0
_HELD: list[TextIO] = []


def installed_gpus() -> list[str]:
    """UUIDs of the GPUs that the driver shows; empty where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            [tool, "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def visible_gpus() -> list[str]:
    """The installed GPUs that ``CUDA_VISIBLE_DEVICES`` leaves, in its order."""
    gpus = installed_gpus()
    words = os.environ.get(VISIBLE)
    if words is None:
        return gpus
    chosen = []
    for word in filter(None, (w.strip() for w in words.split(","))):
        if word.isdigit():
            chosen += gpus[int(word) : int(word) + 1]
        else:
            chosen += [gpu for gpu in gpus if gpu.startswith(word)]
    return chosen


def claim_gpu(device: str) -> str | None:
    """Take one GPU for this process and hide the others; None for a run on the CPU.

    With more jobs than GPUs it waits for one to become free.

    Raises:
        UserError: the run asks for a GPU and there is none.
    """
    if device == "cpu" or _HELD:
        return os.environ.get(VISIBLE) if _HELD else None
    gpus = visible_gpus()
    if not gpus:
        if device == "cuda":
            raise UserError(
                "no CUDA device found, but the profile asks for one",
                found=f"device: cuda; {VISIBLE}={os.environ.get(VISIBLE, '(not set)')}",
                expected="a GPU that nvidia-smi lists",
                remedy="run on a machine with a GPU (finished epochs are kept), or write "
                "'device: cpu' in the profile",
            )
        return None
    told = False
    while True:
        for gpu in gpus:
            if _lock(gpu):
                os.environ[VISIBLE] = gpu
                return gpu
        if not told:
            print(f"all {len(gpus)} GPUs are taken: waiting for one", file=sys.stderr)
            told = True
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _lock(gpu: str) -> bool:
    folder = Path(tempfile.gettempdir()) / f"mednext-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = (folder / f"{gpu.replace('/', '_')}.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    _HELD.append(handle)
    return True
