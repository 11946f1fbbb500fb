"""``published.csv``: what the paper cited for a baseline reports, beside the printed cell.

Not a fault by itself: another split or training gives other numbers. But a comparison with a
baseline that its own paper reports higher is one with a weaker baseline. A number bears weight only
where somebody has looked it up, so each row says where (``checked_at``), or counts as unverified.
"""

from __future__ import annotations

from collections.abc import Iterator

from mednext.audit.paper import Paper, read_csv
from mednext.audit.printed import decimal_text, number
from mednext.audit.schema import PublishedRow
from mednext.errors import UserError

COLUMNS = ("table", "slug", "column", "published", "source", "checked_at")


def published_rows(paper: Paper) -> Iterator[PublishedRow]:
    """One row per cell of a baseline that the paper cited for it reports, too.

    Raises:
        UserError: the file lacks a column, names a cell or number that is none, or says where a
            number was read without giving an address.
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
        if row["checked_at"] and not row["checked_at"].startswith("https://"):
            raise UserError(
                "nobody can look up where a number was read",
                file=path,
                found=f"checked_at {row['checked_at']}",
                expected="an address that starts with https://, or nothing (then it is unverified)",
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
            checked_at=row["checked_at"] or None,
        )
