"""The written tables: strings by hand, the printed cells against the paper's own files."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mednext.config import Profile, benchmarks_dir
from mednext.errors import UserError
from mednext.report.spec import Column, load_tables
from mednext.report.tables import write_tables
from mednext.results import Metric, MetricRow, write_rows

from .made_up import SEGMENTERS, bad_row, make_profile, metric_rows

FORMS = ("csv", "md", "tex", "html")
BANNER = "PHANTOM (synthetic) data"


def rows_of(markdown: str) -> dict[str, list[str]]:
    """First cell without its footnote -> the other cells of a Markdown table."""
    rows = {}
    for line in markdown.splitlines():
        if line.startswith("| ") and not line.startswith("| Method"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows[re.sub(r" \([a-z]+\)$", "", cells[0])] = cells[1:]
    return rows


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("number", "name"), [("2", "table2_sars_cov2.csv"), ("6", "table6_acdc.csv")]
)
def test_the_reported_table_is_the_papers_cell_by_cell(local: Path, number: str, name: str) -> None:
    paper = read(benchmarks_dir() / "reported" / name)
    assert read(local / "reported" / f"table{number}.csv") == paper
    shown = rows_of((local / "reported" / f"table{number}.md").read_text())
    columns = [column.name for column in load_tables()[number].columns]
    assert list(shown) == [row["method"] for row in paper]
    for row in paper:
        plain = [re.sub(r"\*\*|</?u>| \([a-z]+\)$", "", c) for c in shown[row["method"]]]
        assert plain == [row[column] or "–" for column in columns]


def test_the_side_by_side_csv_keeps_the_printed_columns(local: Path) -> None:
    paper = read(benchmarks_dir() / "reported" / "table6_acdc.csv")
    for ours, printed in zip(read(local / "table6.csv"), paper, strict=True):
        assert {name: ours[name] for name in printed} == printed
        assert ours["source"] == "local"


def test_side_by_side_strings(local: Path) -> None:
    rows = rows_of((local / "table2.md").read_text())
    assert rows["MedNeXt (Ours)"] == [
        "<u>10.72</u> → 10.72 ✓",
        "<u>1.90</u> → 1.95 ✗",
        "**100** → 99.00 [98.50, 99.50] ▼",
        "<u>96.75</u> → 90.00 [89.50, 90.50] ▼",
        "**98.35** → 99.00 [98.50, 99.50] ▲",
        "**98.39** → 98.50 [97.80, 99.20] ✓",
        "**0.9988** → 0.5000 [0.4950, 0.5050] ▼",
    ]
    assert rows["ResNet18 [24]"][0] == "11.69 → 11.69 ✓"
    assert rows["ResNet18 [24]"][5] == "97.98 → failed"
    assert rows["ConvNeXt-T [11]"][6] == "0.9811 → skipped"
    assert rows["ResNet50 [24]"] == [
        f"{value} → not run"
        for value in ("25.56", "4.11", "97.51", "95.53", "96.51", "96.57", "0.9958")
    ]


def test_side_by_side_csv_numbers(local: Path) -> None:
    row = next(r for r in read(local / "table2.csv") if r["slug"] == "mednext")
    names = ("reproduced", "n", "verdict")
    assert [row[f"accuracy_pct_{n}"] for n in names] == ["98.5", "496", "reproduced"]
    bounds = float(row["accuracy_pct_ci_low"]), float(row["accuracy_pct_ci_high"])
    assert bounds == pytest.approx((97.7951, 99.2049), abs=1e-4)
    assert row["params_m_verdict"] == "matches"
    row = next(r for r in read(local / "table2.csv") if r["slug"] == "resnet50")
    assert (row["status"], row["reason"]) == (
        "not run",
        "not part of profile 'made_up'",
    )


def test_every_reason_is_a_footnote(local: Path) -> None:
    text = (local / "table2.md").read_text()
    assert "not run: not part of profile 'made_up'" in text
    assert "failed: loss is &lt;script>" in text
    assert "skipped: no room" in text
    assert "not printed in the paper" in text


@pytest.mark.parametrize("folder", [".", "reported", "reproduced"])
def test_no_cell_is_empty(local: Path, folder: str) -> None:
    files = sorted((local / folder).glob("*.md"))
    assert files
    for path in files:
        rows = rows_of(path.read_text())
        assert len(rows) in (8, 11, 12, 13)
        assert all(cell for cells in rows.values() for cell in cells), path


def test_best_and_second_of_the_reproduced_table(local: Path) -> None:
    rows = rows_of((local / "reproduced" / "table6.md").read_text())
    # dice .90 and .80; params 31.00 < 39.85 < 40.28
    assert rows["MedUNeXt (Ours)"][1:3] == ["<u>39.85</u>", "**90.00** [87.00, 93.00]"]
    assert rows["UNet [55]"][1:3] == ["**31.00**", "<u>80.00</u> [77.00, 83.00]"]


def test_ties_share_a_rank(local: Path) -> None:
    root = local.parent
    rows = [
        r.model_copy(update={"value": 0.9, "ci_low": 0.87, "ci_high": 0.93})
        if r.task == "segmentation"
        else r
        for r in metric_rows()
    ]
    write_rows(root / "metrics.csv", MetricRow, rows)
    write_tables(make_profile(), local)
    shown = rows_of((local / "reproduced" / "table6.md").read_text())
    assert {shown[name][2] for name in ("MedUNeXt (Ours)", "UNet [55]")} == {
        "**90.00** [87.00, 93.00]"
    }


def test_other_views_are_suffixed_files(local: Path) -> None:
    headlines = {f"table{number}.md" for number in range(2, 9)}
    # Tables 7 and 8 hold results of the data sets of 2 and 6.
    others = {"table2.disease.md", "table7.disease.md", "table6.nan.md", "table8.nan.md"}
    assert {path.name for path in local.glob("*.md")} == headlines | others
    rows = rows_of((local / "table2.disease.md").read_text())
    assert rows["MedNeXt (Ours)"][3].endswith("→ 80.00 [79.50, 80.50] ▼")
    assert "positive class disease" in (local / "table2.disease.md").read_text()


def test_the_grouped_protocol_is_its_own_file(local: Path) -> None:
    root = local.parent
    extra = [
        r.model_copy(update={"protocol": "grouped"})
        for r in metric_rows()
        if r.target == "non_disease" or r.status != "ok"
    ]
    write_rows(root / "metrics.csv", MetricRow, [*metric_rows(), *extra])
    write_tables(make_profile(), local)
    assert "Protocol grouped" in (local / "table2.grouped.md").read_text()


@pytest.mark.parametrize("folder", [".", "reproduced"])
@pytest.mark.parametrize("number", ["2", "6"])
def test_a_phantom_says_so_in_every_form(
    made_up: Callable[[str], Path], folder: str, number: str
) -> None:
    root = made_up("phantom")
    write_tables(make_profile("phantom"), root / "tables")
    for form in FORMS:
        text = (root / "tables" / folder / f"table{number}.{form}").read_text()
        assert ("phantom" if form == "csv" else BANNER) in text
    assert {row["source"] for row in read(root / "tables" / f"table{number}.csv")} == {"phantom"}


def test_real_data_carries_no_phantom_line(local: Path) -> None:
    assert not [p for p in local.rglob("*") if p.is_file() and BANNER in p.read_text()]


def test_a_small_run_states_its_scale(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    write_tables(make_profile(img_size=96, epochs=10), root / "tables")
    text = (root / "tables" / "table2.md").read_text()
    assert "Source local; 96 px, epochs 10, batch size 32, seeds 3;" in text
    assert "1488 / 497 / 496 images for train / val / test." in text
    assert "hence not comparable (n/c): 96 px instead of 224; epochs 10 instead of 300." in text


def test_pending_runs_need_partial(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    rows = [row for row in metric_rows() if row.method not in ("mednext", "unet")]
    write_rows(root / "metrics.csv", MetricRow, rows)
    with pytest.raises(UserError, match=r"table 2: mednext, table 6: unet"):
        write_tables(make_profile(), root / "tables")
    write_tables(make_profile(), root / "tables", partial=True)
    text = (root / "tables" / "table6.md").read_text()
    assert rows_of(text)["UNet [55]"][2] == "88.09 → pending"
    assert "pending: no result yet" in text


def test_nothing_at_all_is_pending(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    (root / "metrics.csv").unlink()
    (root / "datasets.csv").unlink()
    write_tables(make_profile(), root / "tables", partial=True)
    assert rows_of((root / "tables" / "table2.md").read_text())["MedNeXt (Ours)"][5] == (
        "**98.39** → pending"
    )


def test_every_run_failed(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    acdc = {"dataset": "acdc", "task": "segmentation"}
    bad = [bad_row(method, "failed", "diverged", **acdc) for method in SEGMENTERS]
    kept = [row for row in metric_rows() if row.dataset != "acdc"]
    write_rows(root / "metrics.csv", MetricRow, [*kept, *bad])
    write_tables(make_profile(), root / "tables")
    assert rows_of((root / "tables" / "table6.md").read_text())["UNet [55]"][2] == "88.09 → failed"


def test_a_data_set_outside_the_profile_keeps_its_table(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    whole = make_profile().model_dump()
    del whole["datasets"]["acdc"]
    write_tables(Profile.model_validate(whole), root / "tables")
    rows = rows_of((root / "tables" / "table6.md").read_text())
    assert rows["MedUNeXt (Ours)"][1:3] == ["**39.85** → 39.85 ✓", "**91.28** → not run"]


def test_writing_twice_gives_the_same_bytes(local: Path) -> None:
    before = {p: p.read_bytes() for p in local.rglob("*") if p.is_file()}
    write_tables(make_profile(), local)
    assert before == {p: p.read_bytes() for p in local.rglob("*") if p.is_file()}


def test_a_column_is_one_kind() -> None:
    with pytest.raises(ValueError, match="a text, a cost or a metric"):
        Column(name="a", header="A", text=True, metric=Metric.DICE)
