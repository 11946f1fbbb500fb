"""What users copy: the GitHub Actions workflow, the Makefile's targets, the measured spread."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.config import load_profile
from mednext.gate.rules import load_rules
from mednext.gate.seed_spread import FEWEST_SEEDS
from mednext.results import Metric
from mednext.runs.resolve import resolve_runs

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "gate.yml"


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    # YAML 1.1 reads the key "on" as true.
    content = yaml.safe_load(WORKFLOW.read_text())
    assert set(content[True]) == {"push", "pull_request"}
    assert content["permissions"] == {"contents": "read", "pull-requests": "write"}
    (job,) = content["jobs"].values()
    assert job["timeout-minutes"] <= 60
    return list(job["steps"])


def test_the_workflows_commands_are_those_of_the_readme(steps: list[dict[str, Any]]) -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    made = [s["run"] for s in steps if s.get("run", "").startswith("make ")]
    assert made == ["make results", "make gate"]
    for command in made:
        assert command in readme
        assert re.search(rf"^{command.removeprefix('make ')}:.*##", makefile, re.M)


def test_the_workflow_shows_what_the_rule_writes(steps: list[dict[str, Any]]) -> None:
    rule = (ROOT / "workflow" / "rules" / "gate.smk").read_text()
    profile = load_profile(ROOT / "config" / "demo.yaml").profile
    for ending in ("md", "xml", "txt"):
        assert f'f"{{LOGS}}/gate.{ending}"' in rule
    for step in steps:
        for file in re.findall(r"results/(\w+)/logs/gate\.", str(step)):
            assert file == profile
    # A failed gate must not hide its findings, nor be hidden by them.
    order = [s.get("run", "") + str(s.get("uses", "")) for s in steps]
    gate = order.index("make gate")
    assert all("always()" in s["if"] for s in steps[gate + 1 :])
    assert not any("continue-on-error" in s for s in steps)
    actions = [s["uses"] for s in steps if "uses" in s]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in actions)


def test_the_python_of_the_workflow_is_the_projects(steps: list[dict[str, Any]]) -> None:
    (setup,) = [s for s in steps if "setup-python" in s.get("uses", "")]
    makefile = (ROOT / "Makefile").read_text()
    assert f"PYTHON ?= python{setup['with']['python-version']}" in makefile
    assert (ROOT / setup["with"]["cache-dependency-path"]).is_file()


def test_the_seeds_are_those_of_the_demo_and_more() -> None:
    demo, seeds = (load_profile(ROOT / "config" / f"{n}.yaml") for n in ("demo", "demo_seeds"))
    assert set(demo.seeds) < set(seeds.seeds) and len(seeds.seeds) >= FEWEST_SEEDS
    other = {"profile", "seeds", "figures"}
    parts = [profile.model_dump(exclude=other) for profile in (demo, seeds)]
    for part in parts:
        for entry in part["datasets"].values():
            del entry["extra_runs"]
    assert parts[0] == parts[1]
    settings = [{run.setting_hash for run in resolve_runs(profile)} for profile in (demo, seeds)]
    assert settings[0] == settings[1]


def test_each_gated_metric_has_a_rule_with_a_direction() -> None:
    rules = load_rules()
    assert set(rules.metrics) == set(Metric)
    for metric, rule in rules.metrics.items():
        worse_when_large = metric in ("ece", "brier", "train_loss") or metric.startswith("hd95")
        assert rule.direction == ("lower" if worse_when_large else "higher")
