"""A result file as a listing: a title, columns and rows, or why it is not there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mednext.config.names import with_names, words
from mednext.errors import UserError
from mednext.report.leakage import NAMES
from mednext.report.spec import column_name, row_name
from mednext.report.wording import METRIC_NAMES

NAMED = ("method", "method_a", "method_b", "dataset", "condition", "note")
"""Columns of slugs of methods and data sets, or of words that may hold some."""
PLAIN = ("protocol", "selection", "kind", "rule", "test", "positive")
"""Columns of slugs without a printed form."""
ROWS = ("slug", "method", "winner")
COLUMNS = ("column", "off_column")
"""Columns of rows and of columns of the paper's table in column ``table``."""
TESTS = {name.lower(): name for name in ("McNemar", "DeLong", "Obuchowski", "Wilcoxon")}
SPELT = TESTS | {str(kind): name for kind, name in NAMES.items()}
"""Words of such columns that do not follow from the slug."""
HEADS = {"slug": "row", "winner": "best"}


@dataclass(frozen=True)
class Listing:
    """What the page shows of one result file."""

    key: str
    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    absent: str | None = None
    """Why there is nothing to show."""
    note: str = ""

    def data(self) -> dict[str, Any]:
        """For the page's JSON."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}


def read_listing(path: Path, key: str, title: str, absent: str, note: str = "") -> Listing:
    """Every row of a CSV as texts; a listing that says ``absent`` if there is no such file.

    A column of one value throughout becomes a part of the note, an empty one is left out.

    Raises:
        UserError: the file is not a CSV with equally long rows.
    """
    if not path.is_file():
        return Listing(key, title, absent=absent, note=note)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [tuple(row) for row in csv.reader(stream)]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        widths = sorted({len(row) for row in rows})
        raise UserError(
            "a result file is not a table",
            file=path,
            found=f"rows of {widths} cells",
            expected="a header and rows of the same length",
            remedy="run the workflow again",
        )
    if len(rows) == 1:
        return Listing(key, title, absent=f"{path.name} holds no rows", note=note)
    head, *body = rows
    columns = dict(zip(head, zip(*(tidy(row, head) for row in body), strict=True), strict=True))
    if columns.get("name") == columns.get("dataset"):
        columns.pop("name", None)  # says it once more
    same = {name: c[0] for name, c in columns.items() if len(body) > 1 and len(set(c)) == 1}
    kept = {name: c for name, c in columns.items() if name not in same} or columns
    parts = [note, *(f"{name.replace('_', ' ')}: {word}." for name, word in same.items() if word)]
    return Listing(
        key,
        title,
        tuple(HEADS.get(name, name) for name in kept),
        tuple(zip(*kept.values(), strict=True)),
        note=" ".join(p for p in parts if p),
    )


def tidy(row: Sequence[str], head: Sequence[str]) -> tuple[str, ...]:
    """Numbers with more than six significant digits shortened to six; names for the slugs of
    methods, data sets, rows and columns of tables, metrics and choices; other words as they are.
    """
    of = dict(zip(head, row, strict=True))
    return tuple(_short(_named(word, name, of.get("table"))) for name, word in of.items())


def _named(word: str, column: str, table: str | None) -> str:
    if column in ROWS and table:
        return row_name(table, word)
    if column in COLUMNS and table:
        return column_name(table, word)
    if column == "metric":
        return METRIC_NAMES.get(word, word)
    if column in PLAIN:
        return SPELT.get(word) or words(word)
    return with_names(word) if column in NAMED else word


def _short(word: str) -> str:
    if sum(c.isdigit() for c in word) <= 6 or "." not in word:
        return word
    try:
        return f"{float(word):.6g}"
    except ValueError:
        return word


AUDIT = {
    "cells": ("Findings by printed cell", "Every finding; an empty column means the whole row."),
    "confusion": ("Confusion matrices", "Which counts give a printed row of Tables 2 to 4."),
    "misfits": ("Rows that no matrix gives", "What would have to change for a row to fit."),
    "splits_by_table": ("Test sizes by table", "Do the rows of a table fit one test size?"),
    "splits": ("Test sizes by row", ""),
    "identities": ("Identities", "F1 of precision and recall, means of organs, repeats."),
    "additivity": ("Additivity of the ablations", "Costs as a constant and one term per module."),
    "additivity_checks": ("Relations that additivity implies", ""),
    "additivity_repairs": ("Smallest repairs", "Cells whose change makes a column additive."),
    "modules": ("What one module adds", ""),
    "significance": ("Significance of the ranks", "Printed accuracies against the best."),
    "leads": ("Leads", "How likely each printed lead is to be none."),
    "scores": ("Rows of other designs", "Folds, averages over classes, any metrics."),
}


def audit_listings(root: Path) -> list[Listing]:
    """Every file of ``results/audit`` but the statements, which have a section of their own."""
    absent = "run 'mednext audit' first"
    return [
        read_listing(root / f"{name}.csv", f"audit-{name}", title, absent, note)
        for name, (title, note) in AUDIT.items()
    ]


def speed_listings(root: Path, speed: Path) -> list[Listing]:
    """``latency.csv`` of the profile and the side-by-side timings of ``results/speed``."""
    latency = read_listing(
        root / "latency.csv",
        "speed-latency",
        "Latency and memory by method",
        "latency.csv is made by the target 'latency', which is not part of a default run: "
        "timings mean nothing on a busy machine",
    )
    files = sorted(speed.glob("*.csv")) if speed.is_dir() else []
    timed = [
        read_listing(file, f"speed-{file.stem}", f"Side by side: {file.stem.replace('_', ' ')}", "")
        for file in files
    ]
    if not timed:
        absent = "made by 'make bench' (minutes, on a quiet machine)"
        timed = [Listing("speed-side", "Side-by-side timings", absent=absent)]
    return [latency, *timed]


def other_listings(root: Path) -> list[Listing]:
    """Leakage, paired tests and ranks of the profile."""
    leakage = read_listing(
        root / "leakage.csv",
        "leakage",
        "Leakage between training and test",
        "leakage.csv is not among the results; the columns 'groups in two subsets' of the counts "
        "above say how many patients, photographs or near-duplicates a split parts",
    )
    tests = read_listing(
        root / "comparisons.csv",
        "comparisons",
        "Paired tests between methods",
        "comparisons.csv is not among the results",
        "p adjusted by Holm over all pairs of a data set, protocol, selection, seed and test.",
    )
    ranks = read_listing(
        root / "ranking.csv",
        "ranking",
        "How stable the ranks are",
        "ranking.csv is not among the results",
        "Share of resampled groups in which a method has a rank.",
    )
    moved = read_listing(
        root / "conditions.csv",
        "conditions",
        "Under other conditions",
        "no run was evaluated on worse images or data of others: mednext evaluate --under, then "
        "mednext results conditions",
        "Fractions; change with its 95 % interval.",
    )
    served = read_listing(
        root / "subgroups.csv",
        "subgroups",
        "Who is served worse",
        "subgroups.csv is made by snakemake subgroups",
        "Each level against all other cases; p adjusted by Holm over the levels of a method.",
    )
    return [leakage, tests, ranks, moved, served]
