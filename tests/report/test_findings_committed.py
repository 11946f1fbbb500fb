"""What is committed of the runs on real data is what ``make findings`` makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mednext.cli import main
from tests.runs.test_export import files

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path("results/reference/reduced")


@pytest.mark.slow
def test_the_committed_findings_are_made_from_the_committed_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = files(ROOT / REFERENCE)
    shutil.copytree(ROOT / REFERENCE, tmp_path / REFERENCE)
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    monkeypatch.chdir(tmp_path)
    config = ROOT / "config" / "reduced.yaml"
    assert main(["results", "findings", "--configfile", str(config), "--summary", "README.md"]) == 0
    for name in ("README.md", "results/FINDINGS.md"):
        assert Path(name).read_bytes() == (ROOT / name).read_bytes(), name
    made = files(REFERENCE)
    assert sorted(made) == sorted(committed)
    assert [name for name in made if made[name] != committed[name]] == []
