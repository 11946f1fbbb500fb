"""Neither a kill nor the number of threads shows in what is prepared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mednext.config import DatasetRun, SplitCounts
from mednext.datasets.chunks import in_chunks
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.verify import verify

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {
    "sars_cov2_ct": SplitCounts(train=120, val=40, test=40),
    "acdc": SplitCounts(train=4, val=1, test=1),
}


def run_of(dataset: str) -> DatasetRun:
    return DatasetRun(
        source="phantom",
        phantom=COUNTS[dataset],
        methods=("unet",),
        img_size=64,
        epochs=1,
        batch_size=2,
    )


def content(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.parametrize("dataset", list(COUNTS))
def test_the_number_of_threads_does_not_show(roots: Path, dataset: str) -> None:
    run = run_of(dataset)
    fetch(dataset, run)
    paths = resolve_source(dataset, run).paths
    folder = paths.prepared(prepared_key(dataset, run.img_size))
    found = []
    for jobs in (1, 3):
        verify(dataset, run, jobs=jobs)
        prepare(dataset, run, jobs=jobs)
        found.append((content(folder), paths.facts.read_bytes()))
    assert found[0] == found[1] and len(found[0][0]) >= 4
    # nothing but the finished folder is left
    assert [f.name for f in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("dataset", list(COUNTS))
def test_killed_at_any_moment_and_started_again(roots: Path, dataset: str) -> None:
    run = run_of(dataset)
    fetch(dataset, run)
    paths = resolve_source(dataset, run).paths
    folder = paths.prepared(prepared_key(dataset, run.img_size))
    prepare(dataset, run)
    expected = content(folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    script = (
        "from mednext.config import DatasetRun; from mednext.datasets.prepare import prepare;"
        f"run = DatasetRun.model_validate_json({run.model_dump_json()!r});"
        f"print('ready', flush=True); prepare({dataset!r}, run, jobs=1)"
    )
    killed = 0
    for delay in (0.02, 0.06, 0.11, 0.17, 0.25, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        # a folder under its final name is complete, or not there
        assert not folder.exists() or content(folder) == expected
    assert killed
    prepare(dataset, run)
    assert content(folder) == expected


def test_finished_chunks_are_not_made_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make(chunk: range, file: Path) -> None:
        if chunk[0] == 4 and len(made) < 3:
            raise RuntimeError("killed")
        made.append(chunk[0])
        file.write_text(" ".join(map(str, chunk)))

    with pytest.raises(RuntimeError):
        in_chunks(range(7), 2, make, tmp_path, ".txt", 1)
    assert made == [0, 2] or made == [0, 2, 6]
    made += [-1] * (3 - len(made))
    files = in_chunks(range(7), 2, make, tmp_path, ".txt", 1)
    assert [f.read_text() for f in files] == ["0 1", "2 3", "4 5", "6"]
    assert sum(m == 0 for m in made) == 1 and sum(m == 4 for m in made) == 1
