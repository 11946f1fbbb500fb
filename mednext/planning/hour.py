"""Runs of a profile in pieces of minutes, on a GPU that is lent for minutes.

``python -m mednext.planning.hour pack FOLDER`` makes its images small enough to take along;
``python -m mednext.planning.hour work --minutes 9`` goes on with the first run that is not finished
and stops in time, within a run if need be: the next piece continues from its checkpoint.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mednext.config import DatasetRun, Profile, RunConfig, load_profile
from mednext.datasets.images import ENDINGS
from mednext.datasets.prepare import prepared_key
from mednext.datasets.source import resolve_source
from mednext.errors import UserError
from mednext.files import publish_folder, scratch_folder
from mednext.layout import DataPaths, local_root, reference_root, results_root
from mednext.runs.export import export_runs
from mednext.runs.resolve import resolve_runs, run_name

MOST_BYTES = 50_000_000
QUALITIES = (95, 90, 85, 80, 70)
"""Of JPEG, the first that fits."""
PACKED = "sars-cov-2-ct-scan-hour"
GRACE_SECONDS = 30
"""From SIGTERM to the end of a process; the export follows."""
DATA_STEPS = ("fetch", "verify", "prepare")
RUN_STEPS = ("train", "predict", "evaluate")
UNFINISHED = 1
"""Exit code while runs are left."""
FAILED = 3
"""Exit code if a step failed: to go on would fail again."""


def pack(folder: Path, out: Path, side: int = 256, most: int = MOST_BYTES) -> tuple[int, float]:
    """Write the images of ``folder`` to ``out`` in the same tree: grey, ``side`` pixels wide and
    high, JPEG in the best quality that keeps all of them within ``most`` bytes.

    Returns:
        The quality, and the mean absolute error of a pixel of 0..255.

    Raises:
        UserError: no images, or too many for ``most`` bytes.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    if out.exists():
        raise UserError("there is something already", file=out, remedy="remove it first")
    if not files:
        raise UserError("no images to pack", file=folder, expected=", ".join(ENDINGS))
    grey = [Image.open(file).convert("L").resize((side, side)) for file in files]
    for quality in QUALITIES:
        packed = [_jpeg(image, quality) for image in grey]
        if sum(map(len, packed)) <= most:
            break
    else:
        raise UserError(
            "the images do not fit",
            file=folder,
            found=f"{sum(map(len, packed))} bytes at quality {quality}",
            expected=f"at most {most}",
        )
    errors = [
        np.abs(np.asarray(Image.open(io.BytesIO(b)), float) - np.asarray(a, float)).mean()
        for a, b in zip(grey, packed, strict=True)
    ]
    with scratch_folder(out) as scratch:
        for file, content in zip(files, packed, strict=True):
            target = scratch / file.relative_to(folder).with_suffix(".jpg")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        publish_folder(scratch, out)
    return quality, float(np.mean(errors))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    content = io.BytesIO()
    image.save(content, "jpeg", quality=quality)
    return content.getvalue()


def in_order(runs: Sequence[RunConfig]) -> list[RunConfig]:
    """Methods with the most seeds first, all seeds of each together; else the profile's order."""
    seeds = Counter((run.dataset, run.protocol, run.method) for run in runs)
    places = {key: place for place, key in enumerate(seeds)}

    def rank(run: RunConfig) -> tuple[int, int, int]:
        key = (run.dataset, run.protocol, run.method)
        return -seeds[key], places[key], run.seed

    return sorted(runs, key=rank)


def command(configfile: Path, *words: str) -> list[str]:
    """A verb of the suite in a process of its own."""
    return [sys.executable, "-m", "mednext", *words, "--configfile", str(configfile)]


class Deadline(Exception):
    """The time is over."""


def work(
    profile: Profile,
    configfile: Path,
    seconds: float,
    words: Callable[..., list[str]] = command,
) -> list[str]:
    """Go on for ``seconds``; returns the names of the runs that are left.

    Raises:
        subprocess.CalledProcessError: a step failed; its message is on stderr.
    """
    end = time.monotonic() + seconds
    try:
        for dataset, entry in profile.datasets.items():
            if _prepared(dataset, entry):
                continue
            for step in DATA_STEPS:
                _until(end, words(configfile, "datasets", step, "--dataset", dataset))
            for protocol in entry.all_protocols:
                split = ("datasets", "split", "--dataset", dataset, "--protocol", protocol)
                _until(end, words(configfile, *split))
        left = _export(profile)
        for run in in_order(resolve_runs(profile)):
            if run_name(run) not in left:
                continue
            names = {"dataset": run.dataset, "protocol": run.protocol, "method": run.method}
            values = {**names, "seed": str(run.seed)}
            axes = [word for name, value in values.items() for word in (f"--{name}", value)]
            for step in RUN_STEPS:
                _until(end, words(configfile, step, *axes))
            left = _export(profile)
            print(f"finished {run_name(run)}, {len(left)} runs left", flush=True)
        return left
    except Deadline:
        return _export(profile)


def _prepared(dataset: str, entry: DatasetRun) -> bool:
    """Have all steps of the data been done? Then a piece does not begin with them."""
    paths = DataPaths(resolve_source(dataset, entry).id, dataset)
    splits = (paths.split(protocol) for protocol in entry.all_protocols)
    meta = paths.prepared_meta(prepared_key(dataset, entry.img_size))
    return meta.is_file() and all(split.is_file() for split in splits)


def _export(profile: Profile) -> list[str]:
    """Export what is finished; returns the names of the others."""
    folder = results_root(profile.profile)
    if not (folder / "runs").is_dir():
        return [run_name(run) for run in resolve_runs(profile)]
    return export_runs(folder, profile, reference_root(profile.profile)).unfinished


def _until(end: float, words: list[str]) -> None:
    """Run a process; at the time ``end`` it gets SIGTERM and leaves nothing half-written."""
    process = subprocess.Popen(words)  # noqa: S603  fixed words
    try:
        code = process.wait(max(end - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise Deadline from None
    if code != 0:
        raise subprocess.CalledProcessError(code, words)


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 0: all runs are finished (or packed), 1: some are left, 2: bad input, 3: a step
    failed.
    """
    parser = argparse.ArgumentParser(prog="python -m mednext.planning.hour")
    verbs = parser.add_subparsers(required=True, dest="verb")
    packing = verbs.add_parser("pack", help="make the images small enough to take along")
    packing.add_argument("folder", help="below MEDNEXT_LOCAL")
    packing.add_argument("--out", type=Path, help=f"default: {PACKED} below MEDNEXT_LOCAL")
    working = verbs.add_parser("work", help="go on with the runs for some minutes")
    working.add_argument("--configfile", type=Path, default=Path("config/hour.yaml"))
    working.add_argument("--minutes", type=float, default=9.0)
    arguments = parser.parse_args(words)
    try:
        if arguments.verb == "pack":
            out = arguments.out or local_root() / PACKED
            quality, error = pack(local_root() / arguments.folder, out)
            print(f"{out}: JPEG quality {quality}, a pixel of 0..255 is {error:.2f} off on average")
            return 0
        profile = load_profile(arguments.configfile)
        left = work(profile, arguments.configfile, arguments.minutes * 60)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        step = " ".join(error.cmd[3:])
        print(f"error: '{step}' ended with {error.returncode}, see above", file=sys.stderr)
        return FAILED
    print("all runs are finished" if not left else f"{len(left)} runs are left; next: {left[0]}")
    return UNFINISHED if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
