"""A result file as a listing: a title, columns and rows, or why it is not there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mednext.config.names import with_names
from mednext.errors import UserError
from mednext.report.spec import column_name, row_name

NAMED = (
    *("method", "method_a", "method_b", "dataset", "condition"),
    *("stated", "computed", "about", "note"),
)
"""Columns of slugs, or of words that may hold some."""
ROWS = ("slug", "winner")
"""Columns of rows of the paper's table in column ``table``."""


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
    columns = list(zip(*rows, strict=True))
    same = [c for c in columns if len(rows) > 2 and len(set(c[1:])) == 1]
    kept = [c for c in columns if c not in same]
    parts = [note]
    parts += [f"{name.replace('_', ' ')}: {_named(word, name)}." for name, word, *_ in same if word]
    head, *body = zip(*kept, strict=True) if kept else rows
    return Listing(
        key,
        title,
        head,
        tuple(tidy(row, head) for row in body),
        note=" ".join(p for p in parts if p),
    )


def tidy(row: Sequence[str], head: Sequence[str]) -> tuple[str, ...]:
    """Numbers with more than six significant digits shortened to six, methods, data sets, rows and
    columns of tables under the names that the paper gives them; other words as they are.
    """
    pairs = list(zip(row, head, strict=True))
    table = next((word for word, name in pairs if name == "table"), "")
    return tuple(_short(_named(word, name, table)) for word, name in pairs)


def _named(word: str, column: str, table: str = "") -> str:
    if column in ROWS:
        return row_name(table, word)
    if column == "column":
        return column_name(table, word)
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
    "claims": ("Statements of the text", "Each numerical claim, computed from the tables."),
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
    """Every file of ``results/audit``."""
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
