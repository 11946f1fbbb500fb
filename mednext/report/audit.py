"""What the audit found about printed cells (``results/audit/cells.csv``), for footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mednext.audit.schema import CellRow


@dataclass(frozen=True)
class Findings:
    """The rows of ``cells.csv``."""

    rows: Sequence[CellRow] = ()

    def of(self, number: str, slug: str, column: str | None) -> tuple[str, ...]:
        """Notes on one printed cell, or with ``column`` None on its row as a whole."""
        return tuple(
            f"audit: {row.note}" + (" (inference)" if row.basis == "inference" else "")
            for row in self.rows
            if (str(row.table), row.slug, row.column) == (number, slug, column)
        )


NOTHING = Findings()
