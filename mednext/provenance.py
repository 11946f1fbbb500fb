"""Who made a number: digests of the code and the environment, the commit, the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from mednext.config import benchmarks_dir
from mednext.files import hash_json

# What can change a result: the library's numerical parts, and the versions of what it runs on.
CODE_FOLDERS = ("models", "training", "datasets", "metrics")
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "monai",
    "segmentation-models-pytorch",
    "dynamic-network-architectures",
    "numpy",
    "scipy",
)


def package_dir() -> Path:
    """Folder of the installed ``mednext`` package."""
    return Path(__file__).resolve().parent


@cache
def code_hash() -> str:
    """First 16 hex digits over ``mednext/{models,training,datasets,metrics}`` and the lock file."""
    lock = benchmarks_dir().parent / "requirements.lock"
    return folder_hash(*CODE_FOLDERS, extra=lock.read_bytes() if lock.is_file() else b"")


@cache
def folder_hash(*names: str, extra: bytes = b"") -> str:
    """First 16 hex digits over the named files and folders of the package, and ``extra``."""
    digest = hashlib.sha256()
    for name in names:
        place = package_dir() / name
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file.relative_to(package_dir())).encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    digest.update(extra)
    return digest.hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in PACKAGES}}


@cache
def machine() -> dict[str, str | int]:
    """CPU model, its vector instructions, and the number of cores."""
    info: dict[str, str | int] = {"cpu": platform.processor() or platform.machine(), "isa": ""}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in lines}
        info["cpu"] = fields.get("model name", info["cpu"])
        flags = fields.get("flags", "").split()
        info["isa"] = " ".join(f for f in flags if f.startswith(("avx", "amx")))
    info["cores"] = os.cpu_count() or 1
    return info


def env_hash(gpu: str | None = None) -> str:
    """First 16 hex digits over the versions, the machine's CPU model and instructions, and the GPU
    that the work was done on, if it was one.
    """
    where = {key: value for key, value in machine().items() if key != "cores"}
    if gpu is not None:
        where["gpu"] = gpu
    return hash_json({"versions": versions(), "machine": where})[:16]


def git_state() -> tuple[str | None, bool | None]:
    """Commit and dirty flag, (None, None) outside a checkout; information, not identity."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603  fixed words
                ["git", *words],  # noqa: S607
                cwd=package_dir(),
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(git("status", "--porcelain", "--untracked-files=no"))
