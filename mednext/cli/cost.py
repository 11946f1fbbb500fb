"""``mednext cost`` and ``mednext latency``: what the methods cost."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mednext.cli.common import Verbs, add_verb

DTYPES = ("fp32", "tf32", "bf16")


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    cost = add_verb(verbs, "cost", "params and GMACs of the methods", _cost, config=False)
    cost.add_argument("--out", type=Path, required=True, help="the cost.csv to write")
    cost.add_argument("--methods", nargs="*", help="default: all")
    text = "count with fvcore and ptflops, too, and follow the memory of a training step (minutes)"
    cost.add_argument("--full", action="store_true", help=text)
    latency = add_verb(verbs, "latency", "how long the methods take", _latency, config=False)
    latency.add_argument("--out", type=Path, required=True, help="the latency.csv to write")
    latency.add_argument("--methods", nargs="*", help="default: all")
    latency.add_argument("--devices", nargs="*", choices=("cpu", "cuda"), help="default: all")
    latency.add_argument(
        "--modes",
        nargs="*",
        choices=("eager", "compiled", "folded"),
        help="default: all on a GPU, eager on a CPU",
    )
    latency.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    latency.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    latency.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    latency.add_argument("--img-size", type=int, default=224)
    latency.add_argument("--rounds", type=int, default=3)
    latency.add_argument("--repeats", type=int, default=10, help="timed runs per round")


def _cost(arguments: argparse.Namespace) -> None:
    from mednext.cost.complexity import write_costs

    write_costs(arguments.out, arguments.methods or None, full=arguments.full)


def _latency(arguments: argparse.Namespace) -> None:
    from mednext.cost.latency import make_plan, write_latency

    plan = make_plan(
        arguments.methods,
        arguments.devices,
        arguments.modes,
        arguments.dtypes,
        arguments.batches,
        arguments.threads,
        arguments.img_size,
        arguments.rounds,
        arguments.repeats,
    )
    write_latency(arguments.out, plan)
