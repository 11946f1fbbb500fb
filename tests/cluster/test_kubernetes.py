"""Kubernetes' jobs: what they ask for by hand, and a profile through a kubectl that runs them here.

What a cluster would add (scheduling, images, volumes) is not tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mednext.cli.kubernetes import main, manifest, state
from mednext.errors import UserError

from ..checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
# create: keeps the manifest and runs its command; get: says how the command ended.
KUBECTL = f"""#!{sys.executable}
import json, os, subprocess, sys
from pathlib import Path
place = Path(os.environ["FAKE_CLUSTER"])
verb = sys.argv[1]
if verb == "create":
    job = json.load(sys.stdin)
    name = job["metadata"]["name"]
    (place / f"{{name}}.json").write_text(json.dumps(job))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    script = '"$@"; echo $? > "$ENDED.part"; mv "$ENDED.part" "$ENDED"'
    subprocess.Popen(
        ["sh", "-c", script, "sh", *container["command"]],
        cwd=container["workingDir"],
        env=os.environ | {{"ENDED": str(place / f"{{name}}.ended")}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
elif verb == "get":
    ended = place / f"{{sys.argv[3]}}.ended"
    code = ended.read_text().strip() if ended.is_file() else ""
    kind = "active" if not code else "succeeded" if code == "0" else "failed"
    print(json.dumps({{"status": {{kind: 1}}}}))
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "bin/kubectl"
    tool.parent.mkdir()
    tool.write_text(KUBECTL)
    tool.chmod(0o755)
    (tmp_path / "jobs").mkdir()
    monkeypatch.setenv("FAKE_CLUSTER", str(tmp_path / "jobs"))
    folders = [str(tool.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MEDNEXT_IMAGE", "registry/mednext-plos:test")
    monkeypatch.delenv("MEDNEXT_DATA", raising=False)
    return tmp_path / "jobs"


def test_what_a_training_asks_for(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDNEXT_CLAIM", "mine")
    spec = manifest(Path("job.sh"), 4, 12000, 720, 1)["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 43200)
    (container,) = spec["template"]["spec"]["containers"]
    wanted = {"cpu": "4", "memory": "12000M", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": wanted, "limits": wanted}
    assert container["image"] == "registry/mednext-plos:test"
    assert container["workingDir"] == str(Path.cwd())
    (volume,) = spec["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "mine"}
    small = manifest(Path("job.sh"), 1, 4000, 60, 0)["spec"]["template"]["spec"]["containers"][0]
    assert "nvidia.com/gpu" not in small["resources"]["limits"]


def test_states() -> None:
    assert state({}) == state({"status": {"active": 1}}) == "running"
    assert state({"status": {"succeeded": 1}}) == "success"
    assert state({"status": {"failed": 1}}) == "failed"


def test_without_an_image_or_a_cluster(
    cluster: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["status", "x"]) == 2
    assert "kubectl could not do it" in capsys.readouterr().err
    monkeypatch.delenv("MEDNEXT_IMAGE")
    with pytest.raises(UserError, match="MEDNEXT_IMAGE is not set"):
        manifest(Path("job.sh"), 1, 1, 1, 0)


@pytest.mark.slow
def test_a_profile_through_kubectl(cluster: Path, tmp_path: Path) -> None:
    folder = copy_checkout(tmp_path / "volume")
    entry = {"source": "phantom", "phantom": {"train": 16, "val": 4, "test": 4}}
    entry |= {"methods": ["mednext"], "img_size": 32, "epochs": 1, "batch_size": 8}
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "device": "cpu"}
    text = yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": entry}})
    (folder / "tiny.yaml").write_text(text)
    command = [sys.executable, "-m", "snakemake", "results/tiny/metrics.csv", "--configfile"]
    command += ["tiny.yaml", "--workflow-profile", "profiles/kubernetes", "--latency-wait", "10"]
    command += ["--seconds-between-status-checks", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert (folder / "results/tiny/metrics.csv").is_file()
    memory = []
    for file in cluster.glob("*.json"):
        (container,) = json.loads(file.read_text())["spec"]["template"]["spec"]["containers"]
        memory.append(container["resources"]["requests"]["memory"])
    # One job for the data (its steps one after the other), training, evaluation, metrics.
    assert sorted(memory) == ["12000M", "12000M", "16000M", "8000M"]
