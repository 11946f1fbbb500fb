"""One place on a GPU per process, on a machine with several. No torch: Snakemake asks, too.

A process takes the first place that no other process of this suite holds, by a lock that the kernel
frees when the process ends, and sees no other GPU. A GPU has one place, or as many as the profile
says (``trainings_per_gpu``: small networks do not fill a large GPU). A GPU is known by its
UUID, so that jobs of a cluster that each see "GPU 0" do not wait for one another. Must be called
before CUDA starts.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Literal, TextIO

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")
SECONDS_BETWEEN_LOOKS = 2.0
_HELD: list[TextIO] = []


@cache
def installed_gpus() -> tuple[str, ...]:
    """UUIDs of what the driver shows: GPUs, and of a GPU that is split (MIG) its parts.

    Where nvidia-smi is missing (small containers) the numbers of the device files; empty where
    there is no driver.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        files = (re.fullmatch(r"nvidia(\d+)", file.name) for file in DEVICES.glob("nvidia*"))
        return tuple(map(str, sorted(int(found[1]) for found in files if found)))
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            [tool, "-L"], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus: list[list[str]] = []
    for line in done.stdout.splitlines():
        found = re.search(r"\(UUID: ([^)]+)\)", line)
        if found and line.startswith("GPU"):
            gpus.append([found[1]])
        elif found and gpus:
            gpus[-1].append(found[1])
    return tuple(unit for whole, *parts in gpus for unit in parts or [whole])


def visible_gpus() -> tuple[str, ...]:
    """The installed GPUs that ``CUDA_VISIBLE_DEVICES`` leaves, in its order.

    A name that the driver does not list (an older form of a MIG name, or no nvidia-smi to ask) is
    taken as it is: whoever wrote it knows, and CUDA refuses a wrong one.
    """
    gpus = installed_gpus()
    words = os.environ.get(VISIBLE)
    if words is None:
        return gpus
    chosen: list[str] = []
    for word in filter(None, (w.strip() for w in words.split(","))):
        if word.isdigit():
            chosen += gpus[int(word) : int(word) + 1] if gpus else (word,)
        elif word.startswith(("GPU-", "MIG-")):
            chosen += [gpu for gpu in gpus if gpu.startswith(word)] or [word]
    return tuple(chosen)


def device_type(device: str) -> Literal["cpu", "cuda"]:
    """What ``auto`` means here: ``cuda`` where a GPU is visible."""
    if device == "auto":
        return "cuda" if visible_gpus() else "cpu"
    return "cuda" if device == "cuda" else "cpu"


def claim_gpu(device: str, places: int = 1) -> str | None:
    """Take one of the ``places`` on a GPU for this process and hide the other GPUs; returns the
    GPU, None for a run on the CPU. With more processes than places it waits for one to be free.

    Whether CUDA can use the GPU is torch's to say, not ours: where none is listed, none is locked.
    """
    if device_type(device) == "cpu" or _HELD:
        return os.environ.get(VISIBLE) if _HELD else None
    gpus = visible_gpus()
    told = not gpus
    while gpus:
        for place in range(places):  # all GPUs get one process before any gets its second
            for gpu in gpus:
                if _lock(f"{gpu}.{place}"):
                    os.environ[VISIBLE] = gpu
                    return gpu
        if not told:
            print(f"all {len(gpus)} GPUs are taken: waiting for one", file=sys.stderr)
            told = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return None


def _lock(name: str) -> bool:
    """Take a lock that all users of the machine share."""
    folder = Path(tempfile.gettempdir()) / "mednext-gpus"
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        folder.chmod(0o1777)
    file = folder / f"{name.replace('/', '_')}.lock"
    try:
        # Made by whoever comes first and only read by others: that is enough to lock it.
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        file.chmod(0o644)
    except FileExistsError:
        pass
    handle = file.open(encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    _HELD.append(handle)
    return True
