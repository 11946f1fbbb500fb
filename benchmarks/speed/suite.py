"""How long the suite itself takes: help, a dry run of the paper profile, a run with nothing to do.

The dry run is made with 1, 3 and 5 seeds to see whether it grows linearly. The run with nothing to
do needs a finished demo (``make results``). Run: make bench
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from side_by_side import Figure, publish

HELP_S, DRY_S, DRY_MIB, NOTHING_S = 0.4, 10.0, 400.0, 4.0
LINEAR = 1.5
"""Cost of a further job at 5 seeds over that at 3 that still counts as linear growth."""
DEMO = Path("results/demo/page/index.html")


@dataclass(frozen=True)
class Run:
    """One command."""

    seconds: float
    cpu: float
    """Seconds of CPU time, which a busy machine does not stretch as much."""
    mib: float
    """Resident memory at its peak."""
    said: str

    @property
    def jobs(self) -> int:
        """The total that Snakemake's table of jobs ends with."""
        found = re.search(r"^total\s+(\d+)", self.said, re.MULTILINE)
        return int(found.group(1)) if found else 0


def run(words: list[str]) -> Run:
    """Run a command and wait for it.

    Raises:
        RuntimeError: the command failed.
    """
    with tempfile.TemporaryFile("w+") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {said[-500:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu, usage.ru_maxrss / 1024, said)


def main() -> None:
    """Time in rounds and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1"]
    paper = yaml.safe_load(Path("config/paper.yaml").read_text(encoding="utf-8"))
    rows: list[dict[str, object]] = []
    figures = []

    def timed(what: str, words: list[str]) -> Run:
        found = run(words)
        rows.append(
            {
                "what": what,
                "seconds": round(found.seconds, 3),
                "cpu_seconds": round(found.cpu, 3),
                "peak_mib": round(found.mib, 1),
                "jobs": found.jobs,
            }
        )
        return found

    def seconds_figures(name: str, runs: list[Run], most: float) -> list[Figure]:
        return [
            Figure(name, [r.seconds for r in runs], most=most, unit="s"),
            Figure(f"{name}, CPU time", [r.cpu for r in runs], unit="s"),
        ]

    words = [sys.executable, "-m", "mednext", "--help"]
    helps = [timed("mednext --help", words) for _ in range(arguments.rounds * 3)]
    figures += seconds_figures("mednext --help", helps, HELP_S)
    dry: dict[int, list[Run]] = {1: [], 3: [], 5: []}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(arguments.rounds):
            for seeds, found in dry.items():
                file = Path(scratch) / f"seeds{seeds}.yaml"
                file.write_text(yaml.safe_dump({**paper, "seeds": list(range(seeds))}))
                words = [*snakemake, "-n", "-q", "rules", "--configfile", str(file)]
                found.append(timed(f"snakemake -n, paper profile, {seeds} seeds", words))
    name = f"snakemake -n, paper profile, 5 seeds ({dry[5][0].jobs} jobs)"
    figures += seconds_figures(name, dry[5], DRY_S)
    figures.append(
        Figure(f"{name}, peak memory", [r.mib for r in dry[5]], most=DRY_MIB, unit="MiB")
    )
    further = [
        (five.cpu - three.cpu)
        / (five.jobs - three.jobs)
        * (three.jobs - one.jobs)
        / max(three.cpu - one.cpu, 1e-3)
        for one, three, five in zip(dry[1], dry[3], dry[5], strict=True)
    ]
    figures.append(
        Figure("CPU time per further job, 3 to 5 seeds / 1 to 3 seeds", further, most=LINEAR)
    )
    if DEMO.is_file():
        nothing = [timed("snakemake, nothing to do", snakemake) for _ in range(arguments.rounds)]
        if any("Nothing to be done" not in r.said for r in nothing):
            raise RuntimeError("the demo was not finished; run make results first")
        figures += seconds_figures("snakemake with nothing to do", nothing, NOTHING_S)
    else:
        print(f"skipped: snakemake with nothing to do needs {DEMO} (make results)")
    publish("suite", figures, rows)


if __name__ == "__main__":
    main()
