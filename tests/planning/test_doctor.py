"""What is missing is said with its remedy; a run repeats for the reason that is true."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.cli import main
from mednext.config import Profile, load_profile
from mednext.cost.gpu_state import gpu_states
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import split
from mednext.datasets.subsets import split_hash
from mednext.files import sha256_file
from mednext.layout import RunPaths
from mednext.planning.doctor import Finding, examine, exit_code
from mednext.provenance import code_hash, env_hash
from mednext.runs.resolve import resolve_runs
from tests.finished_runs import trained

SARS = {
    "source": "phantom",
    "phantom": {"train": 12, "val": 4, "test": 4},
    "methods": ["resnet18"],
    "img_size": 32,
    "epochs": 1,
    "batch_size": 2,
}
SECRETS = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "SYNAPSE_AUTH_TOKEN")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: no data, no results, no credentials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "incoming"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def profile(**datasets: dict[str, Any]) -> Profile:
    values = {"profile": "toy", "seeds": [0], "threads": 1, "datasets": datasets}
    return Profile.model_validate(values)


def official(dataset: str, method: str) -> Profile:
    run = SARS | {"source": "official", "phantom": None, "methods": [method], "img_size": 64}
    return profile(**{dataset: run})


def about(found: list[Finding], words: str) -> Finding:
    (one,) = [f for f in found if f.about == words]
    return one


def test_synapse_without_a_token(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = examine(official("synapse", "unet"))
    data, secret = about(found, "synapse"), about(found, "synapse, credentials")
    assert data.verdict == secret.verdict == "missing" and exit_code(found) == 1
    assert "about 1.60 GB" in data.text and str(here / "incoming" / "synapse") in str(data.remedy)
    assert "SYNAPSE_AUTH_TOKEN" in str(secret.remedy)
    assert "accept its terms" in about(found, "synapse, terms").text
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "x")
    found = examine(official("synapse", "unet"))
    assert about(found, "synapse, credentials").verdict == "ok"


def test_kaggle_needs_its_client_but_no_token(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = examine(official("sars_cov2_ct", "resnet18"))
    assert about(found, "sars_cov2_ct, credentials").verdict == "note"
    monkeypatch.setattr("mednext.planning.doctor.find_spec", lambda name: None)
    found = examine(official("sars_cov2_ct", "resnet18"))
    assert "pip install" in str(about(found, "sars_cov2_ct, client").remedy)


def test_a_disk_that_is_too_small(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = type("Usage", (), {"free": 4_000_000_000})
    monkeypatch.setattr("mednext.planning.doctor.shutil.disk_usage", lambda _: free)
    found = about(examine(official("acdc", "unet")), "disk")
    # the archive of 2.4 GB and its files of 2.5 GB
    assert found.verdict == "missing" and "4.0 GB free" in found.text and "4.9 GB" in found.text
    assert "MEDNEXT_DATA" in str(found.remedy)
    phantom = about(examine(profile(sars_cov2_ct=SARS)), "disk")
    assert phantom.verdict == "ok"


def test_a_missing_local_folder_hides_only_its_own_runs(here: Path) -> None:
    acdc = SARS | {"source": "local", "phantom": None, "methods": ["unet"]}
    found = examine(profile(acdc=acdc, sars_cov2_ct=SARS))
    assert "MEDNEXT_LOCAL" in about(found, "acdc").text
    runs = [f.about for f in found if "/" in f.about]
    assert runs == ["sars_cov2_ct/paper/resnet18/seed0"]


def finished(this: Profile) -> RunPaths:
    """Data of the profile made, and its only run recorded as finished."""
    (run,) = resolve_runs(this)
    dataset = this.datasets["sars_cov2_ct"]
    fetch("sars_cov2_ct", dataset)
    prepare("sars_cov2_ct", dataset)
    split("sars_cov2_ct", dataset, "paper")
    paths = RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)
    paths.root.mkdir(parents=True)
    paths.weights("last").write_bytes(b"weights")
    source = resolve_source("sars_cov2_ct", dataset).paths
    meta = source.prepared_meta(prepared_key("sars_cov2_ct", 32))
    hashes = {
        "data_hash": json.loads(meta.read_text())["data_hash"],
        "split_hash": split_hash(source.split("paper")),
        "code_hash": code_hash(run),
        "env_hash": env_hash(),
        "weights": {"last": sha256_file(paths.weights("last"))},
    }
    trained(run, **hashes)
    return paths


def verdict(this: Profile) -> Finding:
    return about(examine(this), "sars_cov2_ct/paper/resnet18/seed0")


def test_a_run_that_was_never_made(here: Path) -> None:
    assert "has not been made" in verdict(profile(sars_cov2_ct=SARS)).text


def test_a_finished_run_and_each_reason_to_repeat_it(here: Path) -> None:
    this = profile(sars_cov2_ct=SARS)
    paths = finished(this)
    assert str(verdict(this)) == "OK      sars_cov2_ct/paper/resnet18/seed0: finished"

    longer = profile(sars_cov2_ct=SARS | {"epochs": 3})
    assert "the configuration changed (epochs 1 -> 3)" in verdict(longer).text

    record = json.loads(paths.run_json.read_text())
    for name, words in (
        ("code_hash", "the code changed (abc is now"),
        ("data_hash", "the data changed (abc is now"),
        ("split_hash", "the split changed (abc is now"),
    ):
        paths.run_json.write_text(json.dumps(record | {name: "abc"}))
        found = verdict(this).text
        assert words in found and found.count("changed") == 1
    elsewhere = record | {"env_hash": "abc"}
    paths.run_json.write_text(json.dumps(elsewhere))
    assert verdict(this).verdict == "ok" and "another machine" in verdict(this).text
    failed = record | {"status": "failed", "reason": "loss is NaN"}
    paths.run_json.write_text(json.dumps(failed))
    assert "failed: loss is NaN" in verdict(this).text
    for damaged in (b"{", b"\xff\xfe", b"{}"):
        paths.run_json.write_bytes(damaged)
        assert "cannot be read" in verdict(this).text
    paths.run_json.write_text(json.dumps(record))
    paths.weights("last").write_bytes(b"others")
    assert "its weights 'last' are not those that were written" in verdict(this).text
    paths.weights("last").unlink()
    assert "its weights 'last' are gone" in verdict(this).text


def test_data_that_would_be_made_anew(here: Path) -> None:
    this = profile(sars_cov2_ct=SARS)
    finished(this)
    source = resolve_source("sars_cov2_ct", this.datasets["sars_cov2_ct"]).paths
    source.split("paper").unlink()
    assert verdict(this).text == "would repeat: the split would be made anew"


def test_the_command_prints_and_tells_by_its_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "toy.yaml"
    values = profile(sars_cov2_ct=SARS).model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump(values))
    assert load_profile(file).profile == "toy"
    assert main(["doctor", "--configfile", str(file)]) == 0
    assert "a phantom, made here" in capsys.readouterr().out
    assert main(["doctor", "--quiet", "--configfile", str(file)]) == 0
    out = capsys.readouterr().out
    assert "a phantom, made here" not in out and "would run" in out
    values["datasets"]["sars_cov2_ct"] |= {"source": "official"}
    del values["datasets"]["sars_cov2_ct"]["phantom"]
    file.write_text(yaml.safe_dump(values))
    assert main(["doctor", "--configfile", str(file)]) == 1
    assert "MISSING sars_cov2_ct: not downloaded yet" in capsys.readouterr().out


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, gpus: str, users: str = "") -> None:
    """A machine whose nvidia-smi is a shell script."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(
        f"#!/bin/sh\ncase $1 in --query-gpu*) echo '{gpus}';; *) echo '{users}';; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")


