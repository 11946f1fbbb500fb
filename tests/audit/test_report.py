"""The reviewer's page: self-contained, escaped, neutral, and every row counted once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mednext.audit.independent import independent
from mednext.audit.report import HAND, letter, levels, report_html
from mednext.audit.run import Audit, audit
from mednext.audit.text import report, summary
from mednext.config import read_yaml
from mednext.errors import UserError
from mednext.report.spec import load_tables, row_name

from ..report.made_up import slugs_in
from .conftest import REPORTED, Edit
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


def test_no_slug_stands_in_what_is_written_for_people(reported: Audit) -> None:
    page = re.sub(r"<[^>]+>", " ", report_html(reported))
    for text in (page, report(reported), summary(reported)):
        assert slugs_in(text) == set()
    # 235 of 246 and 244 of 250: test_run.py finds this matrix by brute force
    assert "| 2 | ResNet50 | no disease | 235 | 6 | 11 | 244 |" in report(reported)
    assert "MedUNeXt over AttnUNet by 1.68" in page  # 79.45 - 77.77 in Table 5


def test_rows_and_columns_are_called_as_in_the_tables(reported: Audit) -> None:
    tables = load_tables()
    columns = [c for spec in tables.values() for c in spec.columns if not c.text]
    assert read_yaml(REPORTED / "audit.yaml")["headings"] == {c.name: c.header for c in columns}
    rows = {(r.table, r.method) for r in reported.confusion if r.table != 7}
    assert len(rows) == 33
    for table, slug in rows:
        assert reported.names.row(table, slug) == row_name(str(table), slug)
    assert reported.names.row(1, "acdc/") == "ACDC"
    assert reported.names.row(1, "sars_cov2_ct/covid19") == "SARS-COV2-CT-Scan: COVID-19"
    assert reported.names.row(7, "sa_ffn") == "SA+FFN"  # the table is about one network


def test_another_papers_rows_are_called_as_it_writes_them(
    write_paper: Callable[[Edit | None], Path],
) -> None:
    def named(paper: dict) -> None:  # type: ignore[type-arg]
        for row, name in zip(paper["tables"][2], ("Net [1]", "Net [2]", "a|b<br>"), strict=True):
            row["net"] = name
        paper["tables"][2][2]["f"] = "12.00"
        paper["spec"]["tables"][2]["name"] = ["net"]
        paper["tables"][3][0] |= {"method": "One [3]", "mean": "99.00"}
        paper["tables"][3][1]["method"] = ""

    done = audit(write_paper(named))
    # without its citation only where that leaves the names apart; without a name, the short one
    names = [done.names.row(2, slug) for slug in ("first", "second", "third")]
    assert names == ["Net [1]", "Net [2]", "a|b<br>"]
    assert [done.names.row(3, slug) for slug in ("one", "two")] == ["One", "two"]
    assert "| 3 | One | mean | mean | 99.00 |" in report(done)
    assert r"| 2 | a\|b&lt;br> | f | f1 | 12.00 |" in report(done)
    assert "<td>a|b&lt;br&gt;</td>" in report_html(done)


def test_a_name_in_a_column_that_is_not_there(write_paper: Callable[[Edit | None], Path]) -> None:
    with pytest.raises(UserError, match="table 2 has no column 'net'"):
        audit(write_paper(lambda paper: paper["spec"]["tables"][2].update(name=["net"])))
