"""``audit.md`` and the summary on the terminal, from the rows alone: no number is typed here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from mednext.audit.costs import conventions
from mednext.audit.run import Audit
from mednext.config.names import words
from mednext.results import grouped
from mednext.templates import markdown_cell, markdown_templates

LIKELY = 0.05
"""Splits are shown whose fits would be this rare among invented rows, or rarer."""


@dataclass(frozen=True)
class TableFits:
    """How many rows of a table a confusion matrix gives, at the stated test sizes."""

    table: int
    rows: int
    fits: int
    otherwise: int
    """Rows that fit if their cells were rounded up, or to fewer digits."""
    one_cell_off: int
    no_fit: int
    disease: int
    """Rows that fit with the disease as positive."""
    non_disease: int
    mixed: int
    """Rows that fit only if some metrics were rounded and others cut off."""


def fits_by_table(done: Audit) -> list[TableFits]:
    """Rows by their best verdict over both positive classes."""
    result = []
    for table in dict.fromkeys(row.table for row in done.confusion):
        found = [row for row in done.confusion if row.table == table]
        verdicts: dict[str, set[str]] = {}
        positives: dict[str, set[str]] = {"disease": set(), "non_disease": set()}
        for row in found:
            verdicts.setdefault(row.method, set()).add(row.verdict)
            if row.verdict == "fits":
                positives[row.positive].add(row.method)
        ranked = ("fits", "fits otherwise", "one cell off", "no fit")
        best = Counter(next(v for v in ranked if v in given) for given in verdicts.values())
        result.append(
            TableFits(
                table,
                len(verdicts),
                best["fits"],
                best["fits otherwise"],
                best["one cell off"],
                best["no fit"],
                disease=len(positives["disease"]),
                non_disease=len(positives["non_disease"]),
                mixed=len(
                    {r.method for r in found if r.convention}
                    - {r.method for r in found if r.convention not in (None, "mixed")}
                ),
            )
        )
    return result


def claim_counts(done: Audit) -> dict[str, int]:
    """Claims by verdict."""
    order = ("true", "true if cut off", "false", "not checkable")
    found: Counter[str] = Counter(row.verdict for row in done.claims)
    return {verdict: found[verdict] for verdict in order if found[verdict]}


def summary(done: Audit) -> str:
    """A few lines for the terminal."""
    lines = [
        f"table {t.table}: of {t.rows} rows, {t.fits} fit a confusion matrix, "
        + (f"{t.otherwise} if printed with fewer digits or rounded up, " if t.otherwise else "")
        + f"{t.one_cell_off} would but for one cell, {t.no_fit} do not"
        for t in fits_by_table(done)
    ]
    broken = Counter(row.rule for row in done.identities if row.verdict == "off")
    tried = Counter(row.rule for row in done.identities if row.verdict in ("off", "agrees"))
    lines += [
        f"rule {words(rule)}: {broken[rule]} of {n} cells off"
        for rule, n in tried.items()
        if rule not in ("repeated", "across")
    ]
    lines += [
        f"table {table}, {done.names.column(column)}: "
        f"{sum(c.verdict == 'holds' for c in checks)} of {len(checks)} additivity relations hold"
        for (table, column), checks in _grouped(done.additivity_checks).items()
    ]
    claims = claim_counts(done)
    if claims:
        lines.append("claims: " + ", ".join(f"{n} {verdict}" for verdict, n in claims.items()))
    return "\n".join(lines)


def report(done: Audit) -> str:
    """The Markdown report."""
    environment = markdown_templates("mednext.audit", "templates")
    environment.filters |= {"cell": _cell, "words": words, "named": done.names.of_claim}
    return environment.get_template("audit.md.j2").render(
        audit=done,
        names=done.names,
        summary=summary(done).splitlines(),
        fits=fits_by_table(done),
        fitting=[row for row in done.confusion if row.verdict.startswith("fits")],
        off=[m for m in done.misfits if m.off_column],
        lost=_lost(done),
        likely=[s for s in done.splits_by_table if s.fits and s.p_corrected <= LIKELY],
        likely_level=LIKELY,
        broken=[row for row in done.identities if row.verdict == "off"],
        repeated=[row for row in done.identities if row.verdict == "repeated"],
        checks=_grouped(done.additivity_checks),
        repairs=_grouped(done.additivity_repairs),
        modules=_grouped(done.modules),
        measured=[row for row in done.additivity if row.measured is not None],
        conventions=conventions(done.additivity),
        unmeasured=sum(row.measured is None for row in done.additivity),
        claims=claim_counts(done),
        false_claims=[c for c in done.claims if c.verdict in ("false", "true if cut off")],
        open_claims=[c for c in done.claims if c.verdict == "not checkable"],
        best_two=[row for row in done.significance if row.rank <= 2],
        close=[row for row in done.significance if row.verdict == "cannot differ"],
        unattainable=Counter(row.table for row in done.significance if not row.attainable),
    )


def _lost(done: Audit) -> list[Any]:
    """Of every row that no single cell explains, the misfit with the least deviation."""
    explained = {(m.table, m.method) for m in done.misfits if m.off_column}
    explained |= {(r.table, r.method) for r in done.confusion if r.verdict.startswith("fits")}
    nearest: dict[tuple[int, str], Any] = {}
    for m in done.misfits:
        key = (m.table, m.method)
        if key not in explained and (
            key not in nearest or float(m.deviation_pp) < float(nearest[key].deviation_pp)
        ):
            nearest[key] = m
    return list(nearest.values())


def _grouped(rows: Any) -> dict[tuple[int, str], list[Any]]:
    return grouped(rows, lambda row: (row.table, row.column))


def _cell(value: object) -> str:
    """A value inside a Markdown table."""
    return "" if value is None else markdown_cell(str(value))
