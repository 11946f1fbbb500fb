"""The rule ``gate`` of the workflow on made-up results: it passes, fails, and shows why."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mednext.results import CostRow, MetricRow, ProbeRow, write_rows
from tests.report.made_up import cost_rows, metric_row

from ..checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, accuracy: float) -> None:
    rows = [metric_row(seed=s, value=accuracy + s / 100) for s in range(3)]
    nothing = dict.fromkeys(("ci_low", "ci_high", "n_cases", "n_groups"))
    rows.append(metric_row(metric="train_loss", target="train", value=0.3, **nothing))
    write_rows(folder / "metrics.csv", MetricRow, rows)
    write_rows(folder / "cost.csv", CostRow, cost_rows())
    probes = [ProbeRow(method="mednext", position=0, value=0.25)]
    write_rows(folder / "probes.csv", ProbeRow, probes)


def snakemake_gate(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Only this rule may run: the results are taken as they are."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    words = ["--cores", "1", *more, "--allowed-rules", "gate", "--", "gate"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path, "config")


def test_the_rule_fails_on_what_is_worse_and_keeps_the_findings(checkout: Path) -> None:
    write(checkout / "results/reference/demo", 0.90)
    write(checkout / "results/demo", 0.60)
    done = snakemake_gate(checkout)
    assert done.returncode != 0 and "WORSE" in done.stdout + done.stderr
    logs = checkout / "results/demo/logs"
    assert (logs / "gate.md").read_text().startswith("**gate: 1 worse")
    assert ET.parse(logs / "gate.xml").getroot().get("failures") == "1"
    assert "WORSE" in (logs / "gate.txt").read_text()
    assert not (checkout / "results/demo/gate.passed").exists()

    write(checkout / "results/demo", 0.90)
    done = snakemake_gate(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "results/demo/gate.passed").exists()

    # A new reference is a new comparison.
    write(checkout / "results/reference/demo", 0.99)
    assert snakemake_gate(checkout).returncode != 0


def test_a_profile_whose_kernels_do_not_repeat_gets_more_room(checkout: Path) -> None:
    config = checkout / "config/demo.yaml"
    for deterministic, mode in (("true", ""), ("false", "--nondeterministic")):
        text = config.read_text()
        config.write_text(
            re.sub("deterministic: (true|false)", f"deterministic: {deterministic}", text)
        )
        write(checkout / "results/reference/demo", 0.90)
        write(checkout / "results/demo", 0.90)
        done = snakemake_gate(checkout, "--dry-run", "--printshellcmds", "--forcerun", "gate")
        (command,) = [line for line in done.stdout.splitlines() if "mednext gate" in line]
        assert command.split("results/demo ")[1].startswith(f"{mode} --markdown"), command


def test_without_a_reference_there_is_no_pass(checkout: Path) -> None:
    write(checkout / "results/demo", 0.90)
    done = snakemake_gate(checkout)
    assert done.returncode != 0
    assert "results/reference/demo/metrics.csv" in done.stdout + done.stderr
