"""The site builds without a warning, and each block of code in the documentation runs in a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ..checkout import copy_checkout, in_shell

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"", "bash", "console", "python", "yaml"}
FOLLOWED = {
    "README.md": "tests/workflow/test_readme.py",
    "CONTRIBUTING.md": ".ci/run",
    "docs/tutorial.md": "tests/release/test_docs.py",
    "docs/your-own.md": "tests/workflow/test_readme.py",
    "docs/adding-a-method.md": "tests/models/test_adding_a_method.py",
    "docs/networks.md": "tests/release/test_networks.py",
    "docs/score.md": "tests/cli/test_score.py",
    "docs/conditions.md": "tests/cli/test_documented.py",
    "docs/subgroups.md": "tests/cli/test_documented.py",
    "docs/cluster.md": "tests/cluster/test_profiles.py",
    "docs/data.md": "tests/release/test_docs.py",
    "docs/gpu.md": "tests/planning/test_hour.py",
}
"""Page with code -> where it is run."""


def blocks(page: str, kinds: set[str] = RUN) -> list[tuple[str, str]]:
    """Language and content of each fenced block."""
    return [b for b in BLOCK.findall((ROOT / page).read_text()) if b[0] in kinds]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository's workflow and profiles."""
    return copy_checkout(tmp_path, "config")


def test_every_page_with_code_is_followed_by_a_test() -> None:
    pages = ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
    assert {page for page in pages if blocks(page)} == set(FOLLOWED)
    for page, test in FOLLOWED.items():
        assert (ROOT / test).is_file(), page


def test_the_site_builds_without_a_warning_and_asks_no_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {"tutorial.html", "findings.html", "commands.html", "python.html"} <= {
        p.name for p in pages
    }
    source = r'<(?:script|img|iframe)[^>]+src="(https?:)?//'
    style = r'<link[^>]+rel="(?:stylesheet|preload)"[^>]+href="(https?:)?//'
    loaded = re.compile(f"{source}|{style}")
    assert [p.name for p in pages if loaded.search(p.read_text())] == []
    commands = (tmp_path / "site/commands.html").read_text()
    from mednext.cli import GROUPS

    assert all(f"mednext {verb}" in commands for verbs in GROUPS.values() for verb in verbs)


@pytest.mark.slow
def test_the_tutorial_followed_to_the_letter(checkout: Path) -> None:
    text = (ROOT / "docs/tutorial.md").read_text()
    session = []
    for language, block in BLOCK.findall(text):
        if "make setup" in block:
            continue  # the tests run inside what it makes
        name = re.match(r"# (\S+\.(?:py|yaml))\n", block)
        if name:
            (checkout / name[1]).write_text(block)
        elif language == "python":
            session.append(f"python - <<'END'\n{block}END")
        else:
            session.append(block)
    said = in_shell(checkout, "\n".join(session))
    table = pd.read_csv(checkout / "results/tutorial/tables/custom.my_scans.csv")
    assert set(table.method) == {"my_net", "resnet18"} and set(table.status) == {"ok"}
    assert set(table.protocol) == {"paper", "grouped"} and "mcnemar" in said
    assert (checkout / "results/audit/report.html").is_file()


def test_the_command_of_a_sweep_plans_its_jobs(checkout: Path) -> None:
    """Its jobs need hours: here they are planned, by the same words."""
    local = os.environ.get("MEDNEXT_LOCAL")
    if local is None:
        pytest.skip("needs real data (MEDNEXT_LOCAL)")
    for _, block in blocks("docs/data.md"):
        for command in block.splitlines():
            command = command.replace("/path/to/data", f"'{local}'")
            make = re.fullmatch(r"(.*)make results CONFIG=(\S+)", command)
            assert make is not None
            # what the target calls
            command = f"{make[1]}snakemake --cores all --configfile {make[2]}"
            said = in_shell(checkout, f"{command} --dry-run")
            assert "Job stats" in said and "medunext" in said
