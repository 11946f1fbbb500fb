"""The workflow as a user meets it: messages before anything trains, and which files it touches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Working in another folder keeps the checkout's own data/ and results/ out of the test.
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("workflow", "benchmarks", "config", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Snakefile", tmp_path)
    return tmp_path


def edited(checkout: Path, **changes: object) -> Path:
    config = yaml.safe_load((checkout / "config/demo.yaml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = config
        for name in parents:
            target = target[name]
        target[last] = value
    file = checkout / "config" / "edited.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def test_dry_run_plans_one_training_per_method(checkout: Path) -> None:
    done = snakemake(checkout, "--dry-run", "--quiet", "host")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    config = yaml.safe_load((checkout / "config/demo.yaml").read_text())
    methods = sum(len(entry["methods"]) for entry in config["datasets"].values())
    assert sum(line.startswith("rule train_") for line in text.splitlines()) == methods


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"datasets__acdc__methods": ["medunxt"]},
            ["unknown method", "medunxt", "did you mean 'medunext'"],
        ),
        ({"datasets__acdc__epoch": 3}, ["unknown key", "datasets.acdc.epoch", "'epochs'"]),
        ({"datasets__acdc__img_size": 100}, ["100", "multiple of 32", "96 or 128"]),
    ],
    ids=["unknown-method", "misspelt-key", "size-not-divisible"],
)
def test_bad_configuration_is_one_message_before_anything_runs(
    checkout: Path, changes: dict[str, object], words: list[str]
) -> None:
    file = edited(checkout, **changes)
    done = snakemake(checkout, "--configfile", str(file))
    assert done.returncode != 0
    for word in [*words, "edited.yaml"]:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / "data").exists() and not (checkout / "results").exists()


def test_two_configuration_files_are_refused(checkout: Path) -> None:
    done = snakemake(checkout, "--configfile", "config/demo.yaml", "config/quick.yaml")
    assert done.returncode != 0
    assert "exactly one --configfile" in done.stderr


def test_missing_local_folder_is_named_with_its_remedy(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDNEXT_LOCAL", str(checkout / "nowhere"))
    done = snakemake(checkout, "--configfile", "config/quick.yaml")
    assert done.returncode != 0
    assert "MEDNEXT_LOCAL" in done.stderr
    assert "sars-cov-2-ct-scan-256" in done.stderr
    assert "Traceback" not in done.stderr
