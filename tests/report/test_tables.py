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
from mednext.results import DatasetRow, Metric, MetricRow, write_rows

from .made_up import (
    SEGMENTERS,
    bad_row,
    dataset_rows,
    make_profile,
    metric_rows,
    slugs_in,
)

FORMS = ("csv", "md", "tex", "html")
BANNER = "PHANTOM (synthetic) data"
MARKS = re.compile(r" \([a-z]+(, [a-z]+)*\)$")
PAPERS = sorted((benchmarks_dir() / "reported").glob("table*.csv"))


def rows_of(markdown: str) -> dict[str, list[str]]:
    """First cell without its footnote -> the other cells of a Markdown table."""
    rows = {}
    for line in markdown.splitlines():
        if line.startswith("| ") and not line.startswith(("| Method", "| Data set")):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows[MARKS.sub("", cells[0])] = cells[1:]
    return rows


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_paper_has_eight_tables() -> None:
    assert [path.name[5] for path in PAPERS] == list("12345678") == list(load_tables())


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_the_reported_table_is_the_papers_cell_by_cell(local: Path, file: Path) -> None:
    number = file.name[5]
    paper = read(file)
    assert read(local / "reported" / f"table{number}.csv") == paper
    shown = rows_of((local / "reported" / f"table{number}.md").read_text())
    columns = [column.name for column in load_tables()[number].columns]
    names = [row.get("method") or f"{row['dataset']}: {row['class']}".rstrip(": ") for row in paper]
    assert list(shown) == names
    for name, row in zip(names, paper, strict=True):
        plain = [re.sub(r"\*\*|</?u>", "", MARKS.sub("", cell)) for cell in shown[name]]
        assert plain == [row[column] or "–" for column in columns]


def test_no_slug_stands_in_a_table(local: Path) -> None:
    files = sorted(local.rglob("table*.md"))
    assert len(files) > 20
    assert {file.name: found for file in files if (found := slugs_in(file.read_text()))} == {}


def test_the_side_by_side_csv_keeps_the_printed_columns(local: Path) -> None:
    paper = read(benchmarks_dir() / "reported" / "table6_acdc.csv")
    for ours, printed in zip(read(local / "table6.csv"), paper, strict=True):
        assert {name: ours[name] for name in printed} == printed
        assert ours["source"] == "local"


def test_side_by_side_strings(local: Path) -> None:
    rows = rows_of((local / "table2.md").read_text())
    assert rows["MedNeXt (Ours)"] == [
        "<u>10.72</u> → 10.72 Δ 0.00 ✓",
        "<u>1.90</u> → 1.95 Δ +0.05 ✗",
        "**100** (g) → 99.00 [98.50, 99.50] Δ -1.00 ?",
        "<u>96.75</u> → 90.00 [89.50, 90.50] Δ -6.75 ▼",
        "**98.35** (d) → 99.00 [98.50, 99.50] Δ +0.65 =",
        "**98.39** → 98.50 [97.80, 99.20] Δ +0.11 =",
        "**0.9988** → 0.5000 [0.4950, 0.5050] Δ -0.4988 ▼",
    ]
    assert rows["ResNet18 [24]"][0] == "11.69 → 11.69 Δ 0.00 ✓"
    assert rows["ResNet18 [24]"][5] == "97.98 → failed"
    assert rows["ConvNeXt-T [11]"][6] == "0.9811 → skipped"
    assert rows["ResNet50 [24]"] == [
        f"{value} → not run"
        for value in ("25.56", "4.11", "97.51", "95.53", "96.51", "96.57", "0.9958")
    ]


