"""The layout that is a spreadsheet, as a desktop program saves it: formulas with their results."""

from __future__ import annotations

import zipfile
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font


def write_workbook(path: Path) -> Path:
    """A table that starts at B4 under a title, with two rows of headings and a note below."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Results"
    sheet["B2"] = "Supplementary Table S3. Results (July)"
    sheet.merge_cells("B2:H2")
    for cell, text in (
        ("B4", "Method"), ("C4", "Accuracy"), ("E4", "AUC"), ("G4", "Mean"), ("H4", "Images"),
        ("C5", "Val"), ("D5", "Test"), ("E5", "Val"), ("F5", "Test"),
    ):  # fmt: skip
        sheet[cell] = text
    for merged in ("B4:B5", "C4:D4", "E4:F4", "G4:G5", "H4:H5"):
        sheet.merge_cells(merged)
    rows = (
        ("Small", 0.9125, 0.90049, 0.951, "0.940", 12400),
        ("Large (ours)", 0.9368, 0.93, 0.9704, "0.961*", 12400),
        ("Ensemble", "n/a", 0.9412, None, "0.970", 9850),
    )
    for number, (name, *values, images) in enumerate(rows, start=6):
        for column, value in zip("BCDEF", (name, *values), strict=True):
            sheet[f"{column}{number}"] = value
        sheet[f"G{number}"] = f"=AVERAGE(C{number}:D{number})"
        sheet[f"H{number}"] = images
        for column, form in zip("CDEGH", ("0.0%", "0.0%", "0.000", "0.0%", "#,##0"), strict=True):
            sheet[f"{column}{number}"].number_format = form
    sheet["D8"].font = Font(bold=True)
    sheet["B10"] = "* p < 0.05. Mean: of both accuracies."
    book.save(path)
    # openpyxl cannot save the results of formulas; a desktop program does.
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    page = "xl/worksheets/sheet1.xml"
    for number, value in ((6, "0.906495"), (7, "0.9334"), (8, "0.9412")):
        formula = f"<f>AVERAGE(C{number}:D{number})</f>"
        for empty in ("<v></v>", "<v />", "<v/>"):
            parts[page] = parts[page].replace(
                f"{formula}{empty}".encode(), f"{formula}<v>{value}</v>".encode()
            )
        assert f"<v>{value}</v>".encode() in parts[page]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return path
