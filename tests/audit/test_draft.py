"""Ten layouts, each against what a reader would copy by hand; and input that means harm."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.audit.draft.write import Sizes, draft, table_csv
from mednext.audit.run import audit
from mednext.cli import main
from mednext.errors import UserError

from .spreadsheets import write_merged

LAYOUTS = Path(__file__).parent / "layouts"
EXPECTED: dict[str, Any] = yaml.safe_load((LAYOUTS / "expected.yaml").read_text())


def source_of(name: str, folder: Path) -> Path:
    return write_merged(folder / name) if name.endswith(".xlsx") else LAYOUTS / name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_layout_is_read_without_a_wrong_cell(name: str, tmp_path: Path) -> None:
    tables = draft(source_of(name, tmp_path), tmp_path / "draft")
    wanted = EXPECTED[name]["tables"]
    assert len(tables) == len(wanted)
    text = (tmp_path / "draft" / "audit.yaml").read_text()
    for number, (table, want) in enumerate(zip(tables, wanted, strict=True), start=1):
        written = (tmp_path / "draft" / f"table{number}.csv").read_text()
        assert written == table_csv(table)
        assert list(csv.reader(io.StringIO(written))) == list(csv.reader(io.StringIO(want["csv"])))
        assert {c.name: c.unit for c in table.columns if c.unit} == want["units"]
        for word in want["asks"]:
            assert any(word in line for line in text.splitlines() if "ASK" in line), word


@pytest.mark.parametrize("name", EXPECTED)
def test_a_draft_runs_as_it_is(name: str, tmp_path: Path) -> None:
    draft(source_of(name, tmp_path), tmp_path / "draft")
    assert {row.rule for row in audit(tmp_path / "draft").identities} <= {"bounds"}


def test_a_draft_with_its_sizes_checks_the_matrices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """plain.html: 120 and 80 images, by its text. 'Ours': 114 and 73 right."""
    out = tmp_path / "draft"
    sizes = ["--positive", "120", "--negative", "80"]
    assert main(["audit", "draft", str(LAYOUTS / "plain.html"), "--write", str(out), *sizes]) == 0
    assert "Of 200 test images" in (out / "audit.yaml").read_text()
    assert main(["audit", "--paper", str(out), "--out", str(tmp_path / "done")]) == 0
    done = audit(out)
    ours = next(row for row in done.scores if row.slug == "ours")
    assert (ours.verdict, ours.example) == ("fits", "114/7/6/73")
    assert {row.slug for row in done.leads} == {"plain_cnn_7", "wide_net"}
    assert done.names.row(1, "plain_cnn_7") == "Plain CNN"


def test_a_draft_is_not_overwritten(tmp_path: Path) -> None:
    draft(LAYOUTS / "notes.md", tmp_path)
    with pytest.raises(UserError, match="already"):
        draft(LAYOUTS / "notes.md", tmp_path)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><article><table><tr><td>&c;</td><td>1</td></tr></table>
</article>"""
OUTSIDE = """<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<article><table><tr><td>x</td><td>&x;</td></tr></table></article>"""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("laughs.xml", LAUGHS, "declares entities"),
        ("outside.xml", OUTSIDE, "declares entities"),
        ("broken.xml", "<article><table>", "cannot be read"),
        (
            "wide.html",
            "<table><tr><th>a</th><th colspan=999999999>b</th></tr><tr><td>1</td></tr></table>",
            "spans more",
        ),
        (
            "many.html",
            "<table>" + "<tr><td colspan=9999>1</td></tr>" * 300 + "</table>",
            "too large",
        ),
        (
            "tall.html",
            "<table><tr><th>a</th></tr><tr><td rowspan=9999 colspan=9999>1</td></tr></table>",
            "too large",
        ),
        (
            "spans.tex",
            r"\begin{tabular}{l}a & b \\ "
            + r"\multicolumn{999}{c}{1} & 1 \\ " * 3000
            + r"\end{tabular}",
            "too large",
        ),
        ("long_cell.csv", "a,b\nc,1" + " 111" * 50_000, "cannot be read"),
        ("empty.html", "<p>no table</p>", "no table"),
        ("words.csv", "only words\nand lines\n", "no separator"),
        ("paper.pdf", "%PDF", "not read"),
        ("fake.xlsx", "no archive", "no spreadsheet"),
    ],
)
def test_hostile_or_useless_input_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        draft(tmp_path / name, tmp_path / "draft")
    assert not (tmp_path / "draft").exists()