def test_the_audits_findings_are_footnotes_of_printed_cells(local: Path) -> None:
    side = (local / "table2.md").read_text()
    row = next(line for line in side.splitlines() if "MedNeXt (Ours)" in line)
    # ResNet18 has the same finding, and one for its whole row
    other = next(line for line in side.splitlines() if line.startswith("| ResNet18"))
    mark = re.search(r"98\.35\*\* \((\w)\)", row)[1]  # type: ignore[index]
    assert re.search(rf"97\.97</u> \({mark}\)", other)
    assert f"\n({mark}) audit: not what the others give\n" in side.replace("  \n", "\n")
    assert "audit: another test size (inference)" in side
    assert "audit: not the mean" not in side
    assert "audit: not the mean" in (local / "table5.md").read_text()
    assert "audit: another test size" in (local / "reported" / "table2.md").read_text()
    assert "audit" not in (local / "reproduced" / "table2.md").read_text()
    found = {row["slug"]: row["audit"] for row in read(local / "table2.csv")}
    assert found["mednext"] == "f1_pct: audit: not what the others give"
    assert found["resnet50"] == ""


def test_the_policy_and_the_distance_are_named(local: Path) -> None:
    for form in ("md", "tex", "html"):
        text = (local / f"table5.{form}").read_text()
        assert "empty-mask policy transunet" in text
        assert "HD95 as medpy computes it" in text
    assert "empty-mask policy nan" in (local / "table6.nan.tex").read_text()


def test_counts_beside_those_of_table_1(local: Path) -> None:
    rows = rows_of((local / "table1.md").read_text())
    assert rows["SARS-COV2-CT-Scan: Normal"][:2] == ["images", "737 → 737 Δ 0 ✓"]
    assert rows["ACDC"][-1] == "100 → 100 Δ 0 ✓"
    assert rows["Synapse"][2] == "– (b) → not run"
    row = next(r for r in read(local / "table1.csv") if r["class_slug"] == "covid19")
    assert {n: row[n] for n in ("test", "test_reproduced", "test_verdict", "total")} == {
        "test": "250",
        "test_reproduced": "250",
        "test_verdict": "matches",
        "total": "1252",
    }


def test_a_data_set_without_a_protocol_is_not_pending_in_its_counts(local: Path) -> None:
    root = local.parent
    whole = make_profile().model_dump()
    whole["datasets"]["sars_cov2_ct"]["protocols"] = ("paper", "grouped")
    normal, covid, acdc = dataset_rows()
    grouped = [row.model_copy(update={"protocol": "grouped"}) for row in (normal, covid)]
    write_rows(root / "datasets.csv", DatasetRow, [normal, covid, acdc, *grouped])
    write_tables(Profile.model_validate(whole), local, partial=True)
    rows = rows_of((local / "table1.grouped.md").read_text())
    assert rows["SARS-COV2-CT-Scan: Normal"][1] == "737 → 737 Δ 0 ✓"
    assert "not run" in rows["ACDC"][1]


def test_other_counts_are_off_and_those_of_phantoms_not_comparable(
    made_up: Callable[[str], Path],
) -> None:
    root = made_up("local")
    normal, covid, acdc = dataset_rows()
    moved = normal.model_copy(update={"train": 736, "val": 247})
    write_rows(root / "datasets.csv", DatasetRow, [moved, covid, acdc])
    write_tables(make_profile(), root / "tables")
    rows = rows_of((root / "tables" / "table1.md").read_text())
    assert rows["SARS-COV2-CT-Scan: Normal"][1:] == [
        "737 → 736 Δ -1 ✗",
        "246 → 247 Δ +1 ✗",
        "246 → 246 Δ 0 ✓",
        "1229 → 1229 Δ 0 ✓",
    ]
    stand_in = acdc.model_copy(update={"stand_in": "another challenge"})
    write_rows(root / "datasets.csv", DatasetRow, [normal, covid, stand_in])
    write_tables(make_profile(), root / "tables")
    text = (root / "tables" / "table1.md").read_text()
    assert rows_of(text)["ACDC"][1] == "70 → 70 Δ 0 n/c"
    assert "stand-in data: another challenge" in text
    root = made_up("phantom")
    write_tables(make_profile("phantom"), root / "tables")
    rows = rows_of((root / "tables" / "table1.md").read_text())
    assert rows["ACDC"][1] == "70 → 70 Δ 0 n/c"


