"""Both cluster profiles with the whole matrix of the paper: every job knows what it needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..checkout import copy_checkout, in_shell

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/cluster.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = {line.rpartition("/")[2]: line for line in "".join(BLOCKS).splitlines()}
"""Name of a profile -> the command of the page."""


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_dry_run_of_the_paper_profile(name: str, tmp_path: Path) -> None:
    assert set(COMMANDS) == {"slurm", "kubernetes"}
    command = COMMANDS[name].replace("registry/mednext:tag", "registry.example/mednext:1")
    said = in_shell(copy_checkout(tmp_path, "config"), f"{command} --dry-run")
    jobs = re.split(r"\n(?=\s*(?:local)?rule )", said)
    trainings = [job for job in jobs if re.match(r"\s*rule train_", job)]
    assert len(trainings) == 435
    for job in trainings:
        assert "gpu=1" in job
        assert "mem_mb=12000" in job and "runtime=720" in job
    # What runs a network gets a GPU, what only counts does not hold one.
    for rule, count, gpus in (
        ("predict", 435, 1),
        ("evaluate", 435, 0),
        ("browse", 10, 1),
        ("explain_", 5, 1),
        ("signal", 1, 1),
        ("metrics", 1, 0),
    ):
        found = [job for job in jobs if re.match(rf"\s*rule {rule}", job)]
        assert len(found) == count, rule
        assert sum("gpu=1" in job for job in found) == count * gpus, rule
    # Sixteen runs share a submission.
    for group in ("predictions", "evaluations"):
        assert said.count(f"roup job {group}") == -(-435 // 16)
