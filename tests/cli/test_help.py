"""The verbs of the command line: few, in groups, and the retired ones still lead on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mednext
from mednext.cli import GROUPS, RETIRED, main, parser

HEADINGS = ["data", "train", "results", "report", "audit", "gate", "cluster"]


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_every_verb_once_under_its_heading(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown(["--help"], capsys)
    headings = re.findall(r"^(\w+):$", text, re.MULTILINE)
    assert headings[headings.index("data") :] == HEADINGS == list(GROUPS)
    listed = re.findall(r"^  ([a-z]+)  +\S", text[text.index("data:") :], re.MULTILINE)
    (verbs,) = (a.choices for a in parser()._actions if a.dest == "==SUPPRESS==" and a.choices)
    assert sorted(listed) == sorted(verbs) and len(listed) == len(set(listed)) <= 16


@pytest.mark.parametrize(("old", "new"), RETIRED.items())
def test_a_retired_verb_says_its_new_name_and_is_run(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([old, "--help"])
    assert left.value.code == 0
    found = capsys.readouterr()
    assert found.err == f"note: 'mednext {old}' is now 'mednext {new}'\n"
    assert found.out == shown([*new.split(), "--help"], capsys)
    assert found.out.startswith("usage: mednext results")


def test_no_rule_target_or_text_names_a_retired_verb() -> None:
    root = Path(__file__).resolve().parents[2]
    pattern = re.compile(rf"(?:mednext |mednext\(\s*\")({'|'.join(RETIRED)})\b")
    files = [root / "Makefile", root / "README.md", root / "CONTRIBUTING.md"]
    for folder, ending in (("workflow", "*.smk"), ("docs", "*.md"), ("mednext", "*")):
        files += [f for f in (root / folder).rglob(ending) if f.suffix != ".pyc" and f.is_file()]
    files.remove(root / "docs/migration.md")  # which says what became of them
    assert len(files) > 200
    for file in files:
        found = pattern.findall(file.read_text())
        assert not found, (file, found)


def test_one_version_in_all_places(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(["--version"], capsys) == f"mednext {mednext.__version__}\n"
    root = Path(__file__).resolve().parents[2]
    assert f"\nversion: {mednext.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"\n## [{mednext.__version__}]" in (root / "CHANGELOG.md").read_text()


def test_help_needs_neither_pydantic_nor_torch() -> None:
    code = "import sys, mednext.cli as c\nc.parser().format_help()\n"
    code += "sys.exit(bool({'torch', 'pydantic', 'pandas', 'yaml'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("verb", "choice"),
    [
        ("datasets split", "overlap_out"),
        ("results explain", "fig7"),
        ("predict", "best_test"),
        ("plan", "h100"),
        ("latency", "compiled"),
    ],
)
def test_the_help_of_a_verb_lists_choices(
    verb: str, choice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choice in shown([*verb.split(), "--help"], capsys)
