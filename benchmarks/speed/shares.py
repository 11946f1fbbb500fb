"""What share of a finished profile went into other things than training and evaluation.

Read from the times of each job that Snakemake keeps below ``.snakemake/metadata``; nothing is run.
Seconds are summed over jobs, so that jobs side by side count twice, as their cores do.
Run: make bench, after make results. ``--checkout`` names another one's results.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from side_by_side import Figure, publish

MOST_ELSEWHERE = 0.25
MINUTES = {"demo": 8.0, "smoke": 12.0}
ESSENTIAL = ("train_classification", "train_segmentation", "predict", "evaluate")


@dataclass(frozen=True)
class Job:
    """One job that ended."""

    rule: str
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """By the wall clock."""
        return self.ended - self.begun


def jobs_of(checkout: Path, profile: str) -> list[Job]:
    """The last jobs that made files of ``results/<profile>``, of its data, and of the audit.

    A job of several outputs has a record per output, with times that differ by a trifle.

    Raises:
        FileNotFoundError: no job of the profile is on record.
    """
    records = []
    for file in sorted((checkout / ".snakemake" / "metadata").rglob("*")):
        if file.is_file():
            output = base64.b64decode(_name(file)).decode()
            records.append((output, json.loads(file.read_text(encoding="utf-8"))))
    sources = sources_of(checkout / "results" / profile)
    wanted = (f"results/{profile}/", "results/audit/", *(f"data/{s}/" for s in sources))
    found: dict[str, Job] = {}
    for output, record in records:
        if output.startswith(wanted) and (checkout / output).exists() and record["endtime"]:
            job = Job(record["rule"], record["starttime"], record["endtime"])
            found[record["shellcmd"]] = job
    if not any(job.rule in ESSENTIAL for job in found.values()):
        raise FileNotFoundError(f"no training of profile '{profile}' on record in {checkout}")
    return sorted(found.values(), key=lambda job: job.begun)


def _name(file: Path) -> str:
    """The name of a record; Snakemake cuts a long one into folders that begin with an @."""
    parts = [file.name]
    for folder in file.parents:
        if not folder.name.startswith("@"):
            break
        parts.append(folder.name[1:])
    return "".join(reversed(parts))


def sources_of(results: Path) -> set[str]:
    """The ids of the sources that the runs of a results folder were trained on."""
    records = results.glob("runs/*/*/*/seed*/run.json")
    return {json.loads(file.read_text())["config"]["source_id"] for file in records}


def elsewhere(jobs: Iterable[Job]) -> float:
    """The share of the jobs' seconds outside training and evaluation."""
    jobs = list(jobs)
    total = sum(job.seconds for job in jobs)
    return sum(job.seconds for job in jobs if job.rule not in ESSENTIAL) / total


def main() -> None:
    """Print the share and the span beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--checkout", type=Path, default=Path())
    arguments = parser.parse_args()
    try:
        jobs = jobs_of(arguments.checkout, arguments.profile)
    except FileNotFoundError as error:
        print(f"skipped: {error} (make results)")
        return
    span = (max(job.ended for job in jobs) - min(job.begun for job in jobs)) / 60
    name = arguments.profile
    figures = [
        Figure(
            f"{name}, share outside training and evaluation",
            [elsewhere(jobs)],
            most=MOST_ELSEWHERE if name == "demo" else None,
            unit="",
            note=f"{len(jobs)} jobs",
        ),
        Figure(f"{name}, first job to last", [span], most=MINUTES.get(name), unit="min"),
    ]
    rules = sorted({job.rule for job in jobs})
    rows: list[dict[str, object]] = [
        {
            "rule": rule,
            "jobs": sum(job.rule == rule for job in jobs),
            "seconds": round(sum(job.seconds for job in jobs if job.rule == rule), 1),
            "counted": "training and evaluation" if rule in ESSENTIAL else "elsewhere",
        }
        for rule in rules
    ]
    for row in sorted(rows, key=lambda row: -float(str(row["seconds"]))):
        print(f"{row['seconds']:>8} s in {row['jobs']:3} x {row['rule']} ({row['counted']})")
    publish("shares" if name == "demo" else f"shares_{name}", figures, rows)


if __name__ == "__main__":
    main()
