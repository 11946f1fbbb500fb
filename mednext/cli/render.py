"""``mednext tables|figures|page`` and what else is drawn from the small result files alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from mednext.cli.common import Verbs, add_verb, profile_of
from mednext.layout import results_root


def register(verbs: Verbs, kinds: Verbs) -> None:
    """Add the verbs of this module, to those of ``mednext`` and of ``mednext results``."""
    tables = add_verb(verbs, "tables", "render the tables of a profile", _tables)
    tables.add_argument("--partial", action="store_true", help="missing runs as 'pending'")
    tables.add_argument(
        "--custom", action="store_true", help="plain tables of every data set, without the paper's"
    )
    text = "render the leakage tables and figures of a profile"
    add_verb(kinds, "leakage-report", text, _leakage)
    figures = add_verb(verbs, "figures", "render the figures of a profile", _figures)
    figures.add_argument("--partial", action="store_true", help="without the missing results")
    figures.add_argument("--only", nargs="+", metavar="FIGURE", help="these alone")
    text = "write FINDINGS.md, and its sources beside the exported runs (make findings)"
    findings = add_verb(kinds, "findings", text, _findings)
    findings.add_argument("--runs", type=Path, help="default: results/reference/<profile>")
    findings.add_argument("--out", type=Path, default=Path("results/FINDINGS.md"))
    findings.add_argument("--summary", type=Path, help="a file that shows the main results, too")
    page = add_verb(verbs, "page", "render the page of a profile", _page)
    page.add_argument("--partial", action="store_true", help="missing runs as 'pending'")


def _tables(arguments: argparse.Namespace) -> None:
    from mednext.report.custom import write_custom_tables
    from mednext.report.tables import write_tables

    profile = profile_of(arguments)
    out = results_root(profile.profile) / "tables"
    if arguments.custom:
        for file in write_custom_tables(profile, out):
            print(file)
    else:
        write_tables(profile, out, partial=arguments.partial)


def _figures(arguments: argparse.Namespace) -> None:
    from mednext.report.figures import write_figures

    profile = profile_of(arguments)
    out = results_root(profile.profile) / "figures"
    write_figures(profile, out, arguments.partial, arguments.only)


def _leakage(arguments: argparse.Namespace) -> None:
    from mednext.report.figures import leakage
    from mednext.report.leakage import write_leakage

    profile = profile_of(arguments)
    root = results_root(profile.profile)
    write_leakage(profile, root / "tables")
    leakage.write(profile, root / "figures")


def _page(arguments: argparse.Namespace) -> None:
    from mednext.report.page import write_page

    profile = profile_of(arguments)
    root = results_root(profile.profile)
    write_page(profile, root / "page", partial=arguments.partial)


def _findings(arguments: argparse.Namespace) -> None:
    from mednext.layout import reference_root
    from mednext.report.findings import write_findings
    from mednext.runs.export import exported_runs

    profile = profile_of(arguments)
    folder = arguments.runs or reference_root(profile.profile)
    runs = [(run.name, run.record) for run in exported_runs(folder, profile)]
    write_findings(profile, runs, folder, arguments.out, arguments.summary)
    print(f"{arguments.out}: from {len(runs)} finished runs in {folder}")
