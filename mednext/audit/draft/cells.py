"""The cells of a table as plain decimals, with the spreads and intervals that stand in them."""

from __future__ import annotations

import re
import unicodedata

from mednext.audit.draft.grid import NUMBER, NUMERIC

MISSING = re.compile(
    r"(?:[-\u2010-\u2015\u2212]*|n\.?\s?[ar]\.?|n/a|n/r|na|none|k\.?\s?a\.?|\u2026|\.\.\.)", re.I
)
MARKS = "*\u2020\u2021\u00a7\u00b6\u2191\u2193\u00b9\u00b2\u00b3\u2070\u2074\u2075"
THOUSANDS = re.compile(r"([-+\u2212]?\d{1,3}(?: \d{3})+)((?:[.,]\d+)?\s*%?)")
CHANGE = re.compile(rf"({NUMBER}\s*%?)\s*[(\[]\s*[-+\u2212]\s*{NUMBER}\s*%?\s*[)\]]")
"""A number with what it has more or less than another."""
_FIRST = rf"(?P<value>{NUMBER})\s*(?P<percent>%?)"
BRACKET = re.compile(rf"{_FIRST}\s*[(\[]\s*(?P<bracket>{NUMBER})\s*%?\s*[)\]]")
FORMS = (
    re.compile(
        rf"(?P<value>{NUMBER})\s*%?\s*(?:\u00b1|\+/-|\+-)\s*(?P<sd>{NUMBER})\s*(?P<percent>%?)"
    ),
    re.compile(
        rf"{_FIRST}\s*[(\[]\s*(?P<low>{NUMBER})\s*(?:-|\u2013|,|;|to)\s*(?P<high>{NUMBER})\s*[)\]]"
    ),
    re.compile(rf"{_FIRST}\s*[(\[]\s*(?P<hits>\d+)\s*/\s*(?P<of>\d+)\s*[)\]]"),
    BRACKET,
    re.compile(rf"(?!.*,){_FIRST}"),
)
"""What a cell with a number may look like, in the order in which it is tried."""
Read = tuple[str, bool, dict[str, str]]
"""A plain decimal (empty: missing), whether a per cent sign stood there, and its spread."""


def plain_spaces(text: str) -> str:
    """Every kind of space as a plain one."""
    return re.sub(r"\s+", " ", text).strip()


def without_marks(text: str) -> str:
    """A text without the marks of footnotes and of the best value."""
    text = re.sub(r"(?<!\w):[a-z0-9_+]+:(?!\w)", "", plain_spaces(text)).strip()  # emoji by name
    shorter = text.lstrip(MARKS)
    shorter = text if shorter.startswith(" ") else shorter  # "* a note" is no marked name
    return shorter.rstrip(MARKS + " ") or text


def number_alone(text: str) -> str:
    """What may be a number without marks, pictures and groups of thousands."""
    shorter = "".join(c for c in text if unicodedata.category(c) != "So").strip(MARKS + " ")
    shorter = re.sub(r"(?<=[\d)\]%])\s*n\.?s\.?$", "", shorter).rstrip(MARKS + " ")
    shorter = re.sub(r"(?<=\d)[\u00b7\u2219](?=\d)", ".", shorter)
    if found := THOUSANDS.fullmatch(shorter):
        shorter = found.group(1).replace(" ", "") + found.group(2)
    return shorter or text


def without_ending(values: list[str]) -> tuple[list[str], str]:
    """Costs without the k, M or G behind each of them, and what that adds to the column's name."""
    endings = {v[-1] for v in values if not MISSING.fullmatch(v)}
    if len(endings) == 1 and (ending := endings.pop()) in "kMG":
        return [v.removesuffix(ending).strip() for v in values], f"_{ending.lower()}"
    return values, ""


def decimal_mark(texts: list[str]) -> str:
    """Whether numbers have decimal commas or points; empty if that cannot be told."""
    marks = {
        mark
        for mark in ",."
        for text in texts
        if re.match(rf"\W{{0,3}}(?:\d*[{mark}](?:\d{{1,2}}|\d{{4,}})|0[{mark}]\d+)(?![\d,.])", text)
    }
    return marks.pop() if len(marks) == 1 else ""


def with_points(values: list[str], name: str, mark: str, asks: list[str]) -> list[str]:
    """Decimal commas as points, without groups of thousands; what was done is asked for."""
    mark = decimal_mark(values) or mark
    if mark:
        group = "." if mark == "," else ","
        groups = re.compile(rf"[-+\u2212]?\d{{1,3}}(?:[{group}]\d{{3}})+(?:[{mark}]\d+)?\s*%?")
        grouped = [bool(groups.fullmatch(v)) for v in values]
        if any(grouped):
            asks.append(f"column '{name}': '{group}' was read as grouping thousands")
        values = [v.replace(group, "") if g else v for v, g in zip(values, grouped, strict=True)]
    elif any(re.search(r"\d,\d{3}(?!\d)", v) for v in values):
        asks.append(f"column '{name}': a comma may group thousands or begin the decimals; type it")
    if mark != "," or not any(re.search(r"\d,\d", v) for v in values):
        return values
    asks.append(f"column '{name}': commas were read as decimals")
    return [re.sub(r"(\d),(\d)", r"\1.\2", v) if NUMERIC.match(v) else v for v in values]


def read_cell(text: str, heading: str) -> Read | None:
    """A cell; None if it is no number."""
    if MISSING.fullmatch(text):
        return "", False, {}
    if found := CHANGE.fullmatch(text):
        text = found.group(1)
    for form in FORMS:
        if found := form.fullmatch(text):
            parts = {name: _decimal(part) for name, part in found.groupdict().items()}
            value, percent = parts.pop("value"), bool(parts.pop("percent"))
            if form is BRACKET and re.search(r"\b(sd|std)\b", heading, re.I):
                parts = {"sd": parts["bracket"]}
            return value, percent, parts
    return None


def _decimal(text: str) -> str:
    plain = text.replace("\u2212", "-")
    return re.sub(r"^([-+]?)\.", r"\g<1>0.", plain)