def test_side_by_side_csv_numbers(local: Path) -> None:
    row = next(r for r in read(local / "table2.csv") if r["slug"] == "mednext")
    names = ("reproduced", "n", "verdict")
    assert [row[f"accuracy_pct_{n}"] for n in names] == ["98.5", "496", "equivalent"]
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
    headlines = {f"table{number}.md" for number in range(1, 9)}
    # Tables 7 and 8 hold results of the data sets of 2 and 6.
    others = {"table2.disease.md", "table7.disease.md", "table6.nan.md", "table8.nan.md"}
    assert {path.name for path in local.glob("*.md")} == headlines | others
    rows = rows_of((local / "table2.disease.md").read_text())
    assert rows["MedNeXt (Ours)"][3].endswith("→ 80.00 [79.50, 80.50] Δ -16.75 ▼")
    assert "positive class COVID-19" in (local / "table2.disease.md").read_text()


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


def test_a_method_outside_a_protocol_is_not_pending_there(local: Path) -> None:
    root = local.parent
    whole = make_profile().model_dump()
    whole["datasets"]["sars_cov2_ct"]["extra_runs"] = [
        {"methods": ("mednext",), "protocols": ("grouped",), "seeds": (0,)}
    ]
    extra = [
        r.model_copy(update={"protocol": "grouped"})
        for r in metric_rows()
        if r.method == "mednext" and r.seed == 0
    ]
    write_rows(root / "metrics.csv", MetricRow, [*metric_rows(), *extra])
    write_tables(Profile.model_validate(whole), local)
    rows = rows_of((local / "table2.grouped.md").read_text())
    assert rows["ResNet18 [24]"][5] == "97.98 → not run"
    assert rows["MedNeXt (Ours)"][5].startswith("**98.39** → 98.30 [")


@pytest.mark.parametrize("folder", [".", "reproduced"])
@pytest.mark.parametrize("number", ["1", "2", "6"])
def test_a_phantom_says_so_in_every_form(
    made_up: Callable[[str], Path], folder: str, number: str
) -> None:
    root = made_up("phantom")
    write_tables(make_profile("phantom"), root / "tables")
    for form in FORMS:
        text = (root / "tables" / folder / f"table{number}.{form}").read_text()
        assert ("phantom" if form == "csv" else BANNER) in text
    sources = {row["source"] for row in read(root / "tables" / f"table{number}.csv")}
    assert sources == ({"phantom", "none"} if number == "1" else {"phantom"})


def test_real_data_carries_no_phantom_line(local: Path) -> None:
    assert not [p for p in local.rglob("*") if p.is_file() and BANNER in p.read_text()]


def test_a_small_run_states_its_scale(made_up: Callable[[str], Path]) -> None:
    root = made_up("local")
    write_tables(make_profile(img_size=96, epochs=10), root / "tables")
    text = (root / "tables" / "table2.md").read_text()
    assert "Source local; 96 px, epochs 10, batch size 32, precision fp32, seeds 3;" in text
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
    assert rows["MedUNeXt (Ours)"][1:3] == ["**39.85** → 39.85 Δ 0.00 ✓", "**91.28** → not run"]


def test_writing_twice_gives_the_same_bytes(local: Path) -> None:
    before = {p: p.read_bytes() for p in local.rglob("*") if p.is_file()}
    write_tables(make_profile(), local)
    assert before == {p: p.read_bytes() for p in local.rglob("*") if p.is_file()}


def test_a_column_is_one_kind() -> None:
    with pytest.raises(ValueError, match="a text, a cost, a count or a metric"):
        Column(name="a", header="A", text=True, metric=Metric.DICE)


def test_hd95_is_judged_in_voxels_with_millimetres_beside_it(table5: Path) -> None:
    """TransUNet's code, which the printed numbers come from, calls HD95 without a spacing."""
    text = table5.with_suffix(".md").read_text()
    # The difference is that of the voxels, 31.70 - 23.96; the millimetres stand in a footnote.
    cell = rows_of(text)["MedUNeXt (Ours)"][1]
    found = re.fullmatch(r"\*\*23\.96\*\* \((\w)\) → 31\.70 \[20\.10, 140\.20\] Δ \+7\.74 .+", cell)
    assert found and re.search(rf"^\({found[1]}\).*52\.25 mm", text, re.MULTILINE), text[-1500:]
