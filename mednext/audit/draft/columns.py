"""What a table's columns are: metric, unit, spread; and its cells as plain decimals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import takewhile

from mednext.audit.bands import Unit
from mednext.audit.draft.grid import GROUP, NUMBER, NUMERIC, Grid, raised
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
    "kappa": ("kappa", "cohens kappa", "cohen kappa"),
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
    r"(?:[-\u2010-\u2015\u2212]*|n\.?\s?[ar]\.?|n/a|n/r|na|none|k\.?\s?a\.?|\u2026|\.\.\.)", re.I
)
LABEL = re.compile(r"(?:methods?|models?|networks?|algorithms?|architectures?)\b", re.I)
"""How the column is headed that names the rows, where that is not the first one."""
MARKS = "*\u2020\u2021\u00a7\u00b6\u2191\u2193\u00b9\u00b2\u00b3\u2070\u2074\u2075"
PLUS_MINUS = r"\s*%?\s*(?:\u00b1|\+/-|\+-)\s*"
VALUE = re.compile(rf"({NUMBER})\s*(%?)")
CHANGE = re.compile(rf"({NUMBER}\s*%?)\s*[(\[]\s*[-+\u2212]\s*{NUMBER}\s*%?\s*[)\]]")
"""A number with what it has more or less than another."""
OF = re.compile(rf"({NUMBER})\s*(%?)\s*[(\[]\s*(\d+)\s*/\s*(\d+)\s*[)\]]")
PARTS = ("sd", "low", "high", "hits", "of", "bracket")
COSTS = ("params", "flops", "gmacs")
THOUSANDS = re.compile(r"([-+\u2212]?\d{1,3}(?: \d{3})+)((?:[.,]\d+)?\s*%?)")
COUNT = re.compile(r"[(\[,;]?\s*\bn\s*=\s*\d[\d\s,.]*[)\]]?", re.I)
"""The number of cases in a heading."""
NO_NAME = re.compile(
    r"[\u00d7x\u00b7*]?\s*10\^-?\d+|\d+\s*%\s*(?:ci|confidence intervals?)\b"
    r"|(?:\u00b1|\+/-)\s*(?:sd|std|se)\b|,\s*(?:mm|ms|m|g)\s*$",
    re.I,
)
"""What a heading says besides the metric: powers of ten, intervals, spreads, units."""
KIND = re.compile(
    r"(macro|micro|weighted|mean|average|avg|test|train|validation|val|top \d+)"
    r"(?: averaged?| avg)? "
    r"|m(?=(?:iou|dice|dsc)$)"
)
"""What stands before a metric and is no part of it; the m of mIoU is a mean."""
NO_KIND = re.compile(
    rf"|mm|m|g|k|b|voxels?|px|s|ms|.*\b(?:sd|std|se|ci|iqr|mean|median|range)\b.*"
    rf"|{'|'.join(map(re.escape, BY_SPELLING))}"
)
"""What stands in brackets behind a metric without setting it apart: units, spreads, synonyms."""
PREFIX = {"6": "m", "9": "g", "3": "k"}
"""Powers of ten in a heading -> unit of the column's name."""
SPREAD = re.compile(rf"({NUMBER}){PLUS_MINUS}({NUMBER})\s*(%?)")
BRACKET = re.compile(rf"({NUMBER})\s*(%?)\s*[(\[]\s*({NUMBER})\s*%?\s*[)\]]")
RANGE = re.compile(
    rf"({NUMBER})\s*(%?)\s*[(\[]\s*({NUMBER})\s*(?:-|\u2013|,|;|to)\s*({NUMBER})\s*[)\]]"
)


