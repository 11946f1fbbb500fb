"""The first screen: five questions, each answered by a number from the files and a sentence."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mednext.audit.independent import independent
from mednext.audit.schema import CellRow, ConfusionRow, LeadRow
from mednext.config import Profile, load_datasets
from mednext.config.names import display_name
from mednext.provenance import package_dir
from mednext.report.findings.facts import interval_words
from mednext.report.findings.protocols import protocol_difference
from mednext.report.page.tables import Tally
from mednext.report.wording import signed
from mednext.results import HEADLINE, SCORE, MetricRow, R, read_rows

OURS = ("mednext", "medunext")
"""The paper's own networks, whose row a card quotes."""
NOT_MADE = "Not made yet: run mednext audit."
REAL_DATA = "make results CONFIG=config/reduced.yaml"


@dataclass(frozen=True)
class Answer:
    """One card."""

    key: str
    question: str
    number: str
    """What stands in large type; a dash where nothing is known."""
    words: str
    """Where the number comes from and what it does not say."""
    href: str
    to: str
    """Words of the link."""


def answers(
    profile: Profile,
    metrics: Sequence[MetricRow],
    audit: Path,
    tally: Tally,
    runs: Sequence[dict[str, str]],
) -> list[Answer]:
    """Five cards.

    Args:
        profile: what was run.
        metrics: its results.
        audit: the folder with the audit's CSVs.
        tally: verdicts of all reproduced metrics.
        runs: one entry per run, see :func:`mednext.report.page.provenance.provenance`.

    Raises:
        UserError: a file is malformed.
    """
    cells = rows_if_made(audit / "cells.csv", CellRow)
    return [
        _right(cells),
        _which_class(cells, rows_if_made(audit / "confusion.csv", ConfusionRow)),
        _leads(rows_if_made(audit / "leads.csv", LeadRow)),
        _leaked(profile, metrics),
        _reproduced(profile, tally, runs),
    ]


def rows_if_made(file: Path, model: type[R]) -> list[R]:
    """The rows of a file; none if it has not been made."""
    return read_rows(file, model) if file.is_file() else []


def _right(cells: Sequence[CellRow]) -> Answer:
    question = "Can the printed numbers be right?"
    if not cells:
        return Answer("right", question, "–", NOT_MADE, "#audit", "Audit")
    found = independent(cells)
    words = (
        f"{found['rows']} printed rows and {found['means']} printed means contradict themselves; "
        f"{found['rows_at_the_stated_size']} of the rows only at the stated test sizes. Every row "
        "and mean counts once."
    )
    number = str(found["rows"] + found["means"])
    return Answer("right", question, number, words, "#audit-cells", "Findings by cell")


def _which_class(cells: Sequence[CellRow], matrices: Sequence[ConfusionRow]) -> Answer:
    question = "Which class are the printed metrics about?"
    if not cells:
        return Answer("class", question, "–", NOT_MADE, "#audit", "Audit")
    swapped = {(r.table, r.slug) for r in cells if r.rule == "orientation"}
    fits = [row for row in matrices if row.positive == "non_disease" and row.verdict == "fits"]
    told = [
        f"Table {row.table}, {display_name(row.method)}: {row.missed_disease} ill missed, "
        f"{row.false_alarms} false alarms"
        for row in fits
        if row.method in OURS and row.matrices == 1
    ]
    words = (
        "rows of precision and recall fit whole numbers of images only with the class "
        "WITHOUT the disease as positive" + (f". {'; '.join(told)}." if told else ".")
    )
    return Answer(
        "class", question, str(len(swapped)), words, "#audit-confusion", "Confusion matrices"
    )


