"""A copy of what Snakemake needs of the repository, and commands in it as a user types them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy_checkout(folder: Path, *more: str) -> Path:
    """``folder`` with the workflow and what it reads; ``more`` are further folders, like config."""
    for name in ("workflow", "benchmarks", "profiles", *more):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def in_shell(folder: Path, commands: str, **variables: str) -> str:
    """What the commands print, run in a shell with the environment of the tests active."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MEDNEXT_DATA": "data",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=env | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout
