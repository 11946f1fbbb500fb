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
    text = "tables of HTML, JATS XML, LaTeX, Markdown, CSV or .xlsx as CSVs and an audit.yaml"
    draft = add_verb(steps, "draft", text, _draft, config=False)
    draft.add_argument("source", type=Path)
    draft.add_argument("--write", type=Path, required=True, help="the folder to write into")
    for name in ("positive", "negative", "cases"):
        draft.add_argument(f"--{name}", type=int, help=f"{name} of the test set, if known")
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


def _draft(arguments: argparse.Namespace) -> None:
    from mednext.audit.draft.write import Sizes, draft

    sizes = Sizes(arguments.positive, arguments.negative, arguments.cases)
    tables = draft(arguments.source, arguments.write, sizes)
    for number, table in enumerate(tables, start=1):
        known = ", ".join(c.metric for c in table.columns if c.metric) or "no metric"
        print(f"table {number}: {len(table.slugs)} rows; {known}")
        for ask in table.asks:
            print(f"  ASK: {ask}")
    print(f"answer the lines with ASK in {arguments.write / 'audit.yaml'}, then run:")
    print(
        f"  python -m mednext audit --paper {arguments.write} --out {arguments.write / 'results'}"
    )
