"""Run all checks on one device, write what was found, fail if anything is wrong."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mednext.cost.gpu_state import gpu_state
from mednext.files import write_json, write_text
from mednext.planning.gpu_check import numbers, repeat, throughput
from mednext.planning.gpu_check.numbers import Found
from mednext.planning.gpu_check.scale import TINY, Scale, full
from mednext.provenance import machine, versions

NO_GPU = 5
"""Exit code where there is none; as of the other verbs."""
Check = Callable[[str, Scale], Iterator[Found]]
CHECKS: dict[str, Check] = {
    "peaks": numbers.peaks,
    "steps": numbers.steps,
    "parity": numbers.parity,
    "deterministic": repeat.deterministic,
    "resume": repeat.resume,
    "speed": throughput.speed,
    "packing": throughput.packing,
}


def rows_of(name: str, device: str, scale: Scale) -> list[dict[str, Any]]:
    """All that one check looked at; what it raises ends it and is a failure itself."""
    rows: list[dict[str, Any]] = []
    begun = time.perf_counter()

    def add(subject: str, values: dict[str, Any], problem: str | None) -> None:
        nonlocal begun
        now = time.perf_counter()
        status = "ok" if problem is None else "failed"
        row = {"check": name, "subject": subject, "status": status, "reason": problem}
        rows.append({**row, "seconds": round(now - begun, 2), "values": values})
        begun = now

    try:
        for found in CHECKS[name](device, scale):
            add(*found)
    except Exception as error:  # whatever it is, the other checks go on
        traceback.print_exc()
        add("(stopped)", {}, f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
    return rows


def as_markdown(found: dict[str, Any]) -> str:
    """The same for people: what failed first, then one table per check."""
    failed = [row for row in found["checks"] if row["status"] == "failed"]
    out = [
        f"# GPU check: {'passed' if not failed else f'{len(failed)} failures'}",
        "",
        f"{found['device']} in {found['seconds']:.0f} s; " + ", ".join(map(str, found["versions"])),
        "",
    ]
    out += [f"- FAILED {row['check']}, {row['subject']}: {row['reason']}" for row in failed]
    for name in dict.fromkeys(row["check"] for row in found["checks"]):
        out += ["", f"## {name}", "", "| subject | status | s | values |", "|---|---|---|---|"]
        for row in found["checks"]:
            if row["check"] == name:
                values = ", ".join(f"{key} {value}" for key, value in row["values"].items())
                out.append(f"| {row['subject']} | {row['status']} | {row['seconds']} | {values} |")
    return "\n".join(out) + "\n"


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 0: all is right; 1: something is not; 5: there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m mednext.planning.gpu_check")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    text = "cpu tries the checks themselves, at tiny sizes; cuda checks the GPU"
    parser.description = text
    parser.add_argument("--out", type=Path, default=Path("results/gpu"))
    parser.add_argument("--only", nargs="+", choices=tuple(CHECKS), default=list(CHECKS))
    arguments = parser.parse_args(words)
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        print("error: no CUDA device found: nothing was checked", file=sys.stderr)
        return NO_GPU
    begun = time.perf_counter()
    scale = full() if device == "cuda" else TINY
    checks = []
    for name in arguments.only:
        checks += rows_of(name, device, scale)
        bad = sum(row["status"] == "failed" for row in checks)
        print(f"{time.perf_counter() - begun:6.0f} s  {name}, {bad} failures so far", flush=True)
    found = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "versions": [f"{name} {version}" for name, version in versions().items()],
        "cuda": torch.version.cuda,
        "machine": machine(),
        "gpu": gpu_state() if device == "cuda" else None,
        "seconds": round(time.perf_counter() - begun, 1),
        "checks": checks,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "check.json", found)
    write_text(arguments.out / "check.md", as_markdown(found))
    return int(any(row["status"] == "failed" for row in checks))


if __name__ == "__main__":
    raise SystemExit(main())
