"""The second wave: its protocol came before its runs, its values come from what is committed."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = "docs/protocol_wave2.md"


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def made_before(repository: Path, commits: set[str]) -> set[str]:
    """Those of ``commits`` that the protocol's first commit is no ancestor of."""
    written = git(repository, "log", "--diff-filter=A", "--format=%H", "--", PROTOCOL)
    later = git(repository, "rev-list", "--all", "--ancestry-path", f"{written}..").split()
    return commits - {written, *later}


def test_a_run_made_before_the_protocol_is_found(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    commits = []
    for name in ("code", PROTOCOL, "more"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        git(tmp_path, "add", "-A")
        git(tmp_path, *who, "commit", "-qm", name)
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
    assert made_before(tmp_path, set(commits)) == {commits[0]}
    assert made_before(tmp_path, {"0" * 40}) == {"0" * 40}


def test_every_committed_run_was_made_after_it() -> None:
    records = sorted((ROOT / "results/reference").glob("wave2_*/runs/*/*/*/*/run.json"))
    if not records:
        pytest.skip("no run of the second wave is committed yet")
    found = [json.loads(record.read_text()) for record in records]
    assert not any(run["git_dirty"] for run in found)
    assert not made_before(ROOT, {run["git_commit"] for run in found})


def test_the_committed_accuracy_is_that_of_the_committed_predictions() -> None:
    rows = _committed("accuracy", "disease")
    assert rows
    for folder, row in rows:
        cases = _cases(folder, row)
        right = [case["label"] == case["prediction"] for case in cases]
        assert float(row["value"]) == pytest.approx(sum(right) / len(right), abs=1e-12), row
        assert int(row["n_cases"]) == len(right)


def test_the_committed_dice_is_that_of_the_committed_counts() -> None:
    rows = [
        found for organ in ("rv", "myo", "lv") for found in _committed("dice", organ, "transunet")
    ]
    assert rows
    for folder, row in rows:
        values = [_dice(case) for case in _cases(folder, row) if case["organ"] == row["target"]]
        assert float(row["value"]) == pytest.approx(sum(values) / len(values), abs=1e-12), row
        assert int(row["n_cases"]) == len(values)


def _dice(case: dict[str, str]) -> float:
    """As TransUNet's ``calculate_metric_percase`` gives it: 1 for an organ only predicted."""
    tp, fp, fn = (int(case[column]) for column in ("tp", "fp", "fn"))
    if tp + fp and tp + fn:
        return 2 * tp / (2 * tp + fp + fn)
    return 1.0 if tp + fp else 0.0


def _committed(metric: str, target: str, policy: str = "") -> list[tuple[Path, dict[str, str]]]:
    """Rows of both waves' results on test cases as they are, each with its profile's folder."""
    wanted = (metric, target, policy, "")
    found = []
    reference = ROOT / "results/reference"
    for file in [reference / "reduced/metrics.csv", *sorted(reference.glob("wave2_*/metrics.csv"))]:
        with file.open() as stream:
            found += [
                (file.parent, row)
                for row in csv.DictReader(stream)
                if (row["metric"], row["target"], row["policy"], row["condition"]) == wanted
            ]
    return found


def _cases(folder: Path, row: dict[str, str]) -> list[dict[str, str]]:
    name = f"{row['dataset']}/{row['protocol']}/{row['method']}/seed{row['seed']}"
    with gzip.open(folder / "runs" / name / f"cases.{row['selection']}.csv.gz", "rt") as stream:
        return list(csv.DictReader(stream))
