"""Tables of LaTeX: the tabular environments of a source, without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mednext.audit.draft.grid import Grid, check_size, raised, split_header
from mednext.audit.draft.markup import MERGED

TABULAR = re.compile(r"\\begin\{(tabular[x*]?|longtable)\}(.*?)\\end\{\1\}", re.S)
RULES = re.compile(
    r"\\(?:toprule|midrule|bottomrule|hline|endhead|endfirsthead)\b"
    r"|\\(?:cline|cmidrule)(?:\([^)]*\))?\{[^}]*\}"
    r"|\\(?:rowcolor|cellcolor|textcolor|color|rotatebox)(?:\[[^\]]*\])?\{[^}]*\}"
    r"|\\addlinespace(?:\[[^\]]*\])?"
    r"|\\[hv]?phantom\{(?:[^{}]|\{[^{}]*\})*\}"
)
DROPPED = re.compile(
    r"~?\\(?:cite[a-z]*|ref|label|footnote|tnote|textsuperscript)\*?(?:\[[^\]]*\])*"
    r"\{(?:[^{}]|\{[^{}]*\})*\}"
)
SYMBOLS = {
    r"\pm": "\u00b1",
    r"\times": "\u00d7",
    r"\uparrow": "",
    r"\downarrow": "",
    r"\&": "&",
    r"\%": "%",
    r"\_": "_",
    r"\#": "#",
    r"\,": "",
    r"\;": "",
    r"\\": " ",
    "~": " ",
    "--": "\u2013",
    "$": "",
}
PIECES = re.compile(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline\b|\\.|[{}&]|[^\\{}&]+", re.S)
ARGUMENT = r"\s*(?:\[[^\]]*\])?\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
SPAN = re.compile(rf"^\\multicolumn{ARGUMENT}{ARGUMENT}\s*(\{{.*\}})$", re.S)
ROWS = re.compile(rf"^\\multirow\*?{ARGUMENT}{ARGUMENT}(?:\[[^\]]*\])?\s*(\{{.*\}})$", re.S)


def latex_grids(source: str) -> Iterator[Grid]:
    """Every tabular that has a row of numbers."""
    source = re.sub(r"(?<!\\)%[^\n]*", "", source)
    source = re.sub(r"\\endfirsthead.*?\\endhead", "", source, flags=re.S)  # repeated on each page
    for found in TABULAR.finditer(source):
        around = source[max(0, found.start() - 2000) : found.start()]
        captions = re.findall(r"\\caption\{((?:[^{}]|\{[^{}]*\})*)\}", around)
        grid = _grid(_without_arguments(found.group(2)), _plain(captions[-1]) if captions else "")
        if grid is not None:
            yield grid


def _without_arguments(body: str) -> str:
    """The rows, without the widths and the column types."""
    body = body.lstrip()
    while body.startswith(("{", "[")):
        body = body[_end(body) :].lstrip()
    return body


def _end(text: str) -> int:
    """Behind the bracket that closes the first one."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign in "{[") - (sign in "}]")
        if depth == 0:
            return i + 1
    return len(text)


def _rows(body: str) -> Iterator[list[str]]:
    """The cells of every row; what stands in braces parts neither rows nor cells."""
    row, depth = [""], 0
    for found in PIECES.finditer(RULES.sub("", body)):
        piece = found.group()
        depth += (piece == "{") - (piece == "}")
        if depth == 0 and piece == "&":
            row.append("")
        elif depth == 0 and piece.startswith((r"\\", r"\tabularnewline")):
            yield [cell.strip() for cell in row]
            row = [""]
        else:
            row[-1] += piece
    yield [cell.strip() for cell in row]


def _bare(cell: str) -> str:
    """A cell without the braces around all of it."""
    for _ in range(5):
        if not (cell.startswith("{") and cell.endswith("}") and _end(cell) == len(cell)):
            break
        cell = cell[1:-1].strip()
    return cell


def _grid(body: str, caption: str) -> Grid | None:
    rows: list[list[str]] = []
    asks: list[str] = []
    waiting: dict[int, tuple[int, str]] = {}  # column -> rows that a cell above still spans
    cells = 0
    for line in _rows(body):
        if not any(line):
            continue
        row: list[str] = []
        for raw in line:
            text, times = _bare(raw), 1
            if spans := SPAN.match(text):
                times, text = _count(spans.group(1)), _bare(spans.group(3))
            if down := ROWS.match(text):
                text = down.group(3)
                waiting[len(row)] = (_count(down.group(1)) - 1, _plain(text))
            elif not text and waiting.get(len(row), (0, ""))[0] > 0:
                left, above = waiting[len(row)]
                waiting[len(row)] = (left - 1, above)
                text = above
                if any(re.search(r"\d", cell) for cell in line) and MERGED not in asks:
                    asks.append(MERGED)
            row += [_plain(text)] * times
        cells += len(row)
        check_size(1, cells)
        rows.append(row)
    return split_header(rows, caption, asks)


def _count(text: str) -> int:
    """How many rows or columns a cell spans."""
    return int(text) if re.fullmatch(r"\d{1,3}", text) else 1


def _plain(text: str) -> str:
    """A cell's text without commands, emphasis and footnote marks."""
    text = DROPPED.sub("", text)
    for command, sign in SYMBOLS.items():
        text = text.replace(command, sign)
    text = re.sub(
        r"\^\s*(?:\{([^{}]*)\}|(\\[a-zA-Z]+|.))",
        lambda found: raised(
            text[max(0, found.start() - 20) : found.start()], found.group(1) or found.group(2) or ""
        ),
        text,
    )
    text = re.sub(r"\\[a-zA-Z]+\*?", " ", text)
    text = re.sub(r"_\{?\s*(\u00b1)", r"\1", text)
    text = re.sub(r"_\{?(\w)\}?", r"\1", text) if re.search(r"[A-Z]_", text) else text
    return re.sub(r"\s+", " ", text.replace("{", "").replace("}", "")).strip()
