"""``mednext cost``: what the methods cost."""

from __future__ import annotations

import argparse
from pathlib import Path

from mednext.cli.common import Verbs, add_verb


def register(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    cost = add_verb(verbs, "cost", "params and GMACs of the methods", _cost, config=False)
    cost.add_argument("--out", type=Path, required=True, help="the cost.csv to write")
    cost.add_argument("--methods", nargs="*", help="default: all")
    cost.add_argument("--cross-check", action="store_true", help="count with fvcore, ptflops too")


def _cost(arguments: argparse.Namespace) -> None:
    from mednext.cost.complexity import write_costs

    write_costs(arguments.out, arguments.methods or None, cross_check=arguments.cross_check)