def spreadsheet_with(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of the spreadsheet of merged cells with one part changed or added."""
    with (
        zipfile.ZipFile(write_merged(path.parent / "good.xlsx")) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        parts = {name: old.read(name) for name in old.namelist()}
        for name, data in (parts | {part: change(parts.get(part, b""))}).items():
            new.writestr(name, data)
    return path


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (SHEET, lambda data: b'<!DOCTYPE a [<!ENTITY a "ha">]>' + data, "document type"),
        (SHEET, lambda data: data.replace(b"A1:E1", b"A1:XFD1048576"), "too large"),
        (SHEET, lambda data: data.replace(b'r="E3"', b'r="XFD1048576"'), "too large"),
        ("xl/bomb.xml", lambda _: b" " * 60_000_000, "unpacks to too much"),
    ],
    ids=["entities", "merged", "far away", "bomb"],
)
def test_a_hostile_spreadsheet_is_refused(
    tmp_path: Path, part: str, change: Callable[[bytes], bytes], message: str
) -> None:
    bad = spreadsheet_with(tmp_path / "bad.xlsx", part, change)
    assert bad.stat().st_size < 200_000
    with pytest.raises(UserError, match=message):
        draft(bad, tmp_path / "draft")
    assert not (tmp_path / "draft").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "marks.html",
            "<table><tr><th>a</th><th>Accuracy</th></tr><tr><td>x</td><td>91.0{}</td></tr>",
        ),
        ("powers.tex", r"\begin{{tabular}}{{l}}a & Accuracy \\ x & 91.0{} \\ \end{{tabular}}"),
        ("braces.tex", r"\begin{{tabular}}{{l}}a & Accuracy \\ x & {}91.0 \\ \end{{tabular}}"),
        ("links.md", "{}\n\n|a|Accuracy|\n|---|---|\n|x|91.0|\n"),
    ],
)
def test_a_cell_of_many_marks_takes_no_longer_than_its_length(
    tmp_path: Path, name: str, content: str
) -> None:
    many = {"marks.html": "<sup>2</sup>", "powers.tex": "^1", "braces.tex": "{", "links.md": "[a"}
    (tmp_path / name).write_text(content.format(many[name] * 20_000))
    begun = time.monotonic()
    (table,) = draft(tmp_path / name, tmp_path / "draft")
    assert table.columns[1].cells == ["91.0"]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("name", "head", "row", "foot"),
    [
        (
            "long.html",
            "<table><tr><th>Method</th><th>Accuracy (%)</th></tr>",
            "<tr><td>{}</td><td>{}</td></tr>",
            "</table>",
        ),
        ("long.md", "|Method|Accuracy (%)|\n|---|---|\n", "|{}|{}|\n", ""),
        ("long.csv", "Method,Accuracy (%)\n", "{},{}\n", ""),
        (
            "long.tex",
            r"\begin{tabular}{lc}Method & Accuracy (\%) \\",
            r"{} & {} \\" + "\n",
            r"\end{tabular}",
        ),
    ],
)
def test_ten_thousand_rows_take_seconds(
    tmp_path: Path, name: str, head: str, row: str, foot: str
) -> None:
    rows = "".join(row.format(f"m{i}", f"{i % 101}.00") for i in range(10_000))
    (tmp_path / name).write_text(head + rows + foot)
    begun = time.monotonic()
    (table,) = draft(tmp_path / name, tmp_path / "draft", Sizes(50, 50))
    assert len(table.slugs) == 10_000 and table.columns[1].cells[101:103] == ["0.00", "1.00"]
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("accuracy", "images"), [("91.5", "1234"), ("91", "1,234"), ("91,5", "1.234")]
)
def test_a_comma_groups_thousands_only_beside_decimal_points(
    tmp_path: Path, accuracy: str, images: str
) -> None:
    """Among whole numbers it may be either, and stays as it is."""
    text = f"Method;Images;Accuracy\na;1,234;{accuracy}\nb;2,345;{accuracy}\n"
    (tmp_path / "t.csv").write_text(text)
    (table,) = draft(tmp_path / "t.csv", tmp_path / "draft")
    assert table.columns[1].cells[0] == images
    assert any("thousands" in ask or "decimals" in ask for ask in table.asks)


@pytest.mark.parametrize(
    ("name", "content", "columns", "first"),
    [
        (
            "kinds.csv",
            "Method,Dice (WT),Dice (TC),Dice (ET),mIoU,Macro F1\na,0.9,0.8,0.7,0.6,0.5\n",
            ["slug", "method", "wt_dice", "tc_dice", "et_dice", "mean_iou", "macro_f1"],
            ["a", "a", "0.9", "0.8", "0.7", "0.6", "0.5"],
        ),
        (
            "alike.csv",
            "Slug,AUC,AUC,AUC,AUC_SD\na,0.9,0.8,0.7,0.1\n",
            ["slug", "slug_2", "auc", "auc_2", "auc_3", "auc_sd"],
            ["a", "a", "0.9", "0.8", "0.7", "0.1"],
        ),
        (
            "sizes.html",
            "<table><tr><td colspan=2>Model</td><td>Accuracy (%)</td></tr>"
            "<tr><td>Net</td><td>18</td><td>82.0 (41/50)</td></tr></table>",
            ["slug", "model", "model_2", "accuracy", "accuracy_hits", "accuracy_of"],
            ["net_18", "Net", "18", "82.0", "41", "50"],
        ),
        (
            "pages.tex",
            r"\begin{longtable}{lc}Model & Acc. (\%)\\ \endfirsthead Model & Acc.\\ \endhead"
            r"3D net & 81.2{\scriptsize$\pm$1.1}\\ \end{longtable}",
            ["slug", "model", "accuracy", "accuracy_sd"],
            ["3d_net", "3D net", "81.2", "1.1"],
        ),
    ],
)
def test_no_column_is_lost_for_its_name(
    tmp_path: Path, name: str, content: str, columns: list[str], first: list[str]
) -> None:
    (tmp_path / name).write_text(content)
    draft(tmp_path / name, tmp_path / "draft")
    rows = list(csv.reader((tmp_path / "draft" / "table1.csv").open()))
    assert rows == [columns, first]
