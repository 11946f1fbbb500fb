"""Tables of Markdown, of files with separators, and of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import openpyxl
from markdown_it import MarkdownIt
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet.worksheet import Worksheet

from mednext.audit.draft.grid import Grid, check_size, split_header
from mednext.audit.draft.markup import MERGED, markup_grids
from mednext.errors import UserError

MOST_BYTES = 50_000_000


def markdown_grids(source: str) -> Iterator[Grid]:
    """Every table of Markdown as GitHub shows it."""
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    html = page.render(source)
    return markup_grids(html.encode(), xml=False) if html.strip() else iter(())


def separated_grids(source: str) -> Iterator[Grid]:
    """The table of a file with commas, semicolons, tabs or bars.

    Raises:
        UserError: no separator stands in most lines, or a cell is absurdly long.
    """
    lines = [line for line in source.splitlines() if line.strip()][:200]
    separator = next(
        (s for s in "\t;|," if 2 * sum(s in line for line in lines) > len(lines)), None
    )
    if separator is None:
        raise UserError(
            "no separator is in most lines", expected="commas, semicolons, tabs or bars"
        )
    try:
        rows = list(csv.reader(io.StringIO(source), delimiter=separator))
    except csv.Error as error:
        raise UserError("the file cannot be read", found=str(error)) from None
    grid = split_header(rows)
    if grid is not None:
        yield grid


def spreadsheet_grids(path: Path) -> Iterator[Grid]:
    """The table of every sheet, as it shows: number formats applied, formulas by their last value.

    Raises:
        UserError: no spreadsheet, one that unpacks to too much, or one that declares entities.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > MOST_BYTES:
                raise UserError("the spreadsheet unpacks to too much", file=path)
            for part in archive.namelist():
                if part.endswith((".xml", ".rels")):
                    _check_part(archive.read(part), path)
        formulas = openpyxl.load_workbook(path)
        values = openpyxl.load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise UserError(
            "this is no spreadsheet", file=path, found=str(error)[:200], expected=".xlsx"
        ) from None
    for sheet in formulas.worksheets:
        grid = _sheet(sheet, values[sheet.title])
        if grid is not None:
            grid.caption = grid.caption or sheet.title
            yield grid


def _check_part(content: bytes, path: Path) -> None:
    """Refuse entities, and merged cells that would be a table of absurd size once they are read."""
    if b"<!DOCTYPE" in content:
        raise UserError("the spreadsheet declares a document type", file=path)
    areas = re.findall(rb"<(?:\w+:)?mergeCell\s+ref=[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']", content)
    ends = [range_boundaries(area.decode()) for area in areas]
    check_size(1, sum((right - left + 1) * (low - top + 1) for left, top, right, low in ends))


def _sheet(formulas: Worksheet, values: Worksheet) -> Grid | None:
    check_size(formulas.max_column, formulas.max_row)
    asks: list[str] = []
    rows: list[list[str]] = []
    unknown = []
    for row in formulas.iter_rows():
        texts = []
        for cell in row:
            value = values[cell.coordinate].value
            if isinstance(cell.value, str) and cell.value.startswith("=") and value is None:
                unknown.append(cell.coordinate)
            texts.append("" if value is None else _shown(cell, value))
        rows.append(texts)
    for area in formulas.merged_cells.ranges:
        top = rows[area.min_row - 1][area.min_col - 1]
        for r in range(area.min_row - 1, min(area.max_row, len(rows))):
            for c in range(area.min_col - 1, min(area.max_col, len(rows[r]))):
                rows[r][c] = top
        if area.max_row > area.min_row and MERGED not in asks:
            asks.append(MERGED)
    if unknown:
        asks.append(
            f"cells {', '.join(unknown[:10])} hold a formula that was never calculated and are "
            "left empty; open and save the file in a spreadsheet program, or type what is printed"
        )
    return split_header(rows, asks=asks)


def _shown(cell: Cell | MergedCell, value: object) -> str:
    """A value as its number format shows it (fixed decimals and per cent; else as stored)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).strip()
    style = re.fullmatch(r"#?,?#?#?0(?:\.(0+))?(%?)", str(cell.number_format))
    if style is None:
        return repr(value)
    exact = Decimal(repr(value)) * (100 if style.group(2) else 1)
    places = Decimal(1).scaleb(-len(style.group(1) or ""))
    return f"{exact.quantize(places, ROUND_HALF_UP):f}{style.group(2)}"
