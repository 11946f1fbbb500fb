"""``mednext plan``: what a profile will take, before anything starts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mednext.cli.common import Verbs, add_verb, profile_of


def register(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    text = "jobs, hours, disk, downloads and credentials of a profile before it starts"
    plan = add_verb(verbs, "plan", text, _plan)
    plan.add_argument("--out", type=Path, help="write the rows as CSV, too")
    plan.add_argument(
        "--against",
        type=Path,
        metavar="RESULTS",
        help="compare with what the finished runs of this folder (results/<profile>) took",
    )
    plan.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="for the wall time")
    plan.add_argument(
        "--seconds",
        type=float,
        default=25.0,
        help="how long to measure this device; what is not measured by then is derived, and "
        "measured when the same is asked again",
    )
    plan.add_argument(
        "--gpu-gmacs",
        type=float,
        help="fp32 GMACs per second of a large matrix product on the GPU to plan for, where there "
        "is none here (default: that of benchmarks/gpus.yaml)",
    )


def _plan(arguments: argparse.Namespace) -> None:
    from mednext.planning.estimate import Clock
    from mednext.planning.format import text
    from mednext.planning.plan import plan
    from mednext.planning.validate import against_text, compare
    from mednext.results import PlanRow, write_rows

    profile = profile_of(arguments)
    at_once = max(1, arguments.cores // profile.threads)
    clock = Clock(profile, arguments.seconds, arguments.gpu_gmacs, at_once)
    done = plan(profile, clock.timing, clock.startup_seconds, clock.disk_bytes_per_second)
    print(text(done, clock.device_name, arguments.cores, clock.age))
    if arguments.against:
        print("\n" + against_text(*compare(profile, done.rows, arguments.against)))
    if arguments.out:
        write_rows(arguments.out, PlanRow, done.rows)
