"""What a table's columns are: metric, unit, spread; and its cells as plain decimals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from mednext.audit.bands import Unit
from mednext.audit.draft.grid import NUMBER, Grid
from mednext.audit.ratios import METRICS, SIGNED

SPELLINGS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy", "acc", "oa", "overall accuracy", "ca"),
    "precision": ("precision", "prec", "ppv", "positive predictive value"),
    "recall": ("recall", "rec", "sensitivity", "sens", "sen", "tpr", "true positive rate"),
    "specificity": ("specificity", "spec", "spe", "tnr", "true negative rate"),
    "npv": ("npv", "negative predictive value"),
    "f1": ("f1", "f1 score", "f score", "f measure", "f1 measure", "f 1"),
    "dice": ("dice", "dsc", "dice score", "dice coefficient", "dice similarity coefficient"),
    "iou": ("iou", "jaccard", "jaccard index", "jac", "intersection over union"),
    "balanced_accuracy": ("balanced accuracy", "balanced acc", "bacc", "bac"),
    "mcc": ("mcc", "matthews correlation coefficient"),
    "kappa": ("kappa", "cohens kappa", "cohen kappa", "\u03ba"),
    "auc": ("auc", "auroc", "roc auc", "area under the curve"),
    "hd95": ("hd95", "hd 95", "95hd", "hd95", "95 hd"),
    "hd": ("hd", "hausdorff distance"),
    "asd": ("asd", "average surface distance"),
    "assd": ("assd",),
    "params": ("params", "param", "parameters", "number of parameters"),
    "flops": ("flops", "gflops", "flop"),
    "gmacs": ("gmacs", "macs", "gmac"),
}
"""Metric -> how tables call it, in lower case and without punctuation."""
BY_SPELLING = {spelling: metric for metric, words in SPELLINGS.items() for spelling in words}
SHARES = (*METRICS, "dice", "auc")
"""Metrics that are printed as fractions or in per cent."""
MISSING = re.compile(
    r"(?:[-\u2010-\u2015\u2212]*|n\.?\s?[ar]\.?|n/a|n/r|na|none|\u2026|\.\.\.)", re.I
)
MARKS = "*\u2020\u2021\u00a7\u00b6\u2191\u2193\u00b9\u00b2\u00b3\u2070\u2074\u2075 \u00a0"
PLUS_MINUS = r"\s*%?\s*(?:\u00b1|\+/-|\+-)\s*"
VALUE = re.compile(rf"({NUMBER})\s*(%?)")
SPREAD = re.compile(rf"({NUMBER}){PLUS_MINUS}({NUMBER})\s*(%?)")
BRACKET = re.compile(rf"({NUMBER})\s*(%?)\s*[(\[]\s*({NUMBER})\s*%?\s*[)\]]")
RANGE = re.compile(
    rf"({NUMBER})\s*(%?)\s*[(\[]\s*({NUMBER})\s*(?:-|\u2013|,|;|to)\s*({NUMBER})\s*[)\]]"
)


@dataclass
class Column:
    """One column of a drafted table; ``parts`` are value, sd, low, high or bracket of its cells."""

    name: str
    metric: str | None
    unit: Unit | None
    cells: list[str]
    parts: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Recognised:
    """A table with recognised columns; the first one names the rows."""

    caption: str
    slugs: list[str]
    columns: list[Column]
    asks: list[str]


def slug(text: str) -> str:
    """Letters and digits of ASCII, joined by underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def metric_of(heading: str) -> str | None:
    """The metric that a heading names, with or without its unit; None if it names none."""
    bare = re.sub(r"[(\[][^)\]]*[)\]]", " ", heading)
    for text in (bare, *re.findall(r"[(\[]([^)\]]*)[)\]]", heading)):
        words = re.sub(r"[\u2191\u2193%*\u2019']", "", text.lower())
        words = re.sub(r"[^\w\u03ba]+", " ", words).replace("_", " ").strip()
        if words in BY_SPELLING:
            return BY_SPELLING[words]
    return None


def unit_suffix(heading: str) -> str:
    """What a heading says of the unit, for its name: ``_mm``, ``_m``, ``_g`` or nothing."""
    if found := re.search(r"[(\[]\s*(mm|m|g|k|voxels?|px|s|ms)\s*[)\]]", heading, re.I):
        return f"_{found.group(1).lower()}"
    return "_g" if re.match(r"\s*gflops", heading, re.I) else ""


def recognise(grid: Grid) -> Recognised:
    """Names, metrics, units and plain cells of a table, with all that it leaves open."""
    asks = list(grid.asks)
    header, body = _upright(grid.header, grid.body)
    columns: list[Column] = []
    for i in range(len(header[0])):
        levels = list(dict.fromkeys(level[i].strip() for level in header if level[i].strip()))
        columns.append(_column(levels or [f"column {i + 1}"], [row[i] for row in body], i, asks))
    for i, column in enumerate(columns):
        names = [other.name for other in columns[:i]]
        if column.name in names:
            asks.append(f"two columns are called '{column.name}'; say what the second is")
            column.name = f"{column.name}_{names.count(column.name) + 1}"
    if not any(column.metric in SHARES for column in columns):
        asks.append("no metric was recognised; remove the table, or name its columns")
    return Recognised(grid.caption, _slugs(columns[0].cells, asks), columns, asks)


