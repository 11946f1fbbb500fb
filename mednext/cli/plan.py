"""``mednext plan``: what a profile will take, before anything starts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mednext.cli.common import Later, Verbs, add_verb, profile_of


def register(verbs: Verbs) -> None:
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
    plan.add_argument("--gpu-hours", type=Path, help="write the table of hours per GPU, too")
    plan.add_argument(
        "--gpu",
        choices=Later(_gpus),
        metavar="GPU",
        default="h100",
        help="one of %(choices)s (benchmarks/gpus.yaml): whose hours the rows are where a profile "
        "wants a GPU that is not here (default: h100)",
    )


def _gpus() -> tuple[str, ...]:
    from mednext.config import load_gpus

    return tuple(load_gpus())


def _plan(arguments: argparse.Namespace) -> None:
    import torch

    from mednext.config import load_gpus
    from mednext.files import write_text
    from mednext.planning import roofline
    from mednext.planning.backtest import against_text, compare
    from mednext.planning.estimate import Clock, Kept
    from mednext.planning.format import text
    from mednext.planning.plan import plan
    from mednext.results import PlanRow, write_rows

    profile = profile_of(arguments)
    kept = Kept(profile)
    if profile.device == "cuda" and not torch.cuda.is_available():
        gpu = load_gpus()[arguments.gpu]
        timing = roofline.timing(profile, gpu, kept.work, kept.cost)
        done = plan(profile, timing, roofline.STARTUP_SECONDS, kept.disk_bytes_per_second)
        name = f"an {gpu.name}, which is NOT here: by a roofline, one training after the other"
        print(text(done, name, arguments.cores))
    else:
        clock = Clock(profile, arguments.seconds)
        done = plan(profile, clock.timing, clock.startup_seconds, clock.disk_bytes_per_second)
        print(text(done, clock.device_name, arguments.cores, clock.age))
    if profile.device == "cuda":
        table = roofline.roofline_text(done, kept.work)
        print("\n" + table)
        if arguments.gpu_hours:
            write_text(arguments.gpu_hours, table + "\n")
    if arguments.against:
        print("\n" + against_text(*compare(profile, done.rows, arguments.against)))
    if arguments.out:
        write_rows(arguments.out, PlanRow, done.rows)