H200 = "GPU-1, NVIDIA H200, {driver}, {capability}, {mig}, 1200, 1980, {reasons}"


def test_a_gpu_that_the_lock_can_use(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = H200.format(driver="580.65.06", capability="9.0", mig="Disabled", reasons="0x0")
    machine(here, monkeypatch, good)
    found = examine(profile(sars_cov2_ct=SARS))
    assert about(found, "GPU 0").text == "NVIDIA H200, driver 580.65.06, compute capability 9.0"
    assert [f.about for f in found if f.about.startswith("GPU")] == ["GPU 0"]
    monkeypatch.setattr("mednext.planning.doctor.gpu_states", lambda: pytest.fail("not asked for"))
    cpu = profile(sars_cov2_ct=SARS).model_copy(update={"device": "cpu"})
    assert not [f for f in examine(cpu) if f.about.startswith("GPU")]


def test_a_gpu_that_it_cannot_use(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = H200.format(driver="535.1", capability="7.0", mig="Enabled", reasons="0x4")
    machine(here, monkeypatch, old, users="GPU-1, 1\nGPU-2, 1")
    found = examine(profile(sars_cov2_ct=SARS))
    assert about(found, "GPU 0, driver").verdict == "missing" and exit_code(found) == 1
    assert "needs 580 or later" in about(found, "GPU 0, driver").text
    assert "7.5 or more" in str(about(found, "GPU 0, capability").remedy)
    assert about(found, "GPU 0, MIG").verdict == "note"
    assert about(found, "GPU 0, use").text.startswith("1 other")
    (state,) = gpu_states()
    assert (state.clock_mhz, state.max_clock_mhz, state.throttled) == (1200, 1980, True)


def test_no_gpu_is_missing_only_where_one_is_asked_for(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mednext.cost.gpu_state.shutil.which", lambda _: None)
    this = profile(sars_cov2_ct=SARS)
    assert about(examine(this), "GPU").verdict == "note"
    asked = this.model_copy(update={"device": "cuda"})
    assert about(examine(asked), "GPU").verdict == "missing"


def test_a_folder_that_cannot_be_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [f for f in examine(profile(sars_cov2_ct=SARS)) if f.about.startswith("folder")]
    real = os.access

    def read_only(place: Path, mode: int) -> bool:  # whoever runs the test, root may write
        return real(place, mode) and not (mode & os.W_OK and Path(place).samefile(here))

    monkeypatch.setattr(os, "access", read_only)
    found = examine(profile(sars_cov2_ct=SARS))
    assert about(found, f"folder {here}").verdict == "missing" and exit_code(found) == 1
    assert str(here) in about(found, "folder results/toy").text


NETS = """
from torch import nn

def good(num_classes, in_chans, img_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_chans * img_size ** 2, num_classes))

def shape(num_classes, in_chans, img_size):
    return nn.Conv2d(in_chans, num_classes, 1)

def lacks(num_classes, in_chans, img_size, depth):
    return good(num_classes, in_chans, img_size)
"""


def test_custom_networks_are_tried(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "nets_of_doctor.py").write_text(NETS)
    monkeypatch.syspath_prepend(here)
    places = {n: f"nets_of_doctor:{n}" for n in ("good", "shape", "lacks", "typo")}
    places["gone"] = "no_such_module:net"
    methods = {n: {"task": "classification", "constructor": p} for n, p in places.items()}
    values = {"profile": "toy", "seeds": [0], "threads": 1, "custom_methods": methods}
    values |= {"datasets": {"sars_cov2_ct": SARS | {"methods": list(methods)}}}
    (here / "toy.yaml").write_text(yaml.safe_dump(values))
    found = examine(load_profile("toy.yaml"))
    assert about(found, "good").verdict == "ok" and exit_code(found) == 1
    for name, word in (
        ("shape", "logits (2, 2) for (2, 3, 32, 32) of 'sars_cov2_ct': (2, 2, 32, 32)"),
        ("lacks", "'depth'"),
        ("typo", "no attribute 'typo'"),
        ("gone", "No module named 'no_such_module'"),
    ):
        assert about(found, name).verdict == "missing" and word in about(found, name).text
        assert not [f for f in found if f.about == f"sars_cov2_ct/paper/{name}/seed0"]
    assert main(["doctor", "--configfile", "toy.yaml"]) == 1
    assert "Traceback" not in "".join(capsys.readouterr())
