"""Papers of several designs: every planted error is found, and none is invented."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mednext.audit.run import Audit, audit

from .planted_papers import PAPERS, MadeUp


def audited(paper: MadeUp, folder: Path) -> Audit:
    """Write a paper and audit it."""
    (folder / "audit.yaml").write_text(yaml.safe_dump(paper.spec))
    for number, rows in paper.tables.items():
        with (folder / f"{number}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return audit(folder)


@pytest.mark.parametrize("make", PAPERS)
def test_planted_errors_are_found_and_none_is_invented(
    make: Callable[[], MadeUp], tmp_path: Path
) -> None:
    paper = make()
    done = audited(paper, tmp_path)
    wrong = {(c.table, c.slug) for c in done.cells if c.basis == "arithmetic"}
    assert wrong == {(table, slug) for table, slug, _ in paper.planted}
    named = {(c.table, c.slug, c.column) for c in done.cells if c.column is not None}
    assert paper.planted <= named
    assert not [row for row in done.scores if row.verdict == "inconclusive"]


def test_the_clean_paper_names_how_each_table_was_printed(tmp_path: Path) -> None:
    clean = next(p() for p in PAPERS if p().spec["paper"] == "clean")
    done = audited(clean, tmp_path)
    ways = {t: {r.printed_by for r in done.scores if r.table == t} for t in (1, 2, 3, 4)}
    for table, way in ((1, "half-even"), (2, "truncated"), (3, "ceiling"), (4, "padded")):
        assert all(way in str(found).split("/") for found in ways[table]), ways[table]
