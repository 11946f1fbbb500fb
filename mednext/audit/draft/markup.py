"""Tables of HTML and JATS XML, through lxml and pandas."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pandas as pd
from lxml import etree, html

from mednext.audit.draft.grid import Grid, check_size, grouped, raised, split_header, without_empty
from mednext.errors import UserError

FOOTNOTES = ("table-fn", "fn")
"""What a JATS reference may point to that is no part of its cell."""
MERGED = "merged cells were copied into every row that they span; see that each row is meant"


def markup_grids(data: bytes, xml: bool) -> Iterator[Grid]:
    """Every table of a document.

    Raises:
        UserError: no XML, an entity is declared, or a table claims an absurd size.
    """
    root = _root(data, xml)
    for table in root.iter("table"):
        if next(table.iterancestors("table"), None) is not None:
            continue  # a table inside a table is part of a cell
        grid = _grid(table)
        if grid is not None:
            yield grid


def document_text(data: bytes, xml: bool) -> str:
    """The running text, for sentences that name sizes."""
    return re.sub(r"\s+", " ", " ".join(_root(data, xml).itertext()))


def _root(data: bytes, xml: bool) -> etree._Element:
    try:
        if not xml:
            parser: etree.XMLParser | html.HTMLParser = html.HTMLParser(
                encoding=_encoding(data), huge_tree=False
            )
            root = html.fromstring(data, parser=parser)
            return root
        if re.search(rb"<!ENTITY", data):
            raise UserError(
                "the document declares entities",
                expected="XML without a DOCTYPE of its own",
                remedy="remove the declaration, or paste the table as HTML",
            )
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise UserError("the document cannot be read", found=str(error)[:200]) from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = etree.QName(element).localname
    return root


def _encoding(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _grid(table: etree._Element) -> Grid | None:
    asks: list[str] = []
    columns = 0
    for row in table.iter("tr"):
        columns = max(
            columns, sum(_span(cell, "colspan") for cell in row if cell.tag in ("td", "th"))
        )
    rows = sum(1 for _ in table.iter("tr"))
    check_size(
        columns, rows + max((_span(c, "rowspan") for c in table.iter("td", "th")), default=1)
    )
    for cell in table.iter("td", "th"):
        if cell.tag == "td" and _span(cell, "rowspan") > 1 and MERGED not in asks:
            asks.append(MERGED)
        for mark in [e for e in cell.iter() if e.tag == "sup" or e.get("ref-type") in FOOTNOTES]:
            _lower(mark)
    caption = " ".join(
        " ".join(part.itertext()) for part in (*table.iter("caption"), *_jats_caption(table))
    )
    text = etree.tostring(table, encoding="unicode", method="html")
    try:
        frame = pd.read_html(
            io.StringIO(text),
            flavor="lxml",
            thousands=None,
            keep_default_na=False,
            converters=dict.fromkeys(range(columns), str),
        )[0]
    except ValueError:
        return None  # a table without a row
    caption = re.sub(r"\s+", " ", caption).strip()
    body = [[str(cell).strip() for cell in row] for row in frame.to_numpy().tolist()]
    if all(isinstance(label, int) for label in frame.columns):
        return split_header(body, caption, asks)  # no cell says that it is a heading
    levels = [label if isinstance(label, tuple) else (label,) for label in frame.columns]
    header = [[_heading(label[i]) for label in levels] for i in range(len(levels[0]))]
    filled = without_empty([*header, *body])
    return grouped(filled[: len(header)], filled[len(header) :], caption, asks, alone=False)


def _jats_caption(table: etree._Element) -> Iterator[etree._Element]:
    parent = table.getparent()
    if parent is not None and parent.tag == "table-wrap":
        yield from (child for child in parent if child.tag in ("label", "caption"))


def _heading(label: object) -> str:
    return "" if str(label).startswith("Unnamed:") else str(label).strip()


def _span(cell: etree._Element, name: str) -> int:
    text = cell.get(name, "1").strip()
    span = int(text) if text.isdigit() and len(text) < 10 else 1
    if span > 10_000:
        raise UserError("a cell spans more than a table has", found=f"{name}={text}")
    return max(span, 1)


def _lower(element: etree._Element) -> None:
    """Put what a raised text leaves in the place of its element."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    front = (parent.text if before is None else before.tail) or ""
    text = front + raised(front[-20:].rstrip(), "".join(element.itertext())) + (element.tail or "")
    if before is not None:
        before.tail = text
    else:
        parent.text = text
    parent.remove(element)
