"""The RO-Crate describes every file of the folder and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.cli import main
from mednext.config import load_profile
from mednext.errors import UserError
from mednext.release.ro_crate import write_crate
from mednext.runs.resolve import resolve_runs
from tests.finished_runs import images, trained


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    entry = {"source": "phantom", "phantom": {"train": 8, "val": 4, "test": 4}}
    entry |= {"methods": ["mednext"], "img_size": 32, "epochs": 1, "batch_size": 4}
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "device": "cpu"}
    Path("tiny.yaml").write_text(yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": entry}}))
    (run,) = resolve_runs(load_profile("tiny.yaml"))
    trained(run, images())
    root = Path("results/tiny")
    (root / "metrics.csv").write_text("a,b\n1,2\n")
    (root / "figures").mkdir()
    (root / "figures/two words.svg").write_text("<svg/>")
    for left_out in ("logs", "work"):
        (root / left_out).mkdir()
        (root / left_out / "x").write_text("x")
    return root


def test_every_file_with_its_digest(results: Path) -> None:
    assert main(["results", "crate", "--configfile", "tiny.yaml"]) == 0
    text = (results / "ro-crate-metadata.json").read_text()
    graph: dict[str, Any] = {e["@id"]: e for e in json.loads(text)["@graph"]}
    parts = [part["@id"] for part in graph["./"]["hasPart"]]
    assert set(parts) == {
        "metrics.csv",
        "figures/two%20words.svg",
        "provenance.json",
        "runs/sars_cov2_ct/paper/mednext/seed0/run.json",
        "runs/sars_cov2_ct/paper/mednext/seed0/history.csv",
        "runs/sars_cov2_ct/paper/mednext/seed0/cases.last.csv",
    }
    entity = graph["metrics.csv"]
    assert entity["sha256"] == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert (entity["contentSize"], entity["encodingFormat"]) == ("8", "text/csv")
    # Every reference leads to an entity of the graph or out of the crate.
    for found in _references(list(graph.values())):
        assert found in graph or found.startswith("https://w3id.org/ro/crate")
    assert "Synthetic data" in graph["./"]["description"]
    assert str(results.resolve()) not in text
    before = text
    write_crate(load_profile("tiny.yaml"), resolve_runs(load_profile("tiny.yaml")))
    assert (results / "ro-crate-metadata.json").read_text() == before


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            return [value["@id"]]
        return [r for v in value.values() for r in _references(v)]
    return [r for v in value for r in _references(v)] if isinstance(value, list) else []


def test_provenance_names_code_data_and_machine(results: Path) -> None:
    write_crate(load_profile("tiny.yaml"), resolve_runs(load_profile("tiny.yaml")))
    found = json.loads((results / "provenance.json").read_text())
    assert found["runs"][0]["run"] == "sars_cov2_ct/paper/mednext/seed0"
    assert found["data"]["sars_cov2_ct"]["licence"] == "CC BY-NC-SA 4.0"
    assert found["splits"] == {"sars_cov2_ct/paper": "0" * 16}
    assert found["device_seconds"] == 1.0
    assert found["gathered_with"]["versions"]["torch"]


def test_unfinished_results_have_no_crate(results: Path) -> None:
    (results / "runs/sars_cov2_ct/paper/mednext/seed0/run.json").unlink()
    with pytest.raises(UserError, match="this run has not been made"):
        write_crate(load_profile("tiny.yaml"), resolve_runs(load_profile("tiny.yaml")))
    assert not (results / "provenance.json").exists()
