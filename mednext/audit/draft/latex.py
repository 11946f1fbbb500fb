"""Tables of LaTeX: the tabular environments of a source, without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mednext.audit.draft.grid import MOST_CELLS, Grid, split_header
from mednext.audit.draft.markup import MERGED

TABULAR = re.compile(r"\\begin\{(tabular[x*]?|longtable)\}(.*?)\\end\{\1\}", re.S)
RULES = re.compile(
    r"\\(?:toprule|midrule|bottomrule|hline|endhead|endfirsthead)\b"
    r"|\\(?:cline|cmidrule)(?:\([^)]*\))?\{[^}]*\}"
    r"|\\(?:rowcolor|cellcolor)(?:\[[^\]]*\])?\{[^}]*\}"
    r"|\\addlinespace(?:\[[^\]]*\])?"
)
DROPPED = re.compile(r"~?\\(?:cite[a-z]*|ref|label|footnote|tnote)\*?(?:\[[^\]]*\])*\{[^{}]*\}")
MARKS = re.compile(r"\^\{?\s*(?:\\(?:dagger|ddagger|ast|star)|[*a-z])\s*\}?")
SYMBOLS = {
    r"\pm": "\u00b1",
    r"\uparrow": "",
    r"\downarrow": "",
    r"\&": "&",
    r"\%": "%",
    r"\_": "_",
    r"\#": "#",
    r"\,": "",
    r"\;": "",
    "~": " ",
    "--": "\u2013",
    "$": "",
}
SPAN = re.compile(r"^\\multicolumn\{(\d{1,3})\}\{[^{}]*\}\{(.*)\}$", re.S)
ROWS = re.compile(r"^\\multirow\*?(?:\[[^\]]*\])?\{(\d{1,3})\}\{[^{}]*\}\{(.*)\}$", re.S)


def latex_grids(source: str) -> Iterator[Grid]:
    """Every tabular that has a row of numbers."""
    source = re.sub(r"(?<!\\)%[^\n]*", "", source)
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


def _grid(body: str, caption: str) -> Grid | None:
    rows: list[list[str]] = []
    asks: list[str] = []
    waiting: dict[int, tuple[int, str]] = {}  # column -> rows that a cell above still spans
    cells = 0
    for line in re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline", body):
        line = RULES.sub("", line).strip()
        if not line:
            continue
        row: list[str] = []
        for raw in re.split(r"(?<!\\)&", line):
            text, times = raw.strip(), 1
            if spans := SPAN.match(text):
                times, text = int(spans.group(1)), spans.group(2).strip()
            if down := ROWS.match(text):
                text = down.group(2)
                waiting[len(row)] = (int(down.group(1)) - 1, _plain(text))
            elif not text and waiting.get(len(row), (0, ""))[0] > 0:
                left, above = waiting[len(row)]
                waiting[len(row)] = (left - 1, above)
                text = above
                if any(re.search(r"\d", cell) for cell in line.split("&")) and MERGED not in asks:
                    asks.append(MERGED)
            row += [_plain(text)] * times
        cells += len(row)
        if cells > MOST_CELLS:
            break
        rows.append(row)
    return split_header(rows, caption, asks)


def _plain(text: str) -> str:
    """A cell's text without commands, emphasis and footnote marks."""
    text = DROPPED.sub("", text)
    text = MARKS.sub("", text)
    for command, sign in SYMBOLS.items():
        text = text.replace(command, sign)
    text = re.sub(r"\\[a-zA-Z]+\*?", " ", text)
    text = re.sub(r"_\{?(\w)\}?", r"\1", text) if re.search(r"[A-Z]_", text) else text
    return re.sub(r"\s+", " ", text.replace("{", "").replace("}", "")).strip()
