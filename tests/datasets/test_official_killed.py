"""An original that is brought by a process that is killed again and again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import archives as make
from .official_toy import FILES, assert_clean, toy
from .servers import Files

ROOT = Path(__file__).resolve().parents[2]

# Does what test_official.py does, and kills itself at a given step: the n-th time that it opens,
# renames, makes or removes something below the folder, or when so many bytes have arrived.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from mednext.datasets.official import bring
from tests.datasets.official_toy import toy

where, url, last_step, last_byte = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
steps = 0
EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")

def watch(event, args):
    global steps
    if event in EVENTS and where in str(args[0]):
        steps += 1
        if steps == last_step:
            os.kill(os.getpid(), signal.SIGKILL)

class Bar:
    def __init__(self, initial, **options):
        self.n = initial
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def update(self, size):
        self.n += size
        if self.n >= last_byte:
            os.kill(os.getpid(), signal.SIGKILL)

import mednext.datasets.download.transfer as transfer
if last_byte:
    transfer.tqdm = Bar
sys.addaudithook(watch)
bring(toy(Path(where), url))
print(steps)
"""


def run(where: Path, url: str, step: int = 0, byte: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(where), url, str(step), str(byte)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["resumable", "not resumable", "by hand"])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    where: Path, server: tuple[str, Files], way: str
) -> None:
    url, files = server
    if way == "resumable":
        files.chunked, files.etag, files.ranges = False, '"v1"', True
    if way == "by hand":
        make.make_zip(where / "incoming/toy/a.zip", FILES)
    whole = run(where, url)
    steps = int(whole.stdout.split()[-1])
    shutil.rmtree(where / "data")
    (where / "datasets.lock").unlink(missing_ok=True)
    dice = random.Random(0)
    moments = [{"step": n} for n in sorted(dice.sample(range(2, steps), 10))]
    if way != "by hand":
        moments = [{"byte": n} for n in (90_000, 250_000, 330_000)] + moments
    killed = [run(where, url, **moment).returncode == -signal.SIGKILL for moment in moments]
    assert sum(killed) >= 4
    done = run(where, url)
    assert done.returncode == 0, done.stderr
    assert_clean(toy(where), archive=way != "by hand")
    continued = [r["Range"] for r in files.requests if "Range" in r]
    assert bool(continued) == (way == "resumable")
