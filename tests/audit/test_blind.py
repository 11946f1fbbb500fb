"""Ten layouts and ten papers written without sight of the reader and of the audit."""

from __future__ import annotations

import csv
import filecmp
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.audit.draft.write import draft
from mednext.audit.run import audit

from .blind.workbook import write_workbook

BLIND = Path(__file__).parent / "blind"
PAPERS = sorted(path.parent for path in BLIND.glob("papers/*/audit.yaml"))
EXPECTED: dict[str, Any] = yaml.safe_load((BLIND / "expected.yaml").read_text())
NO_ERRORS = {"lead", "significance", "repeated", "across"}  # rules that judge no printed number


def source_of(name: str, folder: Path) -> Path:
    return write_workbook(folder / name) if name.endswith(".xlsx") else BLIND / name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_layout_is_read_without_a_wrong_cell(name: str, tmp_path: Path) -> None:
    tables = draft(source_of(name, tmp_path), tmp_path / "draft")
    text = (tmp_path / "draft" / "audit.yaml").read_text()
    wanted = EXPECTED[name]["tables"]
    assert len(tables) == len(wanted)
    for number, (table, want) in enumerate(zip(tables, wanted, strict=True), start=1):
        written = (tmp_path / "draft" / f"table{number}.csv").read_text()
        assert list(csv.reader(io.StringIO(written))) == list(csv.reader(io.StringIO(want["csv"])))
        assert {c.name: c.unit for c in table.columns if c.unit} == want["units"]
        for word in want["asks"]:
            assert any(word in line for line in text.splitlines() if "ASK" in line), word
    assert not [c for c in audit(tmp_path / "draft").cells if c.basis == "arithmetic"]


def row_name(found: Any) -> tuple[int, str]:
    return found.table, found.slug


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_what_was_planted_is_found_and_nothing_else(paper: Path) -> None:
    planted = yaml.safe_load((paper / "planted.yaml").read_text())
    done = audit(paper)
    assert not [row for row in done.scores if row.verdict == "inconclusive"]
    rows = {(p["table"], p["row"]): p.get("basis", "arithmetic") for p in planted if "row" in p}
    judged = [c for c in done.cells if c.rule not in NO_ERRORS]
    certain = {row for row, basis in rows.items() if basis == "arithmetic"}
    assert {row_name(c) for c in judged if c.basis == "arithmetic"} == certain
    assert {row_name(c) for c in judged} == set(rows)
    for want in planted:
        if "row" not in want:
            continue
        columns = {c.column for c in judged if row_name(c) == (want["table"], want["row"])}
        if "column" in want:
            assert want["column"] in columns
        else:
            assert columns - {None, ""} == set(want["one_of"])
    false = {c.claim_id for c in done.claims if c.verdict == "false"}
    assert false == {p["claim"] for p in planted if "claim" in p}


def test_the_papers_are_what_their_matrices_give(tmp_path: Path) -> None:
    shutil.copy(BLIND / "papers" / "make.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "make.py"], check=True)
    for paper in PAPERS:
        compared = filecmp.dircmp(paper, tmp_path / paper.name)
        assert not compared.diff_files + compared.left_only + compared.right_only
