"""SIGTERM ends a command with its exit code, whatever fails on the way out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BLOCK = """
import os, signal, zipfile
from mednext.cli.stop import orderly_stop
with orderly_stop():
    with zipfile.ZipFile("archive.zip", "w") as archive:
        member = archive.open("half.npy", "w")
        member.write(b"half")
        {last}
"""


@pytest.mark.parametrize(
    ("last", "code", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "stopped by SIGTERM"),
        ("pass", 1, "ValueError"),  # without the signal the same failure is a failure
    ],
)
def test_the_exit_code_is_that_of_the_signal(
    last: str, code: int, says: str, tmp_path: Path
) -> None:
    """A zip archive refuses to close while a member is open: it raises in place of the exit."""
    process = subprocess.run(
        [sys.executable, "-c", BLOCK.format(last=last)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == code, process.stderr
    assert says in process.stderr
