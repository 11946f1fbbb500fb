"""The statements of the paper's text: what arithmetic says of each, and what the runs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mednext.audit.schema import ClaimRow
from mednext.config.names import with_names
from mednext.report.model import Cell, Table
from mednext.report.spec import row_name, with_headings
from mednext.results import HEADLINE

Cells = Mapping[tuple[str, ...], tuple[str, str, Cell]]
"""Number of the table, row and column -> name of the row, heading of the column, the cell."""
NO_CELL = "no cell"
"""Reproduction of a statement that rests on no single cell of a table."""


@dataclass(frozen=True)
class Claim:
    """One statement as the page shows it."""

    key: str
    place: str
    """Section, and line of the paper's text."""
    quote: str
    about: str
    stated: str
    computed: str
    arithmetic: str
    reproduction: tuple[str, ...]
    """Verdicts of the cells that it rests on, each once; ``NO_CELL`` if there is none."""
    evidence: tuple[str, ...]
    """What the audit adds, then these cells in words."""


def claims_of(rows: Sequence[ClaimRow], tables: Sequence[Table]) -> list[Claim]:
    """Every statement of ``claims.csv`` beside the headline cells of the tables."""
    known: Cells = {
        (table.number, line.slug, column.name): (line.name, column.header, line.cells[column.name])
        for table in tables
        if table.view == HEADLINE
        for line in table.lines
        for column in table.spec.columns
    }
    return [_claim(row, known) for row in rows]


def _claim(row: ClaimRow, known: Cells) -> Claim:
    keys = [tuple(name.split("/", 2)) for name in (row.cells or "").split()]
    found = [(key[0], *known[key]) for key in keys if key in known]
    verdicts = dict.fromkeys(cell.verdict or "not run" for *_, cell in found)
    unit = f" {row.unit}" if row.unit else ""
    table = keys[0][0] if keys else ""
    return Claim(
        key=row.claim_id,
        place=f"{row.section}, line {row.paper_line}",
        quote=row.quote,
        about=with_headings(with_names(row.about)),
        stated=f"{_named(row.stated, table)}{unit}" if row.stated else "",
        computed=_named(row.computed, table) + (f" (off by {row.off_by})" if row.off_by else ""),
        arithmetic=row.verdict,
        reproduction=tuple(verdicts) or (NO_CELL,),
        evidence=(*([with_names(row.note)] if row.note else []), *_evidence(found)),
    )


def _named(word: str | None, table: str) -> str:
    """Rows of ``table``, with a slash between them where there are several."""
    return "/".join(row_name(table, part) for part in (word or "").split("/"))


def _evidence(found: Sequence[tuple[str, str, str, Cell]]) -> Iterator[str]:
    for table, name, header, cell in found:
        ours = "not run"
        if cell.value is not None:
            ours = f"ours {cell.value:.4g}"
            if cell.low is not None and cell.high is not None:
                ours += f" [{cell.low:.4g}, {cell.high:.4g}]"
        yield f"Table {table}, {name}, {header}: printed {cell.printed or '–'}, {ours}"
