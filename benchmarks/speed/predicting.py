"""Time, memory and cores of ``mednext predict`` on folders of many images.

A MedNeXt of one epoch on phantoms predicts made-up images, each folder in a process of its own. A
peak that does not grow from the smaller to the larger folder is what is claimed. ``predicting.csv``
beside this script is committed, and docs/speed.md shows it. On a quiet machine: make predicting
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from measured.page import write_page
from measured.rows import FOLDER, PREDICTING_FILE, StreamRow
from PIL import Image

from mednext.config import load_profile
from mednext.cost.timing import OthersWatch
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.provenance import machine
from mednext.results import write_rows
from mednext.runs.resolve import resolve_runs
from mednext.training.train import train

COUNTS = (1000, 10_000)
SIDE = 128
"""Of the files, which are resized."""
PROFILE = Path("demo.yaml")


def train_one(img_size: int) -> None:
    """A run of one epoch on phantoms, in the current folder."""
    body = {"source": "phantom", "epochs": 1, "batch_size": 16, "img_size": img_size}
    body |= {"methods": ["mednext"], "phantom": {"train": 16, "val": 4, "test": 6}}
    text = {"profile": "demo", "seeds": [0], "threads": 1, "datasets": {"sars_cov2_ct": body}}
    PROFILE.write_text(yaml.safe_dump(text))
    profile = load_profile(PROFILE)
    for dataset, entry in profile.datasets.items():
        for step in (fetch, verify, prepare):
            step(dataset, entry)
        split(dataset, entry, "paper")
    for run in resolve_runs(profile):
        train(run)


def make_images(folder: Path, count: int) -> None:
    """Noise, without compression: it is not the writing that is measured."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for k in range(count):
        picture = random.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{k:05}.png", compress_level=0)


def peak_mib(pid: int) -> float:
    """The most memory that a process has held, 0 once it has ended.

    Not ``ru_maxrss`` of the process, which begins at what its parent held when it was started.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def predict(count: int, img_size: int) -> StreamRow:
    """``mednext predict`` on so many images; a failure is a row, too."""
    folder, out = Path(f"images{count}"), Path(f"scores{count}.csv")
    make_images(folder, count)
    words = [sys.executable, "-m", "mednext", "predict", "--configfile", str(PROFILE)]
    words += ["--method", "mednext", "--images", str(folder), "--out", str(out)]
    watch, begun = OthersWatch(), time.monotonic()
    child = subprocess.Popen(words)  # noqa: S603  fixed words
    ended, peak = 0, 0.0
    while not ended:
        time.sleep(0.1)
        peak = max(peak, peak_mib(child.pid))
        ended, status, used = os.wait4(child.pid, os.WNOHANG)
    seconds, busy = time.monotonic() - begun, watch.cores()
    code = os.waitstatus_to_exitcode(status)
    if code or sum(1 for _ in out.open()) != count + 1:
        reason = f"exit code {code}, or rows are missing"
        return StreamRow(images=count, img_size=img_size, status="failed", reason=reason)
    cpu_seconds = used.ru_utime + used.ru_stime
    return StreamRow(
        images=count,
        img_size=img_size,
        status="ok",
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu_seconds, 2),
        peak_mib=round(peak, 1),
        cores=len(os.sched_getaffinity(0)),
        # The watch takes the child for another.
        busy_cores=round(max(busy - cpu_seconds / seconds, 0.0), 2),
        cpu=machine()["cpu"],
    )


def main() -> None:
    """Predict each folder, or write what is said of none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--img-size", type=int, default=224)
    parser.add_argument("--out", type=Path, default=FOLDER / PREDICTING_FILE)
    parser.add_argument("--document", type=Path, help="where to write the page for people")
    parser.add_argument("--pending", action="store_true", help="measure nothing, and say so")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    document = arguments.document and arguments.document.resolve()
    if arguments.pending:
        what = {"img_size": arguments.img_size, "status": "pending", "reason": "unmeasured"}
        rows = [StreamRow(images=count, **what) for count in arguments.images]
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.environ["MEDNEXT_DATA"] = str(Path(folder) / "data")
            train_one(arguments.img_size)
            rows = [predict(count, arguments.img_size) for count in arguments.images]
            os.chdir(out.parent)
    write_rows(out, StreamRow, rows)
    if document:
        write_page(document, streams=out)


if __name__ == "__main__":
    main()
