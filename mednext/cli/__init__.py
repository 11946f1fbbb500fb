"""The command line: one verb per step of the pipeline, thin over the library.

Each module registers the verbs of one part of the pipeline and imports what is heavy only when a
verb runs. Exit codes: 0 done (also when a training ended as a ``failed`` row), 1 what a verb found
is bad (``gate``, ``doctor``); with one message 2 bad input, 3 nothing can be written, 4 no memory,
5 no GPU, 70 a fault of the suite, 130 interrupted, 143 stopped by SIGTERM.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from mednext import __version__
from mednext.cli import audit, cost, datasets, doctor, gate, models, plan, render, runs, score
from mednext.cli.failures import explained, fault
from mednext.cli.stop import orderly_stop
from mednext.cost.allocator import keep_freed_memory

GROUPS = {
    "data": ("datasets", "doctor"),
    "train": ("models", "train", "predict", "evaluate", "cost", "latency"),
    "results": ("results", "score"),
    "report": ("tables", "figures", "page"),
    "audit": ("audit",),
    "gate": ("gate",),
    "cluster": ("plan",),
}
"""Heading of the help -> the verbs under it."""
RETIRED = {
    "explain": "results explain",
    "browse": "results browse",
    "losses": "results collect",
    "spread": "results spread",
    "findings": "results findings",
    "leakage": "results leakage-report",
}
"""Verbs of version 0.1, which run until 0.3 -> their names now."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; bad input becomes one message on stderr and exit code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in RETIRED:
        now = RETIRED[words[0]]
        print(f"note: 'mednext {words[0]}' is now 'mednext {now}'", file=sys.stderr)
        words[:1] = now.split()
    arguments = parser().parse_args(words)
    keep_freed_memory()
    try:
        with orderly_stop():
            return arguments.handler(arguments) or 0
    except (Exception, KeyboardInterrupt) as error:
        found = explained(error)
        message, code = found if found is not None else fault(error)
        print(f"error: {message}", file=sys.stderr)
        return code


class Parser(argparse.ArgumentParser):
    """Names the nearest word where an unknown one was typed; subparsers are of this class, too."""

    def error(self, message: str) -> NoReturn:
        """Print the message with the nearest word, and exit with code 2."""
        typed = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        known = re.findall(r"[\w-]+", typed[2]) if typed else []
        close = difflib.get_close_matches(typed[1], known, n=1) if typed else []
        super().error(f"{message}; did you mean '{close[0]}'?" if close else message)


def parser() -> Parser:
    """The parser of all verbs."""
    top = Parser(
        prog="mednext",
        description="Benchmark of the 2D MedNeXt and MedUNeXt of PLoS One 2026",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mednext {__version__}")
    verbs = top.add_subparsers(required=True, metavar="VERB", help="one of these:")
    results = verbs.add_parser("results", description="gather, exchange and explain results")
    kinds = results.add_subparsers(required=True, metavar="WHAT")
    for part in (datasets, models, cost, audit, plan, doctor, score):
        part.register(verbs)
    for both in (runs, render, gate):
        both.register(verbs, kinds)
    verbs._choices_actions.clear()  # listed below, in groups
    lines = []
    for heading, names in GROUPS.items():
        lines += [f"{heading}:", *(f"  {n:12}{verbs.choices[n].description}" for n in names), ""]
    top.epilog = "\n".join([*lines, "mednext VERB --help says more."])
    return top
