"""``published.csv``: what the papers of the baselines themselves report, beside the printed cells.

Not a fault by itself: another split or training gives other numbers. But a comparison with a
baseline that its own paper reports higher is one with a weaker baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

from mednext.audit.paper import Paper, read_csv
from mednext.audit.printed import decimal_text, number
from mednext.audit.schema import PublishedRow
from mednext.errors import UserError

COLUMNS = ("table", "slug", "column", "published", "source")


def published_rows(paper: Paper) -> Iterator[PublishedRow]:
    """One row per cell of a baseline whose own paper reports the same number.

    Raises:
        UserError: the file lacks a column, or names a cell or number that is none.
    """
    if paper.spec.published is None:
        return
    path = paper.folder / paper.spec.published
    for row in read_csv(path, COLUMNS):
        table = int(row["table"])
        printed = paper.cell(table, row["slug"], row["column"])
        here, own = number(printed), number(row["published"])
        if here is None or own is None:
            raise UserError(
                "a number of another paper cannot be compared",
                file=path,
                found=f"'{printed}' and '{row['published']}'",
                expected="two numbers",
            )
        decimals = len(row["published"].partition(".")[2])
        yield PublishedRow(
            table=table,
            slug=row["slug"],
            column=row["column"],
            printed=printed,
            published=row["published"],
            difference=decimal_text(here - own, decimals),
            source=row["source"],
        )
