"""A finished small run, copied for each fault, and the table of faults and outcomes.

``make faults`` runs the suite and writes ``docs/faults.md`` from what the tests record: a fault
that is not survived has no row, and the suite fails.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mednext.cli import main
from mednext.config import RunConfig, load_profile
from mednext.files import sha256_file
from mednext.layout import DataPaths
from mednext.runs.resolve import resolve_runs, run_paths

ROOT = Path(__file__).resolve().parents[2]
Outcome = Callable[..., None]
HANGS = 600
"""Seconds until a process counts as hanging; a busy machine is ten times slower than a free one."""
RECORDED: list[tuple[str, str, str]] = []
HEAD = """# Faults and what comes of them

Written by `make faults` from the tests below `tests/faults`: each fault is brought about, the
message is compared, the fault is removed and the same command typed again. "same bits" means that
weights, predictions and counts have the SHA-256 of a run that was never disturbed.

| | fault | what the user sees | outcome |
|---|---|---|---|
"""


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = os.environ.get("MEDNEXT_FAULT_TABLE")
    if target and RECORDED and not session.testsfailed:
        rows = [f"| {n} | {' | '.join(row)} |" for n, row in enumerate(sorted(RECORDED), start=1)]
        Path(target).write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


@dataclass
class World:
    """A working folder with a finished run of ``mednext`` on a phantom."""

    folder: Path
    run: RunConfig
    undisturbed: dict[str, str]
    """File of the run -> SHA-256, before anything went wrong."""
    read: Callable[[], str]

    def do(self, verb: str, *words: str) -> tuple[int, str]:
        """Exit code of one command of the suite in this process, and what it told the user."""
        self.read()
        code = main([*verb.split(), "--configfile", "tiny.yaml", *words])
        return code, self.read()

    def start(self, *words: str, code: str = "") -> subprocess.Popen[str]:
        """The same in a process of its own, in a session of its own."""
        command = [sys.executable, "-c", code, *words] if code else [sys.executable, "-m", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A test run in the background may have inherited "ignore" for Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def forget_run(self) -> None:
        """As if it had never been trained."""
        shutil.rmtree(self.folder / "results")

    def finish(self) -> str:
        """Type the same commands again; the results must be those of an undisturbed run. What they
        told the user.
        """
        told = ""
        for verb in ("train", "predict", "evaluate"):
            code, said = self.do(verb)
            assert code == 0, said
            told += said
        assert digests(self.run) == self.undisturbed
        assert not any(self.folder.rglob(".*.part*"))
        return told

    def local_data(self, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A copy of the data that a test may damage; the folder of the data set."""
        source = Path(os.environ["MEDNEXT_DATA"])
        shutil.copytree(source, self.folder / "data")
        monkeypatch.setenv("MEDNEXT_DATA", str(self.folder / "data"))
        return DataPaths(self.run.source_id, self.run.dataset).root


def environment() -> dict[str, str]:
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }


def digests(run: RunConfig) -> dict[str, str]:
    """Of every file of the run but ``run.json``, which holds the wall time."""
    files = sorted(run_paths(run).root.iterdir())
    return {f.name: sha256_file(f) for f in files if f.name != "run.json"}


@contextmanager
def working_in(folder: Path, data: Path) -> Iterator[None]:
    before, cwd = os.environ.get("MEDNEXT_DATA"), Path.cwd()
    os.environ["MEDNEXT_DATA"] = str(data)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(cwd)
        if before is None:
            del os.environ["MEDNEXT_DATA"]
        else:
            os.environ["MEDNEXT_DATA"] = before


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``work/`` with the finished run and ``data/`` beside it."""
    root = tmp_path_factory.mktemp("finished")
    (root / "work").mkdir()
    entry = {"source": "phantom", "phantom": {"train": 24, "val": 8, "test": 12}}
    entry |= {"methods": ["mednext"], "img_size": 32, "epochs": 4, "batch_size": 8}
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "device": "cpu"}
    config |= {"selections": ["last"], "datasets": {"sars_cov2_ct": entry}}
    (root / "work/tiny.yaml").write_text(yaml.safe_dump(config))
    with working_in(root / "work", root / "data"):
        for verb in ("fetch", "verify", "prepare", "split --protocol paper"):
            words = ["datasets", *verb.split(), "--configfile", "tiny.yaml"]
            assert main([*words, "--dataset", "sars_cov2_ct"]) == 0
        for verb in ("train", "predict", "evaluate"):
            assert main([verb, "--configfile", "tiny.yaml"]) == 0
    return root


@pytest.fixture
def world(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> World:
    """A copy of the finished run; the data set is shared and must not be changed."""
    shutil.copytree(finished / "work", tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MEDNEXT_DATA", str(finished / "data"))
    (run,) = resolve_runs(load_profile("tiny.yaml"))
    return World(tmp_path / "work", run, digests(run), lambda: "".join(capfd.readouterr()))


@pytest.fixture
def outcome() -> Outcome:
    """Record a row of the table: the fault, what was printed (of it the error is shown) or, if no
    line of it speaks of the fault, what the user sees ``in_words``, and what became of it.
    """

    def record(fault: str, printed: str, became: str, in_words: str = "") -> None:
        assert "Traceback" not in printed
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        marked = [s for s in lines if s.startswith(("error:", "starting anew:"))]
        shown = (
            re.sub(r"\S*/(\S+\.\w+)", r"\1", (marked or lines)[0])[:110].strip()
            if not in_words
            else ""
        )
        assert in_words or not re.search(r"\b[0-9a-f]{16}\b|epoch \d", shown)
        RECORDED.append((fault, in_words or f"`{shown.replace('|', '/')}`", became))

    return record


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A small file system at ``folder``; yields a function that changes its options."""

    def mount(words: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", words, "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    folder.mkdir(parents=True, exist_ok=True)
    try:
        mount(options)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield lambda words: mount(f"remount,{words}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
