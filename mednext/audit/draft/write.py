"""The draft of an audit: one CSV per table and a commented ``audit.yaml``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mednext.audit.bands import Unit
from mednext.audit.draft.columns import SHARES, Column, Recognised, recognise
from mednext.audit.draft.grid import Grid
from mednext.audit.draft.latex import latex_grids
from mednext.audit.draft.markup import document_text, markup_grids
from mednext.audit.draft.plain import markdown_grids, separated_grids, spreadsheet_grids
from mednext.audit.ratios import METRICS, SIGNED
from mednext.errors import UserError
from mednext.files import write_text

MOST_BYTES = 50_000_000
SUFFIXES = (".html", ".htm", ".xml", ".nxml", ".tex", ".md", ".csv", ".tsv", ".txt", ".xlsx")
SIZES = re.compile(
    r"\b\d[\d,]{0,11}\s{1,3}(?:\w{1,20}[ -]){0,2}"
    r"(?:images|patients|cases|subjects|slices|scans|volumes)\b"
)
OURS = re.compile(r"\b(ours|proposed|our method)\b", re.I)


@dataclass(frozen=True)
class Sizes:
    """What the user knows about the test set; None: to be filled in."""

    positive: int | None = None
    negative: int | None = None
    cases: int | None = None


def draft(source: Path, out: Path, sizes: Sizes | None = None) -> list[Recognised]:
    """Read the tables of a file and write ``audit.yaml`` and the CSV files into ``out``.

    Args:
        source: HTML, JATS XML, LaTeX, Markdown, CSV, TSV or a spreadsheet (.xlsx).
        out: a folder that has no ``audit.yaml`` yet.
        sizes: of the test set, where known.

    Returns:
        The tables, with what each leaves open.

    Raises:
        UserError: the file cannot be read or holds no table, or ``out`` has a draft already.
    """
    if (out / "audit.yaml").exists():
        raise UserError(
            "the folder has an audit.yaml already",
            file=out,
            remedy="give another --out, or remove it",
        )
    grids, text = read(source)
    tables = [recognise(grid) for grid in grids if grid.body]
    if not tables:
        raise UserError(
            "no table with numbers was found", file=source, expected=f"one of {', '.join(SUFFIXES)}"
        )
    out.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables, start=1):
        write_text(out / f"table{number}.csv", table_csv(table))
    write_text(out / "audit.yaml", _yaml(source.name, tables, text, sizes or Sizes()))
    return tables


def read(source: Path) -> tuple[list[Grid], str]:
    """The tables of a file and its running text.

    Raises:
        UserError: missing, too large, of an unknown kind, or hostile.
    """
    if not source.is_file():
        raise UserError("the file does not exist", file=source, remedy="check the path")
    if source.stat().st_size > MOST_BYTES:
        raise UserError("the file is too large", file=source, expected=f"{MOST_BYTES:,} bytes")
    kind = source.suffix.lower()
    if kind not in SUFFIXES:
        raise UserError("this kind of file is not read", file=source, expected=", ".join(SUFFIXES))
    if kind == ".xlsx":
        return list(spreadsheet_grids(source)), ""
    data = source.read_bytes()
    try:
        if kind in (".html", ".htm", ".xml", ".nxml"):
            xml = kind in (".xml", ".nxml")
            return list(markup_grids(data, xml)), document_text(data, xml)
        text = data.decode("utf-8-sig")
        if kind == ".tex":
            return list(latex_grids(text)), text
        if kind == ".md":
            return list(markdown_grids(text)), text
        return list(separated_grids(text)), ""
    except UnicodeDecodeError:
        raise UserError("the file is not UTF-8", file=source, remedy="save it as UTF-8") from None
    except UserError as error:
        error.file = error.file or str(source)
        raise


def table_csv(table: Recognised) -> str:
    """A table as CSV: slug, the columns, and their spreads beside them."""
    columns: dict[str, list[str]] = {"slug": table.slugs}
    for column in table.columns:
        columns |= zip(column.names(), (column.cells, *column.parts.values()), strict=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _yaml(name: str, tables: list[Recognised], text: str, sizes: Sizes) -> str:
    lines = [
        f"# Drafted from {name}. Lines with ASK need an answer; sections behind '#' wait for it:",
        "# fill in, take the '#' away, and run: python -m mednext audit --paper FOLDER",
        f"paper: {_quoted(name)}",
        "",
    ]
    around = (_sentence(text, found.start()) for found in SIZES.finditer(text))
    named = list(islice(dict.fromkeys(around), 8))
    if named:
        lines += ["# Sentences that may state the sizes of the test set:"]
        lines += [f"#   {' '.join(sentence.split())[:200]}" for sentence in named]
        lines += [""]
    lines += ["tables:"]
    for number, table in enumerate(tables, start=1):
        if table.caption:
            lines.append(f"  # {' '.join(table.caption.split())[:200]}")
        lines += [f"  # ASK: {' '.join(ask.split())}" for ask in table.asks]
        columns = ", ".join(map(_quoted, table.named))
        lines.append(f"  {number}: {{file: table{number}.csv, name: [{columns}]}}")
    for title, section in (
        ("scores", _scores(tables, sizes)),
        ("dice", _dice(tables, sizes)),
        ("bounds", _bounds(tables)),
        ("leads", _leads(tables, sizes)),
    ):
        found = list(section)
        if found:
            waiting = all(line.lstrip().startswith("#") for line in found)
            lines += ["", f"# {title}:" if waiting else f"{title}:", *found]
    return "\n".join(lines) + "\n"


def _sentence(text: str, at: int) -> str:
    """What stands around a place between full stops, at most 200 characters either way."""
    before = re.split(r"[.\n]", text[max(0, at - 200) : at])[-1]
    return (before + re.split(r"[.\n]", text[at : at + 200])[0]).strip()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _groups(table: Recognised) -> dict[tuple[str, Unit], list[Column]]:
    """Columns of one heading and unit: they belong to one test set."""
    groups: dict[tuple[str, Unit], list[Column]] = {}
    for column in table.columns:
        if column.metric in METRICS and column.unit is not None:
            above = column.name.removesuffix(column.metric)
            unit: Unit = "percent" if column.metric in SIGNED else column.unit
            groups.setdefault((above, unit), []).append(column)
    for (above, unit), columns in list(groups.items()):
        # MCC and kappa stand with the metrics beside them, whatever their unit.
        signed = unit == "percent" and all(c.metric in SIGNED for c in columns)
        if signed and (above, "fraction") in groups:
            groups[above, "fraction"] += groups.pop((above, unit))
    return groups


def _scores(tables: list[Recognised], sizes: Sizes) -> Iterator[str]:
    known = sizes.positive is not None and sizes.negative is not None
    mark = "" if known else "# "
    for number, table in enumerate(tables, start=1):
        every = [c.name for c in table.columns]
        for (above, unit), columns in _groups(table).items():
            if f"{above}dice" in every:
                continue  # overlap of cases, not one matrix of images
            names = ", ".join(f"{c.metric}: {c.name}" for c in columns)
            if not known:
                yield f"# ASK: positive and negative test images of table {number}; and the design"
            yield "  # design: test set | pooled folds | mean of folds (needs folds) | classes"
            yield f"{mark}  - table: {number}"
            yield f"{mark}    unit: {unit}"
            yield f"{mark}    columns: {{{names}}}"
            yield f"{mark}    design: test set"
            yield f"{mark}    positive: {sizes.positive or '?'}"
            yield f"{mark}    negative: {sizes.negative or '?'}"


def _dice(tables: list[Recognised], sizes: Sizes) -> Iterator[str]:
    mark = "" if sizes.cases else "# "
    for number, table in enumerate(tables, start=1):
        names = {column.name: column for column in table.columns}
        for column in table.columns:
            if column.metric != "dice":
                continue
            iou = names.get(column.name.removesuffix("dice") + "iou")
            if iou is None and "sd" not in column.parts:
                continue
            if not sizes.cases:
                yield f"# ASK: cases over which the Dice of table {number} is averaged"
            more = f", iou: {iou.name}" if iou is not None and iou.unit == column.unit else ""
            more += f", sd: {column.name}_sd" if "sd" in column.parts else ""
            yield (
                f"{mark}  - {{table: {number}, unit: {column.unit}, dice: {column.name}{more}, "
                f"cases: {sizes.cases or '?'}}}"
            )


def _bounds(tables: list[Recognised]) -> Iterator[str]:
    for number, table in enumerate(tables, start=1):
        for column in table.columns:
            if column.metric in SHARES and column.unit is not None:
                high = "100" if column.unit == "percent" else "1"
                low = "-1" if column.metric in SIGNED else "0"
                low = "-100" if low == "-1" and high == "100" else low
                yield (
                    f"  - {{tables: [{number}], column: {column.name}, "
                    f'low: "{low}", high: "{high}"}}'
                )


def _leads(tables: list[Recognised], sizes: Sizes) -> Iterator[str]:
    for number, table in enumerate(tables, start=1):
        ours = [s for s, label in zip(table.slugs, table.labels, strict=True) if OURS.search(label)]
        for column in table.columns:
            if column.metric not in ("accuracy", "dice") or column.unit is None:
                continue
            cases = sizes.cases or (sizes.positive or 0) + (sizes.negative or 0) or None
            winner = ours[0] if len(ours) == 1 else None
            mark = "" if cases and winner else "# "
            if mark:
                yield f"# ASK: the winner of table {number} and its test cases"
            yield (
                f"{mark}  - {{table: {number}, column: {column.name}, winner: {winner or '?'}, "
                f"kind: {column.metric}, unit: {column.unit}, cases: {cases or '?'}}}"
            )