@dataclass
class Column:
    """One column of a drafted table; ``parts`` are the :data:`PARTS` of its cells."""

    name: str
    metric: str | None
    unit: Unit | None
    cells: list[str]
    parts: dict[str, list[str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Headings of the column and of its parts."""
        return [self.name, *(f"{self.name}_{part}" for part in self.parts)]


@dataclass
class Recognised:
    """A table with recognised columns; ``labels`` are the texts that name its rows."""

    caption: str
    slugs: list[str]
    labels: list[str]
    columns: list[Column]
    asks: list[str]


def _spelled_out(text: str) -> str:
    """Ligatures and other forms of letters as letters, Greek ones by their names."""
    return "".join(
        f" {unicodedata.name(sign).split()[-1].lower()} "
        if "GREEK" in unicodedata.name(sign, "")
        else sign
        for sign in unicodedata.normalize("NFKC", text)
    )


def slug(text: str) -> str:
    """Letters and digits of ASCII, joined by underscores."""
    plain = unicodedata.normalize("NFKD", _spelled_out(text)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def metric_of(heading: str) -> str | None:
    """The metric that a heading names, with or without its unit; None if it names none."""
    return _metric_and_kind(heading)[0]


def _metric_and_kind(heading: str) -> tuple[str | None, list[str]]:
    """The metric, and what sets it apart: "Macro F1" is f1 and macro, "Dice (WT)" dice and wt."""
    bare = re.sub(r"[(\[][^)\]]*[)\]]", " ", heading)
    brackets = [_words(text) for text in re.findall(r"[(\[]([^)\]]*)[)\]]", heading)]
    kinds = [slug(text) for text in brackets if not NO_KIND.fullmatch(text) and text.count(" ") < 3]
    for words, others in ((_words(bare), kinds), *((text, []) for text in brackets)):
        if words in BY_SPELLING:
            return BY_SPELLING[words], others
        kind = KIND.match(words)
        if kind and words[kind.end() :] in BY_SPELLING:
            first = "mean" if kind.group(1) is None else slug(kind.group(1))
            return BY_SPELLING[words[kind.end() :]], [first, *others]
    return None, []


def _words(text: str) -> str:
    """Lower case, without punctuation, units, intervals and spreads."""
    words = re.sub(r"[\u2191\u2193%*\u2019']", "", _spelled_out(NO_NAME.sub("", text)).lower())
    return re.sub(r"\W+", " ", words).replace("_", " ").strip()


def unit_suffix(heading: str) -> str:
    """What a heading says of the unit, for its name: ``_mm``, ``_m``, ``_g`` or nothing."""
    if found := re.search(r"[(\[,]\s*(mm|m|g|k|voxels?|px|s|ms)\s*(?:[)\]]|$)", heading, re.I):
        return f"_{found.group(1).lower()}"
    if found := re.search(r"10\^([369])", heading):
        return f"_{PREFIX[found.group(1)]}"
    return "_g" if re.match(r"\s*gflops", heading, re.I) else ""


def recognise(grid: Grid) -> Recognised:
    """Names, metrics, units and plain cells of a table, with all that it leaves open."""
    asks = list(grid.asks)
    header, body = _upright(grid.header, grid.body)
    for text in dict.fromkeys(cell for level in header for cell in level if COUNT.search(cell)):
        asks.append(f"the heading '{text}' may state the size of a test set")
    header = [[_heading(cell) for cell in level] for level in header]
    label = _label(header, body)
    mark = _decimal_mark([cell for row in body for cell in row])
    columns: list[Column] = []
    for i in range(len(header[0])):
        levels = list(dict.fromkeys(level[i] for level in header if level[i]))
        texts = [row[i] for row in body]
        columns.append(_column(levels or [f"column {i + 1}"], texts, i == label, mark, asks))
    used = {"slug"}
    for column in columns:
        name, number = column.name, 2
        while used & set(column.names()):
            column.name, number = f"{name}_{number}", number + 1
        if number == 3:
            asks.append(f"two columns are called '{name}'; say what the second is")
        used |= set(column.names())
    if not any(column.metric in SHARES for column in columns):
        asks.append("no metric was recognised; remove the table, or name its columns")
    labels = [" ".join(dict.fromkeys(_text(row[i]) for i in _alike(header, label))) for row in body]
    return Recognised(grid.caption, _slugs(labels, asks), labels, columns, asks)


Rows = list[list[str]]


def _heading(text: str) -> str:
    """A heading without arrows, marks and numbers of cases; raised digits as powers."""
    text = re.sub(
        "[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+",
        lambda found: raised(
            text[: found.start()].rstrip(), unicodedata.normalize("NFKC", found.group())
        ),
        text,
    )
    return _text(COUNT.sub(" ", text))


def _label(header: Rows, body: Rows) -> int:
    """The column whose texts name the rows."""
    first = int(header[-1][0] == GROUP)
    for i in range(first, len(header[0])):
        texts = [row[i] for row in body]
        numbers = sum(bool(NUMERIC.match(text)) for text in texts)
        if any(LABEL.match(level[i]) for level in header) and 2 * numbers < len(texts):
            return i
    return first


def _alike(header: Rows, label: int) -> list[int]:
    """The column of the labels and those right of it under the same heading."""
    heads = list(zip(*header, strict=True))
    rest = range(label, len(heads))
    return list(takewhile(lambda i: heads[i] == heads[label], rest))


def _upright(header: Rows, body: Rows) -> tuple[Rows, Rows]:
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


def _column(levels: list[str], texts: list[str], label: bool, mark: str, asks: list[str]) -> Column:
    heading = next((level for level in reversed(levels) if metric_of(level)), levels[-1])
    metric, kinds = _metric_and_kind(heading)
    above = [slug(level) for level in levels if level != heading]
    name = metric + unit_suffix(heading) if metric else _plain_name(heading)
    name = "_".join(part for part in (*above, *kinds, name) if part)
    if label:
        return Column(name, None, None, [_text(text) for text in texts])
    column = Column(name, metric, None, [])
    texts = _points([_spaces(text) for text in texts], name, mark, asks)
    values = [_number_alone(text) for text in texts]
    if metric in COSTS:
        values, ending = _without_ending(values)
        column.name += ending if not unit_suffix(heading) else ""
    read = [_read(value, heading) for value in values]
    numbers = [r for r in read if r is not None and r[0]]
    if not numbers or any(r is None for r in read):
        strange = [t for t, r in zip(texts, read, strict=True) if r is None]
        if numbers and metric:
            asks.append(f"column '{name}' has cells that are no numbers: {'; '.join(strange[:5])}")
        column.metric = None
        column.cells = [
            "" if MISSING.fullmatch(v) else v if r else _text(t)
            for t, v, r in zip(texts, values, read, strict=True)
        ]
        return column
    column.cells = [r[0] if r else "" for r in read]
    for part in PARTS:
        cells = [r[2].get(part, "") if r else "" for r in read]
        if any(cells):
            column.parts[part] = cells
    if "bracket" in column.parts:
        asks.append(f"column '{name}' has numbers in brackets; say what they are")
    if any(CHANGE.fullmatch(value) for value in values):
        asks.append(f"column '{name}' has differences in brackets, which were left out")
    if metric in SHARES:
        said = re.sub(r"\d\s*%", "", " ".join(levels))  # "95% CI" states no unit
        percent = bool(re.search(r"%|\bper ?cent\b", said, re.I)) or any(r[1] for r in numbers)
        column.unit = _unit(column, percent, asks)
    return column


def _plain_name(heading: str) -> str:
    return slug(re.sub(r"[(\[]\s*%?\s*[)\]]", "", heading)) or "column"


def _spaces(text: str) -> str:
    """Every kind of space as a plain one."""
    return re.sub(r"\s+", " ", text).strip()


def _text(text: str) -> str:
    """A text without the marks of footnotes and of the best value."""
    text = re.sub(r"(?<!\w):[a-z0-9_+]+:(?!\w)", "", _spaces(text)).strip()  # emoji by name
    shorter = text.lstrip(MARKS)
    shorter = text if shorter.startswith(" ") else shorter  # "* a note" is no marked name
    return shorter.rstrip(MARKS + " ") or text


def _number_alone(text: str) -> str:
    """What may be a number without marks, pictures and groups of thousands."""
    shorter = "".join(c for c in text if unicodedata.category(c) != "So").strip(MARKS + " ")
    shorter = re.sub(r"(?<=[\d)\]%])\s*n\.?s\.?$", "", shorter).rstrip(MARKS + " ")
    shorter = re.sub(r"(?<=\d)[\u00b7\u2219](?=\d)", ".", shorter)
    if found := THOUSANDS.fullmatch(shorter):
        shorter = found.group(1).replace(" ", "") + found.group(2)
    return shorter or text


def _without_ending(values: list[str]) -> tuple[list[str], str]:
    """Costs without the k, M or G behind each of them, and what that adds to the column's name."""
    endings = {v[-1] for v in values if not MISSING.fullmatch(v)}
    if len(endings) == 1 and (ending := endings.pop()) in "kMG":
        return [v.removesuffix(ending).strip() for v in values], f"_{ending.lower()}"
    return values, ""


def _decimal_mark(texts: list[str]) -> str:
    """Whether numbers have decimal commas or points; empty if that cannot be told."""
    marks = {
        mark
        for mark in ",."
        for text in texts
        if re.match(rf"\W{{0,3}}(?:\d*[{mark}](?:\d{{1,2}}|\d{{4,}})|0[{mark}]\d+)(?![\d,.])", text)
    }
    return marks.pop() if len(marks) == 1 else ""


def _points(values: list[str], name: str, mark: str, asks: list[str]) -> list[str]:
    """Decimal commas as points, without groups of thousands; what was done is asked for."""
    mark = _decimal_mark(values) or mark
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


Read = tuple[str, bool, dict[str, str]]
"""A plain decimal (empty: missing), whether a per cent sign stood there, and its spread."""


def _read(text: str, heading: str) -> Read | None:
    """A cell; None if it is no number."""
    if MISSING.fullmatch(text):
        return "", False, {}
    if found := CHANGE.fullmatch(text):
        text = found.group(1)
    if found := SPREAD.fullmatch(text):
        return _decimal(found.group(1)), bool(found.group(3)), {"sd": _decimal(found.group(2))}
    if found := RANGE.fullmatch(text):
        ends = {"low": _decimal(found.group(3)), "high": _decimal(found.group(4))}
        return _decimal(found.group(1)), bool(found.group(2)), ends
    if found := OF.fullmatch(text):
        parts = {"hits": found.group(3), "of": found.group(4)}
        return _decimal(found.group(1)), bool(found.group(2)), parts
    if found := BRACKET.fullmatch(text):
        part = "sd" if re.search(r"\b(sd|std)\b", heading, re.I) else "bracket"
        return _decimal(found.group(1)), bool(found.group(2)), {part: _decimal(found.group(3))}
    if (found := VALUE.fullmatch(text)) and "," not in text:
        return _decimal(found.group(1)), bool(found.group(2)), {}
    return None


def _decimal(text: str) -> str:
    plain = text.replace("\u2212", "-")
    return re.sub(r"^([-+]?)\.", r"\g<1>0.", plain)


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
