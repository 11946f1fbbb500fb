"""The leakage tables: the overlap of the subsets of each split, one table per data set."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from mednext.config import Profile
from mednext.files import write_csv, write_text
from mednext.layout import results_root
from mednext.report.cells import Notes, Text
from mednext.report.render import PAGE, html_of, markdown_of
from mednext.results import Leak, LeakageRow, grouped, read_rows

NAMES = {
    Leak.SAME_BYTES: "identical files",
    Leak.SAME_PIXELS: "identical pixels",
    Leak.NEAR_DUPLICATE: "near-duplicates",
    Leak.NEXT_SLICE: "successive slices of a scan",
    Leak.SAME_PHOTOGRAPH: "same source photograph",
    Leak.SAME_PATIENT: "same patient",
    Leak.ANY: "any of these",
    Leak.CUE_COLOUR_MODE: "colour mode",
    Leak.CUE_SIZE: "width and height",
    Leak.CUE_FORMAT: "file format and ending",
    Leak.CUE_FILE_BYTES: "bytes of the file",
    Leak.CUE_ALL: "all of these",
}
PAIRS = (
    "pairs",
    "within_class",
    "across_classes",
    "train_val",
    "train_test",
    "val_test",
    "clusters",
    "largest_cluster",
)
PAIR_HEADER = [
    "Protocol, kind",
    "Pairs",
    "Within class",
    "Across classes",
    "Train–val",
    "Train–test",
    "Val–test",
    "Clusters",
    "Largest",
    "Test items that overlap with train",
]
CUE_HEADER = [
    "Protocol, what is seen",
    "Accuracy",
    "95 % interval",
    "Most frequent class",
    "Groups",
]
Grid = tuple[str, list[str], list[str], list[list[Text]], list[str]]


def is_cue(row: LeakageRow) -> bool:
    """Does the row tell of a classifier on file properties, not of pairs?"""
    return row.kind.startswith("cue_")


def by_dataset(rows: Sequence[LeakageRow]) -> dict[str, list[LeakageRow]]:
    """The rows of each data set, in their order."""
    return grouped(rows, lambda row: row.dataset)


def grids(rows: Sequence[LeakageRow]) -> list[Grid]:
    """Two tables of one data set: related pairs, and (for images) what the files give away."""
    lines = []
    if rows[0].source == "phantom":
        lines.append("PHANTOM (synthetic) data: these numbers say nothing about the data set.")
    if rows[0].stand_in:
        lines.append(f"STAND-IN, not the data set itself: {rows[0].stand_in}.")
    counts = {r.protocol: f"{r.protocol}: {r.items} {r.unit}, {r.test_items} in test" for r in rows}
    notes = Notes()
    pairs = [[_head(row, notes), *_pairs(row)] for row in rows if not is_cue(row)]
    found = [
        (
            f"Leakage in {rows[0].name}",
            [*lines, "; ".join(counts.values()) + "."],
            PAIR_HEADER,
            pairs,
            notes.texts,
        )
    ]
    notes = Notes()
    cues = [[_head(row, notes), *_cue(row)] for row in rows if is_cue(row)]
    if cues:
        what = (
            "Accuracy of a classifier that sees no pixel; whole groups (patients, near-duplicates) "
            "were held out."
        )
        title = f"What the files of {rows[0].name} reveal of the class"
        found.append((title, [*lines, what], CUE_HEADER, cues, notes.texts))
    return found


def _head(row: LeakageRow, notes: Notes) -> Text:
    marks = (notes.mark(row.note),) if row.note else ()
    return Text(f"{row.protocol}: {NAMES[row.kind]}", marks=marks)


def _pairs(row: LeakageRow) -> list[Text]:
    values = [getattr(row, name) for name in PAIRS]
    cells = [Text("–" if value is None else str(value)) for value in values]
    share = f"{row.test_overlap} of {row.test_items}"
    if row.test_items and row.test_overlap is not None:
        share += f" ({100 * row.test_overlap / row.test_items:.1f} %)"
    return [*cells, Text(share)]


def _cue(row: LeakageRow) -> list[Text]:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    interval = "–"
    if row.ci_low is not None and row.ci_high is not None:
        interval = f"{100 * row.ci_low:.1f} to {100 * row.ci_high:.1f} %"
        # Above chance for certain: what a network might learn instead of the disease.
    reveals = row.ci_low is not None and row.baseline is not None and row.ci_low > row.baseline
    return [
        Text(percent(row.accuracy), bold=reveals),
        Text(interval),
        Text(percent(row.baseline)),
        Text("–" if row.groups is None else str(row.groups)),
    ]


def plain(rows: Sequence[LeakageRow]) -> str:
    """The tables of all data sets for a terminal."""
    out = []
    for mine in by_dataset(rows).values():
        for title, lines, header, cells, notes in grids(mine):
            frame = pd.DataFrame([[cell.words for cell in row] for row in cells], columns=header)
            out += [title, *lines, frame.to_string(index=False), *notes, ""]
    return "\n".join(out)


def write_leakage(profile: Profile, tables: Path) -> None:
    """Write ``leakage_<dataset>.csv``, ``.md`` and ``.html`` below ``tables``.

    Raises:
        UserError: ``leakage.csv`` is missing or malformed.
    """
    rows = read_rows(results_root(profile.profile) / "leakage.csv", LeakageRow)
    for dataset, mine in by_dataset(rows).items():
        stem = tables / f"leakage_{dataset}"
        records = [row.model_dump(mode="json") for row in mine]
        write_csv(stem.with_suffix(".csv"), pd.DataFrame(records, dtype=object))
        found = grids(mine)
        write_text(stem.with_suffix(".md"), "\n".join(markdown_of(*grid) for grid in found))
        body = "\n".join(html_of(*grid) for grid in found)
        page = PAGE.format(title=escape(found[0][0]), table=body)
        write_text(stem.with_suffix(".html"), page)
