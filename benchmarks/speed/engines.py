"""MedNeXt against ResNet-18 in every engine that is installed, and as a training step.

The fair pair: ``mednext.optimize_for_inference`` on one side, BN folded into the convolutions on
the other. Each engine, batch and number of threads has a process of its own, in which the two
networks take turns; a ratio is taken within a round. ``engines.csv`` and ``profile.csv`` beside
this script are committed, and docs/speed.md is written from them. On a quiet machine: make engines
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from measured.calls import export_both
from measured.page import summary, write_page
from measured.rows import (
    ENGINES_FILE,
    FOLDER,
    PACKAGES,
    PROFILE_FILE,
    EngineRow,
    ProfileRow,
    Setting,
    row_of,
)

from mednext.cost.allocator import keep_freed_memory
from mednext.results import write_rows

BATCHES, THREADS = (1, 16), (2, 1)


def settings(
    rounds: int, folder: str, engines: Sequence[str] = tuple(PACKAGES), img_size: int = 224
) -> Iterator[Setting]:
    """All of them; engines that are compared stand next to each other in time."""
    for threads in THREADS:
        for batch in BATCHES:
            for engine in engines:
                yield Setting(engine, threads, batch, rounds, folder, img_size=img_size)
        if "torch" in engines:
            batch = max(BATCHES)
            yield Setting("torch", threads, batch, rounds, folder, "training step", img_size)


def installed(engine: str) -> bool:
    """Is the engine's package there?"""
    try:
        importlib.metadata.version(PACKAGES[engine])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def run(setting: Setting) -> tuple[EngineRow, list[ProfileRow]]:
    """Measure in a process of its own; an engine that is missing or fails is a row, too."""
    if not installed(setting.engine):
        reason = f"{PACKAGES[setting.engine]} is not installed"
        return row_of(setting, "skipped", reason=reason), []
    words = [sys.executable, __file__, "--worker", json.dumps(asdict(setting))]
    done = subprocess.run(words, capture_output=True, text=True)  # noqa: S603  fixed words
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return row_of(setting, "failed", reason=lines[-1][:200]), []
    row, profile = json.loads(done.stdout.strip().splitlines()[-1])
    return EngineRow(**row), [ProfileRow(**values) for values in profile]


def worker(setting: Setting) -> None:
    """Measure here and print the rows as one line."""
    from measured.timing import measure

    keep_freed_memory()  # as every command of mednext does
    row, operations = measure(setting)
    print(json.dumps([row.model_dump(), [one.model_dump() for one in operations]]))


def main() -> None:
    """Measure all settings, or write what is said of none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--engines", nargs="+", choices=PACKAGES, default=tuple(PACKAGES))
    parser.add_argument("--img-size", type=int, default=224)
    parser.add_argument("--out", type=Path, default=FOLDER / ENGINES_FILE)
    parser.add_argument("--document", type=Path, help="where to write the page for people")
    parser.add_argument("--pending", action="store_true", help="measure nothing, and say so")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(Setting(**json.loads(arguments.worker)))
        return
    rows, profile = [], []
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.pending:
            export_both(folder, arguments.img_size)
        for setting in settings(arguments.rounds, folder, arguments.engines, arguments.img_size):
            if arguments.pending:
                row, operations = row_of(setting, "pending", reason="unmeasured"), []
            else:
                row, operations = run(setting)
            profile += operations
            print(summary(row), flush=True)
            rows.append(row)
    write_rows(arguments.out, EngineRow, rows)
    write_rows(arguments.out.with_name(PROFILE_FILE), ProfileRow, profile)
    if arguments.document:
        write_page(arguments.document, engines=arguments.out)


if __name__ == "__main__":
    main()
