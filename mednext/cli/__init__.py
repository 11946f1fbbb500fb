"""The command line: one verb per step of the pipeline, thin over the library.

Each module registers the verbs of one part of the pipeline and imports what is heavy only when a
verb runs. Exit codes: 0 done (also when a training ended as a ``failed`` row), 1 what a verb found
is bad (``gate``, ``doctor``), 2 bad input, 3 no room to write (the last two with one message).
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from mednext.cli import audit, cost, datasets, doctor, gate, models, plan, render, runs
from mednext.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PARTS = (datasets, models, runs, cost, audit, render, gate, plan, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; bad input becomes one message on stderr and exit code 2."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.handler(arguments) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        full = UserError(
            "a file could not be written",
            file=error.filename,
            found=error.strerror,
            remedy="make room on this disk and repeat the command; nothing finished is lost",
        )
        print(f"error: {full}", file=sys.stderr)
        return 3


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    top = argparse.ArgumentParser(
        prog="mednext", description="Benchmark of the 2D MedNeXt and MedUNeXt of PLoS One 2026"
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for part in PARTS:
        part.register(verbs)
    return top
