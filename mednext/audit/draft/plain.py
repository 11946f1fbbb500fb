"""Tables of Markdown, of files with separators, and of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

from mednext.audit.draft.grid import Grid, check_size, split_header
from mednext.audit.draft.markup import MERGED
from mednext.errors import UserError

MOST_BYTES = 200_000_000
RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)+\|?\s*$|^\s*\|\s*:?-+:?\s*\|\s*$")


def markdown_grids(source: str) -> Iterator[Grid]:
    """Every table with a line of dashes below its header."""
    lines = source.splitlines()
    for i, line in enumerate(lines[1:], start=1):
        if RULE.match(line) and "|" in lines[i - 1]:
            body = []
            for below in lines[i + 1 :]:
                if "|" not in below:
                    break
                body.append(_bars(below))
            if body:
                yield Grid([_bars(lines[i - 1])], body)


def _bars(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
    return [
        re.sub(r"\*\*|__|`|(?<![\w.])\*(?=\S)|(?<=\S)\*(?!\*)", "", c).replace("\\|", "|").strip()
        for c in cells
    ]


def separated_grids(source: str) -> Iterator[Grid]:
    """The table of a file with commas, semicolons, tabs or bars.

    Raises:
        UserError: no separator gives rows of more than one cell.
    """
    lines = [line for line in source.splitlines() if line.strip()][:200]
    separators = [s for s in "\t;|," if lines and all(s in line for line in lines)]
    if not separators:
        raise UserError(
            "no separator is in every line", expected="commas, semicolons, tabs or bars"
        )
    try:
        frame = pd.read_csv(
            io.StringIO(source),
            sep=separators[0],
            header=None,
            dtype=str,
            keep_default_na=False,
            quoting=csv.QUOTE_MINIMAL if '"' in source else csv.QUOTE_NONE,
        )
    except (pd.errors.ParserError, ValueError):
        frame = pd.DataFrame([line.split(separators[0]) for line in source.splitlines() if line])
    check_size(*frame.shape[::-1])
    rows = [[str(c).strip() for c in row] for row in frame.fillna("").to_numpy().tolist()]
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
                if part.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(part):
                    raise UserError("the spreadsheet declares a document type", file=path)
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
    places = len(style.group(1) or "")
    return f"{value * 100:.{places}f}%" if style.group(2) else f"{value:.{places}f}"
