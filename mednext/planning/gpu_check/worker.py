"""What the checks do in processes of their own: a training, or steps for as long as they are told.

``python -m mednext.planning.gpu_check.worker train DEVICE FOLDER KILL`` and ``... steps DEVICE
METHOD SIZE BATCH``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mednext.planning.gpu_check.numbers import synchronise
from mednext.planning.gpu_check.scale import training_profile
from mednext.planning.gpu_check.throughput import Looper


def train_in(device: str, folder: str, killed_after: int) -> None:
    """Make phantoms, train on them, print the digest of the weights; with ``killed_after`` die by
    SIGKILL after so many checkpoints.
    """
    os.chdir(folder)
    os.environ["MEDNEXT_DATA"] = str(Path(folder) / "data")
    from mednext.datasets.fetch import fetch
    from mednext.datasets.prepare import prepare
    from mednext.datasets.splits import split
    from mednext.datasets.verify import verify
    from mednext.runs.resolve import resolve_runs
    from mednext.training import checkpoint, train

    profile = training_profile(device)
    for dataset, values in profile.datasets.items():
        fetch(dataset, values)
        verify(dataset, values)
        prepare(dataset, values)
        split(dataset, values, "paper")
    # A GPU writes a checkpoint every two minutes; this training takes seconds.
    train.CHECKPOINT_SECONDS = dict.fromkeys(train.CHECKPOINT_SECONDS, 0)
    save, written = checkpoint.save, 0

    def counted(path: Path, state: dict[str, Any]) -> None:
        nonlocal written
        save(path, state)
        counts = path.name == "checkpoint.pt"  # and not best weights beside it
        written += counts
        if counts and written == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = counted
    (run,) = resolve_runs(profile)
    print(json.dumps(train.train(run).weights["last"]))


def steps(device: str, method: str, size: int, batch: int) -> None:
    """Say ``ready``, then for each line of stdin train for so many seconds and say how many images
    a second that were.
    """
    looper = Looper(method, device, size, batch)
    looper.epoch()
    print("ready", flush=True)
    for line in sys.stdin:
        images, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < float(line):
            images += looper.epoch()
        synchronise(device)
        print(images / (time.perf_counter() - begun), flush=True)


def main(words: list[str]) -> None:
    """Do what the words say."""
    kind, device, name, *numbers = words
    if kind == "train":
        train_in(device, name, int(numbers[0]))
    else:
        steps(device, name, *map(int, numbers))


if __name__ == "__main__":
    main(sys.argv[1:])
