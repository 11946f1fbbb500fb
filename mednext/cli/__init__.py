"""The command line: one verb per step of the pipeline, thin over the library.

Each module registers the verbs of one part of the pipeline and imports what is heavy only when a
verb runs. Exit codes: 0 done (also when a training ended as a ``failed`` row), 1 what a verb found
is bad (``gate``, ``doctor``); with one message 2 bad input, 3 nothing can be written, 4 no memory,
5 no GPU, 130 interrupted, 143 stopped by SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mednext.cli import audit, cost, datasets, doctor, gate, models, plan, render, runs
from mednext.cli.failures import explained
from mednext.cli.stop import orderly_stop
from mednext.cost.allocator import keep_freed_memory

PARTS = (datasets, models, runs, cost, audit, render, gate, plan, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; bad input becomes one message on stderr and exit code 2."""
    arguments = parser().parse_args(argv)
    keep_freed_memory()
    try:
        with orderly_stop():
            return arguments.handler(arguments) or 0
    except (Exception, KeyboardInterrupt) as error:
        found = explained(error)
        if found is None:
            raise
        message, code = found
        print(f"error: {message}", file=sys.stderr)
        return code


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    top = argparse.ArgumentParser(
        prog="mednext", description="Benchmark of the 2D MedNeXt and MedUNeXt of PLoS One 2026"
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for part in PARTS:
        part.register(verbs)
    return top
