from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mednext.errors import UserError
from mednext.results import CostRow, DatasetRow, cost_verdict, read_rows, write_rows

ROOT = Path(__file__).resolve().parents[2]
ROW = CostRow(
    method="resnet18",
    task="classification",
    input_shape="1x3x224x224",
    num_classes=1000,
    params=11_689_512,
    gmacs_torch=1.8194,
    gmacs_fvcore=None,
    gmacs_ptflops=None,
    activations_m=2.48,
    uncounted_ops=None,
    reported_params_m=11.69,
    reported_gmacs=1.82,
    verdict_params="matches",
    verdict_gmacs="matches",
    reason=None,
)


def test_rows_survive_writing_and_reading(tmp_path: Path) -> None:
    rows = [ROW, ROW.model_copy(update={"activations_m": None, "reported_gmacs": None})]
    write_rows(tmp_path / "cost.csv", CostRow, rows)
    assert read_rows(tmp_path / "cost.csv", CostRow) == rows


def test_a_wrong_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cost.csv"
    write_rows(path, CostRow, [ROW])
    path.write_text(path.read_text().replace("gmacs_torch", "gflops_torch"))
    with pytest.raises(UserError, match="gflops_torch"):
        read_rows(path, CostRow)


def test_a_wrong_value_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cost.csv"
    write_rows(path, CostRow, [ROW])
    path.write_text(path.read_text().replace("11689512", "many"))
    with pytest.raises(UserError, match=r"line 2, column 'params'"):
        read_rows(path, CostRow)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="remedy"):
        read_rows(tmp_path / "cost.csv", CostRow)


@pytest.mark.parametrize(
    ("measured", "printed", "verdict"),
    [
        (11.690, 11.69, "matches"),
        (7.979, 7.97, "matches"),  # DenseNet121: truncated, not rounded
        (9.305, 9.34, "near"),
        (1.963, 1.90, "off"),
        (0.025, 0.02, "matches"),  # a tie, rounded to even or up
        (0.025, 0.03, "matches"),
        (79.075, 75.05, "off"),
        (1.0, None, "not printed"),
    ],
)
def test_cost_verdicts_of_known_pairs(measured: float, printed: float | None, verdict: str) -> None:
    assert cost_verdict(measured, printed, digits=2) == verdict


@given(st.floats(0.01, 500))
def test_a_rounded_value_always_matches(value: float) -> None:
    assert cost_verdict(value, round(value, 2), digits=2) == "matches"


def test_a_column_under_its_retired_name_is_read_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_rows(ROOT / "results/reference/reduced/datasets.csv", DatasetRow)
    new = tmp_path / "datasets.csv"
    write_rows(new, DatasetRow, rows)
    text = new.read_text()
    new.write_text(text.replace("groups_in_two_subsets", "groups_on_two_sides", 1))
    capsys.readouterr()
    assert read_rows(new, DatasetRow) == rows and new.read_text() != text
    assert "groups_in_two_subsets" in capsys.readouterr().err