def _upright(
    header: list[list[str]], body: list[list[str]]
) -> tuple[list[list[str]], list[list[str]]]:
    """The table with metrics as columns, turned if they stand in the first column."""
    first = [metric_of(row[0]) for row in body]
    across = [metric_of(cell) for cell in header[-1][1:]]
    if len(header) > 1 or any(across) or 2 * sum(m is not None for m in first) < len(first):
        return header, body
    turned = [list(row) for row in zip(*(header[0], *body), strict=True)]
    return [["Method", *turned[0][1:]]], turned[1:]


def _slugs(labels: list[str], asks: list[str]) -> list[str]:
    found: list[str] = []
    seen: dict[str, int] = {}
    for label in labels:
        name = slug(label) or "row"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 2:
            asks.append(
                f"a row '{label}' stands there twice; say in the slugs what sets them apart"
            )
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _column(levels: list[str], texts: list[str], index: int, asks: list[str]) -> Column:
    metric = next((m for level in reversed(levels) if (m := metric_of(level))), None)
    heading = next((level for level in reversed(levels) if metric_of(level)), levels[-1])
    above = [level for level in levels if level != heading]
    name = metric + unit_suffix(heading) if metric else _plain_name(heading)
    name = "_".join(part for part in (*(slug(a) for a in above), name) if part)
    if index == 0:
        return Column(name, None, None, [_bare(text) for text in texts])
    column = Column(name, metric, None, [])
    values = [_bare(text) for text in texts]
    values = _points(values, name, asks)
    read = [_read(value, heading) for value in values]
    numbers = [r for r in read if r is not None and r[0]]
    if not numbers or any(r is None for r in read):
        strange = [v for v, r in zip(values, read, strict=True) if r is None]
        if numbers and metric:
            asks.append(f"column '{name}' has cells that are no numbers: {'; '.join(strange[:5])}")
        column.metric = None
        column.cells = [
            "" if MISSING.fullmatch(v) else v for v in (values if numbers else map(_bare, texts))
        ]
        return column
    column.cells = [r[0] if r else "" for r in read]
    for part in ("sd", "low", "high", "bracket"):
        cells = [r[2].get(part, "") if r else "" for r in read]
        if any(cells):
            column.parts[part] = cells
    if "bracket" in column.parts:
        asks.append(f"column '{name}' has numbers in brackets; say what they are")
    if metric in SHARES:
        percent = "%" in " ".join(levels) or any(r[1] for r in numbers)
        column.unit = _unit(column, percent, asks)
    return column


def _plain_name(heading: str) -> str:
    return slug(re.sub(r"[(\[]\s*%?\s*[)\]]", "", heading)) or "column"


def _bare(text: str) -> str:
    """Without marks of footnotes and of the best value."""
    text = text.replace("\u00a0", " ").replace("\u2009", " ").strip()
    shorter = text.strip(MARKS)
    return shorter if shorter or not text else text


def _points(values: list[str], name: str, asks: list[str]) -> list[str]:
    """Decimal commas as points; a comma that may group thousands is asked for."""
    commas = [v for v in values if re.search(r"\d,\d", v)]
    if not commas or any(re.search(r"\d\.\d", v) for v in values):
        return values
    if all(re.search(r"\d,\d{3}(?!\d)", v) for v in commas):
        asks.append(f"column '{name}': a comma may group thousands or begin the decimals; type it")
        return values
    asks.append(f"column '{name}': commas were read as decimals")
    return [re.sub(r"(\d),(\d)", r"\1.\2", v) for v in values]


Read = tuple[str, bool, dict[str, str]]
"""A plain decimal (empty: missing), whether a per cent sign stood there, and its spread."""


def _read(text: str, heading: str) -> Read | None:
    """A cell; None if it is no number."""
    if MISSING.fullmatch(text):
        return "", False, {}
    if found := SPREAD.fullmatch(text):
        return _decimal(found.group(1)), bool(found.group(3)), {"sd": _decimal(found.group(2))}
    if found := RANGE.fullmatch(text):
        ends = {"low": _decimal(found.group(3)), "high": _decimal(found.group(4))}
        return _decimal(found.group(1)), bool(found.group(2)), ends
    if found := BRACKET.fullmatch(text):
        part = "sd" if re.search(r"\b(sd|std)\b", heading, re.I) else "bracket"
        return _decimal(found.group(1)), bool(found.group(2)), {part: _decimal(found.group(3))}
    if (found := VALUE.fullmatch(text)) and "," not in text:
        return _decimal(found.group(1)), bool(found.group(2)), {}
    return None


def _decimal(text: str) -> str:
    plain = text.replace("\u2212", "-").removeprefix("+")
    return re.sub(r"^(-?)\.", r"\g<1>0.", plain)


def _unit(column: Column, percent: bool, asks: list[str]) -> Unit:
    """Per cent if the table says so or a value is above 1; what contradicts that is asked for."""
    values = [abs(float(cell)) for cell in column.cells if cell]
    above = any(value > 1 for value in values)
    if column.metric in SIGNED and not above:
        return "fraction"
    if (percent or above) and any(0 < value <= 1 for value in values):
        asks.append(f"column '{column.name}': some cells look like fractions, some like per cent")
    if any(value > 100 for value in values):
        asks.append(f"column '{column.name}' has a value above 100 per cent")
    return "percent" if percent or above else "fraction"
