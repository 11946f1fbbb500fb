"""A wheel is built offline, installed into a bare environment and used outside a checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

import mednext
from mednext.models.registry import list_models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git would deliver; the checkout stays as it is."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "out"))
    for name in ("mednext", "benchmarks", "workflow"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    code = "import sys, hatchling.build as build; print(build.build_wheel(sys.argv[1]))"
    run([sys.executable, "-c", code, str(out)], source)
    (built,) = out.iterdir()
    return built


def run(words: list[str], folder: Path) -> str:
    """What a command prints; nothing of this checkout is on its path."""
    done = subprocess.run(
        words, cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_the_package_its_data_and_the_version(wheel: Path) -> None:
    assert wheel.name == f"mednext_plos_benchmark-{mednext.__version__}-py3-none-any.whl"
    names = set(ZipFile(wheel).namelist())
    assert {"mednext/__init__.py", "mednext/_benchmarks/methods.yaml"} <= names
    assert "mednext/_captions/table2.rst" in names
    assert "mednext/report/templates/page/index.html.j2" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "mednext",
        "mednext_plos_benchmark",
    }


def test_it_runs_in_a_bare_environment_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", "--without-pip", "bare"], tmp_path)
    site = tmp_path / f"bare/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    # The packages of this environment, but none that its .pth files add: not the checkout.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", "bare/bin/python", "install", "--no-deps"]
    run([*pip, "--no-index", str(wheel)], tmp_path)
    command = str(tmp_path / "bare/bin/mednext")
    assert run([command, "--version"], tmp_path) == f"mednext {mednext.__version__}\n"
    listed = [line.split()[0] for line in run([command, "models", "list"], tmp_path).splitlines()]
    assert listed == list_models()
    where = "import mednext; print(mednext.__file__)"
    assert run(["bare/bin/python", "-c", where], tmp_path).startswith(str(site))
