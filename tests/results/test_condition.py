"""The column ``condition``: empty in older files, never judged, and another number than without."""

from __future__ import annotations

from pathlib import Path

from mednext.gate.rules import load_rules
from mednext.gate.values import key_of, name_of
from mednext.results import MetricRow, read_rows, unconditional

REFERENCE = Path(__file__).resolve().parents[2] / "results/reference/reduced/metrics.csv"


def test_a_file_without_the_column_is_read_and_one_with_it_told_apart(tmp_path: Path) -> None:
    header, first, *_ = REFERENCE.read_text().splitlines()
    names, cells = header.split(","), first.split(",")
    if "condition" in names:  # as files were before
        place = names.index("condition")
        del names[place], cells[place]
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(",".join(names) + "\n" + ",".join(cells) + "\n")
    new.write_text(
        ",".join([*names, "condition"]) + "\n"
        f"{','.join([*cells, ''])}\n{','.join([*cells, 'shifted: jpeg 5'])}\n"
    )
    (row,) = read_rows(old, MetricRow)
    plain, shifted = read_rows(new, MetricRow)
    assert row == plain and shifted.condition == "shifted: jpeg 5"
    assert unconditional([plain, shifted]) == [plain]
    assert key_of(plain) != key_of(shifted) and "(shifted: jpeg 5)" in name_of(shifted)
    rules = load_rules()
    judged = [m for m in rules.metrics if rules.gates(plain.model_copy(update={"metric": m}))]
    assert judged
    for metric in judged:
        assert not rules.gates(shifted.model_copy(update={"metric": metric}))
