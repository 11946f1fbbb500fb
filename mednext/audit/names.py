"""What reports call the rows and columns of a paper: what it prints, not short names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mednext.audit.paper import Paper
from mednext.audit.schema import ClaimRow
from mednext.config.names import without_citation


class Names:
    """Names for the readers of an audit; what has none is called as in the files."""

    def __init__(self, paper: Paper) -> None:
        self._rows = dict(_rows(paper))
        self._columns = paper.spec.headings

    def row(self, table: int, slug: str) -> str:
        """The name of a row."""
        return self._rows.get((table, slug), slug)

    def column(self, name: str) -> str:
        """The heading of a column."""
        return self._columns.get(name, name)

    def columns(self, names: str) -> str:
        """The headings of columns with spaces between them, with commas."""
        return ", ".join(map(self.column, names.split()))

    def of_claim(self, words: str | None, claim: ClaimRow) -> str:
        """What a statement gives or the tables gave: rows of its table with slashes between them,
        or anything else as it is.
        """
        table = int((claim.cells or "0").split("/")[0])
        return "/".join(self.row(table, word) for word in (words or "").split("/"))

    def text(self, words: str) -> str:
        """A sentence with headings for columns that are no words, and with the name of a row where
        it says ``row 'SLUG' of table 2``.
        """
        words = re.sub(
            r"row '([^']*)' of table (\d+)",
            lambda found: f"row '{self.row(int(found[2]), found[1])}' of table {found[2]}",
            words,
        )
        return re.sub(r"\b\w+_\w+\b", lambda found: self.column(found[0]), words)


def _rows(paper: Paper) -> Iterator[tuple[tuple[int, str], str]]:
    for number, rows in paper.tables.items():
        columns = paper.spec.tables[number].name or ("method",)
        parts = [dict.fromkeys(row.get(column, "") for column in columns) for row in rows.values()]
        names = [": ".join(filter(None, part)) for part in parts]
        short = [without_citation(name) for name in names]
        # Two rows may differ in what they cite alone.
        for slug, name in zip(rows, short if len({*short}) == len(short) else names, strict=True):
            yield (number, slug), name or slug
