"""The layouts that are spreadsheets, written with openpyxl: merged cells, formats, formulas."""

from __future__ import annotations

from pathlib import Path

from openpyxl import Workbook


def write_merged(path: Path) -> Path:
    """Two sheets; a merged heading, per cent as a number format, a formula never calculated."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Test set"
    for row in (
        ("Internal test set (n = 300)", None, None, None, None),
        ("Model", "Centre", "Accuracy", "Recall", "Mean"),
        ("One", "North", 0.9, 0.875, "=AVERAGE(C3:D3)"),
        (None, "South", 0.8567, 0.84, None),
        ("Two", "North", "n/a", 0.9125, None),
    ):
        sheet.append(row)
    sheet.merge_cells("A1:E1")
    sheet.merge_cells("A3:A4")
    for cell in ("C3", "C4", "D3", "D4", "D5"):
        sheet[cell].number_format = "0.00%"
    other = book.create_sheet("Costs")
    for row in (("Model", "Params (M)", "GFLOPs"), ("One", 25.5, 4.1), ("Two", 8, 0.75)):
        other.append(row)
    for cell in ("B2", "B3"):
        other[cell].number_format = "0.00"
    book.save(path)
    return path
