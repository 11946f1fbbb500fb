"""The verb as a user calls it: files, summary, speed; and findings checked by brute force."""

from __future__ import annotations

import csv
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from mednext.audit.run import Audit, audit
from mednext.audit.schema import CellRow
from mednext.audit.text import claim_counts, fits_by_table
from mednext.audit.write import FILES
from mednext.cli import main
from mednext.errors import UserError
from mednext.results import read_rows

from .conftest import REPORTED, Edit

SECONDS = 60


HEAVY = ("torch", "timm", "monai", "mednext.models", "mednext.datasets")
Printed = tuple[Path, str, float]


@pytest.fixture(scope="module")
def printed_audit(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """Folder, output and seconds of ``mednext audit`` in a process of its own, on two cores.

    The last line of the output lists what it imported though it needs no network and no data.
    """
    folder = tmp_path_factory.mktemp("audit")
    code = (
        "import sys; from mednext.cli import main;"
        f"assert main(['audit', '--out', {str(folder)!r}]) == 0;"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    cores = sorted(os.sched_getaffinity(0))[:2]
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPORTED.parents[1],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return folder, done.stdout, time.monotonic() - begun


def test_it_takes_less_than_a_minute_on_two_cores(printed_audit: Printed) -> None:
    assert printed_audit[2] < SECONDS


def test_it_needs_neither_networks_nor_data(printed_audit: Printed) -> None:
    assert printed_audit[1].splitlines()[-1] == "[]"


def test_summary_counts_rows_and_claims(printed_audit: Printed) -> None:
    text = printed_audit[1]
    rows = {2: 11, 3: 11, 4: 11, 7: 8}
    for table, n in rows.items():
        line = re.search(
            rf"^table {table}: of {n} rows, (\d+) fit a confusion matrix, "
            r"(?:(\d+) if printed [^,]*, )?"
            r"(\d+) would but for one cell, (\d+) do not$",
            text,
            re.M,
        )
        assert line is not None and sum(int(count or 0) for count in line.groups()) == n
    counts = re.search(r"^claims: (\d+) true, (?:\d+ true if cut off, )?(\d+) false", text, re.M)
    assert counts is not None


def test_files_hold_one_line_per_cell_or_row(printed_audit: Printed, reported: Audit) -> None:
    folder = printed_audit[0]
    assert {f.stem for f in folder.glob("*.csv")} == set(FILES)
    for stem, model in FILES.items():
        assert read_rows(folder / f"{stem}.csv", model) == list(getattr(reported, stem))
    examined = Counter((row.table, row.method) for row in reported.confusion)
    tables = {
        t: list(csv.DictReader(next(REPORTED.glob(f"table{t}_*")).open())) for t in (2, 3, 4, 7)
    }
    assert set(examined) == {(t, row["slug"]) for t, rows in tables.items() for row in rows}
    # Per row, both choices of the positive class.
    assert {(row.table, row.method, row.positive) for row in reported.confusion} == {
        (t, slug, p) for t, slug in examined for p in ("disease", "non_disease")
    }
    with (REPORTED / "claims.csv").open() as file:
        assert len(reported.claims) == sum(1 for _ in csv.DictReader(file))


def printings(value: Fraction) -> set[str]:
    """A share in percent with two decimals, rounded and cut off; by fractions, without the audit's
    code.
    """
    down = math.floor(value * 10_000)
    up = down + (value * 10_000 - down >= Fraction(1, 2))
    return {f"{down / 100:.2f}", f"{up / 100:.2f}"}


def matrices_by_brute_force(
    cells: Sequence[str | None], positive: int, negative: int
) -> Iterator[tuple[int, int, list[set[str]]]]:
    """Every (TP, FP) that gives the cells, and how its four metrics print; None fits anything."""
    for tp in range(positive + 1):
        recall = printings(Fraction(tp, positive))
        if cells[1] is not None and cells[1] not in recall:
            continue
        for fp in range(0 if tp else 1, negative + 1):
            printed = [
                printings(Fraction(tp, tp + fp)),
                recall,
                printings(Fraction(2 * tp, tp + fp + positive)),
                printings(Fraction(tp + negative - fp, positive + negative)),
            ]
            if all(c is None or c in p for c, p in zip(cells, printed, strict=True)):
                yield tp, fp, printed


SIZES = {2: (250, 246), 3: (214, 265), 4: (1518, 1378), 7: (250, 246)}
"""Test images with and without the disease; written down from Table 1."""
COLUMNS = ("precision_pct", "recall_pct", "f1_pct", "accuracy_pct")


@pytest.mark.parametrize("table", SIZES)
def test_every_row_by_brute_force(reported: Audit, table: int) -> None:
    disease, healthy = SIZES[table]
    for row in csv.DictReader(next(REPORTED.glob(f"table{table}_*")).open()):
        cells = [f"{float(row[c]):.2f}" for c in COLUMNS]
        for positive, sizes in (
            ("disease", (disease, healthy)),
            ("non_disease", (healthy, disease)),
        ):
            found = {
                (r.tp, r.fp)
                for r in reported.confusion
                if (r.table, r.method, r.positive) == (table, row["slug"], positive)
                and r.verdict == "fits"
            }
            expected = {(tp, fp) for tp, fp, _ in matrices_by_brute_force(cells, *sizes)}
            assert found == expected, (row["slug"], positive)


def test_a_row_printed_with_fewer_digits(reported: Audit) -> None:
    """Table 2, ConvNeXt-T: 185 of 246 and 245 of 250 are 430 / 496 = 86.694, printed 86.7 + 0."""
    (row,) = [r for r in reported.confusion if r.verdict == "fits otherwise"]
    assert (row.table, row.method, row.convention) == (2, "convnext_t", "padded")
    assert (row.tp, row.fp, row.fn, row.tn) == (185, 5, 61, 245)
    assert printings(Fraction(185, 190)) & {"97.37"} and printings(Fraction(185, 246)) & {"75.20"}
    assert printings(Fraction(370, 436)) & {"84.86"} and f"{43000 / 496:.1f}0" == "86.70"


def test_precision_recall_and_accuracy_imply_a_share_of_positives(reported: Audit) -> None:
    """Table 4, ConvNeXt-T: P 98.77, R 98.65, accuracy 97.28 would need 105 % positive images.

    Wrong per positive image: 0.0135 + 0.9865 * 0.0123 / 0.9877 = 0.02579; wrong images: 0.0272.
    """
    (row,) = [
        r
        for r in reported.identities
        if (r.table, r.slug, r.rule) == (4, "convnext_t", "prevalence")
    ]
    assert row.verdict == "off" and row.note is not None
    assert row.note.endswith(f"{0.0272 / 0.02579:.2f}")
    # With 1378 of 2896 positive (the only class that Table 4's fitting row allows): 98.77.
    assert float(row.expected_low or 0) < 100 - 2.579 * 1378 / 2896 < float(row.expected_high or 0)


def test_repairs_by_brute_force(reported: Audit) -> None:
    """What the off cell should print: what the matrices that give the other three cells give."""
    wanted = {
        (m.method, m.positive, m.off_column): (m.needed_low, m.needed_high)
        for m in reported.misfits
        if m.table == 2 and m.off_column
    }
    assert wanted
    rows = {r["slug"]: r for r in csv.DictReader(next(REPORTED.glob("table2_*")).open())}
    for (slug, positive, column), (low, high) in wanted.items():
        sizes = SIZES[2] if positive == "disease" else SIZES[2][::-1]
        cells = [None if c == column else f"{float(rows[slug][c]):.2f}" for c in COLUMNS]
        working = {
            text
            for _, _, printed in matrices_by_brute_force(cells, *sizes)
            for text in printed[COLUMNS.index(column)]
        }
        assert (min(working), max(working)) == (low, high), (slug, column)


def test_every_finding_names_its_cell_and_rule(reported: Audit) -> None:
    tables = {int(f.name[5]): list(csv.DictReader(f.open())) for f in REPORTED.glob("table*.csv")}
    assert len(reported.cells) > 50
    for cell in reported.cells:
        names = {
            r["slug"] if "slug" in r else f"{r['dataset_slug']}/{r['class_slug']}"
            for r in tables[cell.table]
        }
        assert cell.slug in names and cell.rule and cell.note and cell.basis
        assert cell.column is None or cell.column in tables[cell.table][0]


def test_report_separates_arithmetic_from_inference(
    printed_audit: Printed, reported: Audit
) -> None:
    text = (printed_audit[0] / "audit.md").read_text()
    assert "*Arithmetic* means" in text and "*Inference* means" in text
    assert "nothing here says how it came about" in text
    for word in ("fabricat", "fraud", "falsif", "manipulat", "dishonest", "suspicious"):
        assert word not in text.lower()
    assert {cell.basis for cell in reported.cells} == {"arithmetic", "inference"}
    for cell in reported.cells:
        # Whatever names one explanation of several says so.
        assert (cell.basis == "inference") == (
            cell.verdict
            in (
                "would explain",
                "one of several explanations",
                "lacks the shared part",
                "fits otherwise",
                "a mean may lie below",
            )
            or cell.rule == "lead"
        )
    for table in fits_by_table(reported):
        assert f"| {table.table} | {table.rows} | {table.fits} |" in text
    assert f"{len(reported.claims)} statements" in text
    assert sum(claim_counts(reported).values()) == len(reported.claims)


def test_a_paper_of_another_kind(
    write_paper: Callable[[Edit | None], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No classification, no costs, no claims: only what the YAML names is checked."""

    def only_means(paper: dict) -> None:  # type: ignore[type-arg]
        for name in ("classification", "additivity", "claims", "bounds", "sums", "repeats"):
            del paper["spec"][name]

    folder = write_paper(only_means)
    assert main(["audit", "--paper", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == "rule mean: 0 of 2 cells off"
    assert "No cell breaks a rule." in (tmp_path / "out" / "audit.md").read_text()


def test_bad_input_is_one_message(
    write_paper: Callable[[Edit | None], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_paper(lambda paper: paper["tables"][2][0].update(a="n/a"))
    assert main(["audit", "--paper", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "a cell is not a number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="does not exist"):
        audit(tmp_path / "nowhere")


def test_the_page_of_docs_explains_every_file_and_word(reported: Audit) -> None:
    text = (REPORTED.parents[1] / "docs" / "audit.md").read_text()
    named = set(re.findall(r"`([^`\n]+)`", text))
    assert {f"{stem}.csv" for stem in FILES if not stem.startswith("additivity")} <= named
    for model in (CellRow,):
        assert set(model.model_fields) <= named
    words = {cell.rule for cell in reported.cells} | {row.rule for row in reported.identities}
    words |= {row.verdict for row in reported.confusion}
    words |= {row.verdict for row in reported.claims} | {
        row.verdict for row in reported.significance
    }
    assert words - {"best"} <= named