def _leads(rows: Sequence[LeadRow]) -> Answer:
    question = "How likely is each headline lead to be none?"
    if not rows:
        return Answer("leads", question, "–", NOT_MADE, "#audit", "Audit")
    closest: dict[int, LeadRow] = {}
    for row in rows:
        if row.winner in OURS and row.p_false > getattr(closest.get(row.table), "p_false", -1):
            closest[row.table] = row
    told = [
        f"Table {row.table}, over {display_name(row.slug)}: {row.p_false:.2f} "
        f"[{row.p_false_low:.2f}, {row.p_false_high:.2f}]"
        for row in closest.values()
    ]
    values = [row.p_false for row in closest.values()]
    number = f"{min(values):.2f} to {max(values):.2f}" if values else "–"
    words = (
        "Probability that the closest rival is at least as good on images like these. "
        f"{'; '.join(told)}. Another training is not in it."
    )
    return Answer("leads", question, number, words, "#audit-leads", "Leads")


def _leaked(profile: Profile, metrics: Sequence[MetricRow]) -> Answer:
    question, link = "What are leaked test data worth?", ("#data", "Data and leakage")
    if all(run.source == "phantom" for run in profile.datasets.values()):
        words = (
            "Phantoms have nothing to leak. A run on real data compares the paper's split by image "
            f"with one by patient: {REAL_DATA}."
        )
        return Answer("leaked", question, "–", words, *link)
    numbers, told = [], []
    for dataset in profile.datasets:
        for method in OURS:
            pair = [_score(profile, metrics, dataset, p, method) for p in ("paper", "grouped")]
            if pair[0] is None or pair[1] is None:
                continue
            gain = protocol_difference(pair[0], pair[1])
            numbers.append(signed(gain.value))
            told.append(
                f"{load_datasets()[dataset].name}, {display_name(method)}, first seed: "
                f"{interval_words(pair[0])} under the paper's split, {interval_words(pair[1])} "
                f"with groups kept together: {gain.words}"
            )
    if not told:
        words = "No method has been run under the paper's split and under one by patient."
        return Answer("leaked", question, "–", words, *link)
    number = f"{' and '.join(numbers)} points"
    return Answer("leaked", question, number, ". ".join(told) + ".", *link)


def _score(
    profile: Profile, metrics: Sequence[MetricRow], dataset: str, protocol: str, method: str
) -> MetricRow | None:
    """Accuracy or mean Dice of the first seed's last weights."""
    view = replace(HEADLINE, protocol=protocol)
    wanted = (dataset, method, profile.seeds[0], SCORE[load_datasets()[dataset].task])
    rows = (
        r
        for r in metrics
        if (r.dataset, r.method, r.seed, r.metric) == wanted and view.holds(r) and view.judges(r)
    )
    return next((r for r in rows if r.value is not None), None)


def _reproduced(profile: Profile, tally: Tally, runs: Sequence[dict[str, str]]) -> Answer:
    done = sum(run["status"] == "ok" for run in runs)
    runs_of = profile.datasets.values()
    scales = sorted({f"{run.img_size} px and {run.epochs} epochs" for run in runs_of})
    kind = " (PHANTOM data)" if any(run.source == "phantom" for run in runs_of) else ""
    verdicts = [f"{count} {name}" for name, count in tally.counts.items() if count]
    made = sorted(filter(None, {commit_date(run["commit"]) for run in runs}))
    words = (
        f"runs are finished, at {' or '.join(scales)}{kind}. Printed cells: "
        f"{', '.join(verdicts) or 'none compared'}."
        + (f" Run by code of {' to '.join(dict.fromkeys((made[0], made[-1])))}." if made else "")
    )
    question = "What was reproduced, at which scale?"
    return Answer("reproduced", question, f"{done} of {len(runs)}", words, "#tables", "Tables")


def commit_date(commit: str) -> str | None:
    """Day of a commit, ``2026-01-31``; None if it is not known here."""
    digits = re.match(r"[0-9a-f]{7,40}\b", commit)
    if digits is None:
        return None
    command = ["git", "show", "--no-patch", "--format=%cs", digits[0]]
    try:
        done = subprocess.run(  # noqa: S603  digits only
            command, cwd=package_dir(), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None
