"""``mednext audit``: check the printed numbers of a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from mednext.cli.common import Verbs, add_verb


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    audit = add_verb(verbs, "audit", "check a paper's printed numbers", _audit, config=False)
    audit.add_argument("--paper", type=Path, help="folder with audit.yaml and the tables")
    audit.add_argument("--cost", type=Path, help="a cost.csv to compare printed costs with")
    audit.add_argument("--out", type=Path, default=Path("results/audit"))
    steps = audit.add_subparsers(metavar="STEP")
    text = "measure how two methods' results go together, from the runs of a results folder"
    agreement = add_verb(steps, "agreement", text, _agreement, config=False)
    agreement.add_argument("results", type=Path, help="for example results/reference/reduced")
    agreement.add_argument("--write", type=Path, required=True, help="the agreement.csv to write")


def _audit(arguments: argparse.Namespace) -> None:
    from mednext.audit.run import audit
    from mednext.audit.text import summary
    from mednext.audit.write import write_audit
    from mednext.config import benchmarks_dir

    done = audit(arguments.paper or benchmarks_dir() / "reported", arguments.cost)
    write_audit(done, arguments.out)
    print(summary(done))


def _agreement(arguments: argparse.Namespace) -> None:
    from mednext.analysis.agreement import write_agreement

    write_agreement(arguments.results, arguments.write)
