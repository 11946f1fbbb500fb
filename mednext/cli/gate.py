"""``mednext gate``: are results worse than a reference's? And what its tolerances are made from:
``mednext results spread|first-losses|rounding``.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from mednext.cli.common import Verbs, add_verb, runs_of


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
    text = "train the first steps of runs alone and write their losses"
    losses = add_verb(kinds, "first-losses", text, _first_losses, axes=True)
    losses.add_argument("--threads", type=int, help="default: the profile's")
    losses.add_argument("--out", type=Path, required=True, help="the CSV to write")
    text = "measure what other orders of sums do to the first losses"
    rounding = add_verb(kinds, "rounding", text, _rounding)
    rounding.add_argument("--out", type=Path, required=True, help="the rounding.csv to write")


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


def _first_losses(arguments: argparse.Namespace) -> None:
    from mednext.datasets.load import load
    from mednext.gate.first_losses import FirstLossRow, rows_of
    from mednext.results import write_rows
    from mednext.training.first_steps import first_losses

    rows = []
    for run in runs_of(arguments):
        data = load(run)
        threads = arguments.threads or run.threads
        losses = first_losses(run.model_copy(update={"threads": threads}), data)
        rows += rows_of(run, losses, data.data_hash, data.split_hash)
    write_rows(arguments.out, FirstLossRow, rows)


def _rounding(arguments: argparse.Namespace) -> None:
    from mednext.gate.first_losses import tolerances
    from mednext.gate.rounding import measure_rounding
    from mednext.gate.rules import load_rules

    rows = measure_rounding(arguments.configfile, arguments.out)
    for dataset, allowed in tolerances(rows, load_rules().first_losses).items():
        print(f"{dataset}: tolerance {allowed[0]:.2g} at step 1, {allowed[-1]:.2g} at the last")
