"""What a cell has to be where the rest of its row contradicts it: an inference."""

from __future__ import annotations

from collections.abc import Sequence

from mednext.audit.printed import decimal_text, number
from mednext.audit.schema import IdentityRow, MisfitRow

Cell = tuple[int, str, str]
"""Table, row, column."""


def misprints(misfits: Sequence[MisfitRow], identities: Sequence[IdentityRow]) -> dict[Cell, str]:
    """Cell -> what it is read as.

    A cell is read anew if a matrix gives the other three metrics of its row and only one value
    then; or if it is an accuracy that precision and recall do not give while the F1 agrees with
    them (the middle of what they allow).
    """
    off = [row for row in identities if row.rule == "prevalence" and row.verdict == "off"]
    agrees = {(r.table, r.slug) for r in identities if r.rule == "f1" and r.verdict == "agrees"}
    found: dict[Cell, str] = {}
    for row in off:
        low, high = number(row.expected_low or ""), number(row.expected_high or "")
        if (row.table, row.slug) in agrees and low is not None and high is not None:
            decimals = len(row.printed.partition(".")[2])
            found[row.table, row.slug, row.column] = decimal_text((low + high) / 2, decimals)
    for m in misfits:
        if m.off_column and m.needed_low and m.needed_low == m.needed_high:
            found[m.table, m.method, m.off_column] = m.needed_low
    return found
