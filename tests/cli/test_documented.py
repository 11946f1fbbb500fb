"""The commands of docs/conditions.md and docs/subgroups.md are ones that the program takes.

What they do is tested where it is done: tests/training/test_conditions.py needs networks, and
tests/analysis/test_subgroups.py counts per case.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mednext.cli import parser
from mednext.config import load_profile

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["conditions", "subgroups"])
def test_every_command_is_taken(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / f"docs/{page}.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines()]
    assert len(commands) > 1
    for words in commands:
        if words[0] == "snakemake":
            rules = (ROOT / "workflow/rules/analysis.smk").read_text()
            assert f"rule {words[1]}:\n" in rules
            continue
        assert words[:3] == ["python", "-m", "mednext"]
        taken = parser().parse_args(words[3:])
        profile = load_profile(taken.configfile)
        if "dataset" in taken and taken.dataset:
            assert taken.method in profile.datasets[taken.dataset].methods
