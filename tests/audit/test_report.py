"""The reviewer's page: self-contained, escaped, neutral, and every row counted once."""

from __future__ import annotations

import re
from pathlib import Path

from mednext.audit.independent import independent
from mednext.audit.report import HAND, letter, levels, report_html
from mednext.audit.run import Audit, audit

from .planted_papers import clean, nodules
from .test_planted_papers import audited


def test_it_is_one_file_and_names_every_finding_with_its_rule(reported: Audit) -> None:
    page = report_html(reported)
    assert not re.search(r"(?:src|href)=|@import|url\(|<script", page)
    shown = [row for level in levels(reported) for row in level.rows]
    assert sorted(map(repr, shown)) == sorted(map(repr, reported.cells))
    assert {row.rule for row in shown} <= set(HAND)
    assert page.count("<tr>") > len(shown)
    for word in ("fabricat", "fraud", "falsif", "manipulat", "dishonest", "suspicious"):
        assert word not in page.lower()


def test_the_swapped_positive_class_stands_first(reported: Audit) -> None:
    first = levels(reported)[0].rows[0]
    assert first.rule == "orientation" and "missed" in first.note


def test_every_row_counts_once(tmp_path: Path) -> None:
    """Of the planted paper two rows are wrong, one of them by two rules."""
    done = audited(nodules(), tmp_path)
    counts = independent(done.cells)
    assert (counts["rows"], counts["means"]) == (2, 0)
    assert any("2 rows" in paragraph for paragraph in letter(done))


def test_a_clean_paper_gets_no_reproach(tmp_path: Path) -> None:
    done = audited(clean(), tmp_path)
    assert any("no number that contradicts" in paragraph for paragraph in letter(done))
    assert "None." in report_html(done)


def test_a_name_with_markup_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "audit.yaml").write_text('paper: "<script>alert(1)</script>"\ntables: {}\n')
    page = report_html(audit(tmp_path))
    assert "<script>" not in page and "&lt;script&gt;" in page
