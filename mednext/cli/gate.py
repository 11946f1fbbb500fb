"""``mednext gate``, ``mednext results spread``: are results worse than a reference's?"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from mednext.cli.common import Verbs, add_verb


def register(verbs: Verbs, kinds: Verbs) -> None:
    """Add the verbs of this module, to those of ``mednext`` and of ``mednext results``."""
    text = "compare results with a reference: 0 passed, 1 worse, 2 not comparable"
    gate = add_verb(verbs, "gate", text, _gate, config=False)
    gate.add_argument("reference", type=Path, help="results/reference/<profile>")
    gate.add_argument("new", type=Path, help="results/<profile>")
    gate.add_argument("--rules", type=Path, help="default: benchmarks/gate.yaml")
    gate.add_argument(
        "--nondeterministic", action="store_true", help="the kernels do not repeat their sums"
    )
    gate.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="DATASET[/PROTOCOL[/METHOD]]",
        help="compare these cells alone (may be repeated)",
    )
    gate.add_argument("--all", action="store_true", help="show informational metrics, too")
    gate.add_argument("--markdown", type=Path, help="write a table for a pull request")
    gate.add_argument("--junit", type=Path, help="write JUnit XML")
    gate.add_argument("--update-reference", action="store_true", help="import the new results")
    gate.add_argument("--reason", help="why the reference changes (with --update-reference)")
    text = "measure how far seeds alone move the metrics of a folder of results"
    spread = add_verb(kinds, "spread", text, _spread, config=False)
    spread.add_argument("results", type=Path, help="folder of results with several seeds")
    spread.add_argument("--out", type=Path, required=True, help="the spread.csv to write")


def _gate(arguments: argparse.Namespace) -> int:
    from mednext.files import write_text
    from mednext.gate.compare import exit_code, gate
    from mednext.gate.reference import check_reason, compared, update_reference
    from mednext.gate.report import junit, markdown, terminal
    from mednext.gate.rules import load_rules
    from mednext.gate.subset import check_whole

    reason = check_reason(arguments.reason) if arguments.update_reference else ""
    rules = load_rules(arguments.rules)
    where, how = (arguments.reference, arguments.new, rules), arguments.nondeterministic
    if arguments.update_reference:
        check_whole(arguments.only)
        findings = compared(*where, how)
    else:
        findings = gate(*where, how, arguments.only)
    print(terminal(findings, arguments.all))
    if arguments.markdown:
        write_text(arguments.markdown, markdown(findings))
    if arguments.junit:
        write_text(arguments.junit, junit(findings))
    if arguments.update_reference:
        today = datetime.date.today().isoformat()
        print(update_reference(arguments.reference, arguments.new, findings, reason, today))
        return 0
    return exit_code(findings)


def _spread(arguments: argparse.Namespace) -> None:
    from mednext.gate.rules import load_rules
    from mednext.gate.tolerance import measure

    rows = measure(arguments.results, arguments.out, load_rules())
    print(f"{arguments.out}: {len(rows)} metrics of {min(row.seeds for row in rows)} or more seeds")
