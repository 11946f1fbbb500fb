"""One grid of cells as Markdown, HTML and LaTeX."""

from __future__ import annotations

from html import escape

from mednext.report.build import Table
from mednext.report.cells import Form, Text, grid, headings, letter

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
    '"': r"\textquotedbl{}",
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
    "[": r"{[}",
    "]": r"{]}",
}


def markdown(table: Table, form: Form) -> str:
    """A GitHub-flavoured table with its notes."""
    title, lines = headings(table, form)
    header, rows, notes = grid(table, form)
    out = [f"# {title}", ""]
    for line in lines:
        out += [f"**{line}**" if line.startswith("PHANTOM") else line, ""]
    out.append("| " + " | ".join(_md(Text(h)) for h in header) + " |")
    out.append("|---|" + "---:|" * (len(header) - 1))
    out += ["| " + " | ".join(_md(cell) for cell in row) + " |" for row in rows]
    out += [""] + [f"({letter(i)}) {_plain(note)}  " for i, note in enumerate(notes)]
    return "\n".join(out).rstrip() + "\n"


def _md(cell: Text) -> str:
    words, rest = _plain(cell.words), _plain(cell.rest)
    if cell.bold:
        return f"**{words}**{rest}"
    return f"<u>{words}</u>{rest}" if cell.underlined else words + rest


def _plain(text: str) -> str:
    """``text`` on one line, with nothing that Markdown would read as a cell border or a tag."""
    return " ".join(text.split("\n")).replace("|", "\\|").replace("<", "&lt;")


def html(table: Table, form: Form) -> str:
    """A table element with caption and notes, to stand alone or inside the page."""
    title, lines = headings(table, form)
    header, rows, notes = grid(table, form)
    out = ['<figure class="table">', '<div class="scroll" tabindex="0"><table>']
    out.append(f"<caption><strong>{escape(title)}</strong>")
    for line in lines:
        kind = ' class="phantom"' if line.startswith("PHANTOM") else ""
        out.append(f"<br><span{kind}>{escape(line)}</span>")
    out.append("</caption><thead><tr>")
    out += [f'<th scope="col">{escape(h)}</th>' for h in header]
    out.append("</tr></thead><tbody>")
    for row in rows:
        cells = [f'<th scope="row">{escape(row[0].words)}</th>']
        cells += [f"<td>{_html(cell)}</td>" for cell in row[1:]]
        out.append("<tr>" + "".join(cells) + "</tr>")
    out.append("</tbody></table></div>")
    if notes:
        parts = [f"({letter(i)}) {escape(note)}" for i, note in enumerate(notes)]
        out.append("<figcaption>" + "<br>".join(parts) + "</figcaption>")
    out.append("</figure>")
    return "\n".join(out) + "\n"


def _html(cell: Text) -> str:
    # What follows has lines of its own and breaks only around the interval, so that a table of
    # seven such columns fits the page.
    words, rest = escape(cell.words), escape(cell.rest)
    if rest:
        rest = "<br>" + rest.strip().replace(" ", "\u00a0").replace("\u00a0[", " [")
    if cell.bold:
        return f"<strong>{words}</strong>{rest}"
    return f"<u>{words}</u>{rest}" if cell.underlined else words + rest


def latex(table: Table, form: Form) -> str:
    """A standalone document with a booktabs table."""
    title, lines = headings(table, form)
    header, rows, notes = grid(table, form)
    body = [" & ".join(_tex(Text(h)) for h in header) + r" \\", r"\midrule"]
    body += [" & ".join(_tex(cell) for cell in row) + r" \\" for row in rows]
    small = [escape_latex(line) for line in lines]
    small += [f"({letter(i)}) {escape_latex(note)}" for i, note in enumerate(notes)]
    return "\n".join(
        [
            r"\documentclass[border=4pt,varwidth=60cm]{standalone}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage{booktabs}",
            r"\begin{document}",
            rf"\textbf{{{escape_latex(title)}}}\par\smallskip",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}\par\smallskip",
            r"\footnotesize",
            "\\par\n".join(small),
            r"\end{document}",
            "",
        ]
    )


def _tex(cell: Text) -> str:
    words, rest = escape_latex(cell.words), escape_latex(cell.rest)
    if cell.bold:
        return rf"\textbf{{{words}}}{rest}"
    return rf"\underline{{{words}}}{rest}" if cell.underlined else words + rest


def escape_latex(text: str) -> str:
    """``text`` with every character that LaTeX reads as a command replaced."""
    return "".join(LATEX.get(char, char) for char in text)
