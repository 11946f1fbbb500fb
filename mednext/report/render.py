"""One grid of cells as Markdown, HTML and LaTeX."""

from __future__ import annotations

from html import escape

from mednext.report.cells import Form, Text, grid, headings, letter
from mednext.report.model import Table
from mednext.templates import markdown_cell

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    "–": "--",
    "✓": r"$\surd$",
    "≈": r"$\approx$",
    "✗": r"$\times$",
    "▲": r"$\triangle$",
    "▼": r"$\nabla$",
    "Δ": r"$\Delta$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "[": r"{[}",
    "]": r"{]}",
}


def markdown(table: Table, form: Form) -> str:
    """A GitHub-flavoured table with its notes."""
    title, lines = headings(table, form)
    return markdown_of(title, lines, *grid(table, form))


def markdown_of(
    title: str, lines: list[str], header: list[str], rows: list[list[Text]], notes: list[str]
) -> str:
    """The same of any grid of cells, its first column being the name of the row."""
    out = [f"# {title}", ""]
    for line in lines:
        line = markdown_cell(line)
        out += [f"**{line}**" if line.startswith("PHANTOM") else line, ""]
    out.append("| " + " | ".join(_md(Text(h)) for h in header) + " |")
    out.append("|---|" + "---:|" * (len(header) - 1))
    out += ["| " + " | ".join(_md(cell) for cell in row) + " |" for row in rows]
    out += [""] + [f"({letter(i)}) {_plain(note)}  " for i, note in enumerate(notes)]
    return "\n".join(out).rstrip() + "\n"


def _md(cell: Text) -> str:
    words = _plain(cell.words)
    if cell.bold:
        words = f"**{words}**"
    elif cell.underlined:
        words = f"<u>{words}</u>"
    marks = f"({', '.join(cell.marks)})" if cell.marks else ""
    return " ".join(p for p in (words, marks, *map(_plain, _after(cell))) if p)


def _after(cell: Text) -> tuple[str, str, str]:
    return cell.ours, cell.interval, cell.rest


def _plain(text: str) -> str:
    """``text`` on one line, with nothing that Markdown would read as a cell border or a tag."""
    return " ".join(text.split("\n")).replace("|", "\\|").replace("<", "&lt;")


def html(table: Table, form: Form) -> str:
    """A table element with caption and notes, to stand alone or inside the page."""
    title, lines = headings(table, form)
    return html_of(title, lines, *grid(table, form))


def html_of(
    title: str, lines: list[str], header: list[str], rows: list[list[Text]], notes: list[str]
) -> str:
    """The same of any grid of cells, its first column being the name of the row."""
    out = ['<figure class="table">', '<div class="scroll" tabindex="0"><table>']
    out.append(f"<caption><strong>{escape(title)}</strong>")
    for line in lines:
        kind = ' class="phantom"' if line.startswith("PHANTOM") else ""
        out.append(f"<br><span{kind}>{escape(line)}</span>")
    out.append("</caption><thead><tr>")
    out += [f'<th scope="col">{escape(h)}</th>' for h in header]
    out.append("</tr></thead><tbody>")
    for row in rows:
        cells = [f'<th scope="row">{_html(row[0])}</th>']
        cells += [f"<td>{_html(cell)}</td>" for cell in row[1:]]
        out.append("<tr>" + "".join(cells) + "</tr>")
    out.append("</tbody></table></div>")
    if notes:
        parts = [f"({letter(i)}) {escape(note)}" for i, note in enumerate(notes)]
        out.append("<figcaption>" + "<br>".join(parts) + "</figcaption>")
    out.append("</figure>")
    return "\n".join(out) + "\n"


def _html(cell: Text) -> str:
    # What follows has a line of its own and breaks only around the interval, so that a table of
    # seven such columns fits the page.
    words = escape(cell.words)
    if cell.bold:
        words = f"<strong>{words}</strong>"
    elif cell.underlined:
        words = f"<u>{words}</u>"
    if cell.marks:
        words += f"<sup>({', '.join(cell.marks)})</sup>"
    parts = [escape(part).replace(" ", "\u00a0") for part in _after(cell) if part]
    if not parts:
        return words
    return words + ("<br>" if cell.ours else " ") + " ".join(parts)


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1rem; }}
figure {{ margin: 0; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }}
caption {{ text-align: left; padding-bottom: .5rem; }}
th, td {{ padding: .25rem .6rem; text-align: right; vertical-align: top; }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom; }}
tbody tr:nth-child(even) {{ background: #f3f4f6; }}
th:first-child {{ text-align: left; position: sticky; left: 0; background: #fff; }}
tbody tr:nth-child(even) th {{ background: #f3f4f6; }}
figcaption {{ font-size: .85rem; margin-top: .5rem; }}
.phantom {{ color: #b00020; font-weight: 600; }}
@media print {{ @page {{ size: A4 landscape; margin: 8mm; }} body {{ font-size: 7pt; margin: 0; }}
  .scroll {{ overflow: visible; }} th, td {{ padding: 1pt 3pt; }} }}
</style>
</head>
<body>
{table}</body>
</html>
"""


def html_page(table: Table, form: Form) -> str:
    """The same as a document of its own: the first column stays in view, prints on A4."""
    return PAGE.format(title=escape(headings(table, form)[0]), table=html(table, form))


def latex(table: Table, form: Form) -> str:
    """A standalone document with a booktabs table, at most as wide as a landscape A4 page.

    Side by side, a cell is a stack: printed, ours, interval. The notes are as wide as the table.
    """
    title, lines = headings(table, form)
    header, rows, notes = grid(table, form)
    gap = r" \\\addlinespace" if form == "side" else r" \\"
    body = [" & ".join(_head(h) for h in header) + r" \\", r"\midrule"]
    body += [" & ".join(_tex(cell) for cell in row) + gap for row in rows]
    body[-1] = body[-1].removesuffix(r"\addlinespace")
    small = [escape_latex(line) for line in lines]
    small += [f"({letter(i)}) {escape_latex(note)}" for i, note in enumerate(notes)]
    return "\n".join(
        [
            r"\documentclass[border=4pt,varwidth=60cm]{standalone}",
            r"\usepackage{booktabs}",
            r"\newsavebox{\tablebox}",
            r"\begin{document}",
            r"\setlength{\tabcolsep}{4pt}\footnotesize",
            rf"\sbox{{\tablebox}}{{\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\begin{minipage}{\wd\tablebox}",
            rf"{{\normalsize\textbf{{{escape_latex(title)}}}}}\par\smallskip",
            r"\usebox{\tablebox}\par\smallskip",
            r"\raggedright",
            "\\par\n".join(small),
            r"\end{minipage}",
            r"\end{document}",
            "",
        ]
    )


def _head(words: str) -> str:
    """A column's name over its unit, so that it is no wider than its numbers."""
    name, bracket, unit = words.partition(" (")
    if not bracket or len(words) < 9:
        return escape_latex(words)
    return rf"\shortstack{{{escape_latex(name)}\\{escape_latex('(' + unit)}}}"


def _tex(cell: Text) -> str:
    words = escape_latex(cell.words)
    if cell.bold:
        words = rf"\textbf{{{words}}}"
    elif cell.underlined:
        words = rf"\underline{{{words}}}"
    if cell.marks:
        words += rf"\textsuperscript{{{','.join(cell.marks)}}}"
    if cell.ours:
        stack = [words, escape_latex(cell.ours)]
        stack += [escape_latex(part) for part in (cell.interval, cell.rest) if part]
        # The first lines share a baseline: a row is read along the printed values.
        lines = r"\\".join(stack)
        return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{lines}\end{{tabular}}"
    return f"{words} {escape_latex(cell.interval)}".rstrip()


def escape_latex(text: str) -> str:
    """``text`` with every character that LaTeX reads as a command, or cannot set, replaced."""
    return "".join(
        LATEX.get(char, char if ord(char) < 0x100 else f"U+{ord(char):04X}") for char in text
    )
