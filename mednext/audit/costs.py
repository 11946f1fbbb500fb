"""``additivity*.csv`` and ``modules.csv``: the additive columns beside our counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mednext.audit.additivity import SLACK, Column, columns
from mednext.audit.paper import Additive, Paper
from mednext.audit.printed import decimal_text
from mednext.audit.schema import AdditivityRow, CheckRow, ModuleRow, RepairRow
from mednext.results import CONVENTIONS, CostRow, cost_verdict, read_rows

Counted = dict[str, CostRow]
"""Row of a table -> the count of the network with its modules."""


def counted(paper: Paper, rule: Additive, cost: Path | None) -> Counted:
    """The rows of ``cost.csv`` that are rows of a table; those not counted there are left out.

    Raises:
        UserError: ``cost`` is given but missing or malformed.
    """
    if cost is None or rule.measured is None:
        return {}
    measured = rule.measured
    heads = {
        row.method: row
        for row in read_rows(cost, CostRow)
        if row.num_classes == measured.num_classes
    }
    names = {
        slug: [measured.prefix + slug, *([measured.also[slug]] if slug in measured.also else [])]
        for slug in paper.rows(rule.table)
    }
    return {
        slug: next(heads[m] for m in methods if m in heads)
        for slug, methods in names.items()
        if any(m in heads for m in methods)
    }


def value_of(row: CostRow, quantity: str) -> float:
    """A count in the printed unit: millions of parameters, or GMACs."""
    return row.params / 1e6 if quantity == "params" else row.gmacs_torch


def nearest_counter(row: CostRow, printed: float) -> tuple[str, float]:
    """The way of counting multiply-accumulates that comes nearest to a printed cost."""
    counts = {name: getattr(row, column) for name, column in CONVENTIONS.items()}
    known = {name: float(count) for name, count in counts.items() if count is not None}
    name = min(known, key=lambda counter: abs(known[counter] - printed))
    return name, known[name]


def conventions(rows: Sequence[AdditivityRow]) -> list[tuple[int, str, int, int, list[str]]]:
    """Table and column of judged multiply-accumulates: how many of how many cells match, and in
    which ways of counting.
    """
    found = []
    for table, column in dict.fromkeys((r.table, r.column) for r in rows if r.counter):
        judged = [r for r in rows if (r.table, r.column) == (table, column) and r.counter]
        matched = Counter(r.counter for r in judged if r.verdict_measured == "matches")
        words = [f"{n} as {counter} counts" for counter, n in matched.most_common()]
        found.append((table, column, matched.total(), len(judged), words))
    return found


class Additivity:
    """The additivity check of all tables of a paper.

    Args:
        paper: the printed cells.
        cost: a ``cost.csv``, or None if nothing was counted.
    """

    def __init__(self, paper: Paper, cost: Path | None) -> None:
        self.paper = paper
        self.parts = [
            (rule, column, system, counted(paper, rule, cost))
            for rule in paper.spec.additivity
            for column, system in columns(paper, rule)
        ]

    def cell_rows(self) -> Iterator[AdditivityRow]:
        """One row per printed cost."""
        for rule, column, system, counts in self.parts:
            unit = 10.0**rule.decimals
            fitted = system.design @ system.fit / unit
            repairs = system.repairs
            involved = [slug for repair in repairs for slug in repair.needed]
            measured = self._measured(rule, column, counts)
            rest = self._measured_modules(rule, column, system, counts)
            for i, slug in enumerate(system.names):
                printed = system.cells[slug] / unit
                needed = [_text(r.needed[slug], rule) for r in repairs if slug in r.needed]
                count, judged = measured.get(slug), measured.get(slug)
                note = counter = None
                if slug in counts and rule.quantities[column] == "gmacs":
                    counter, judged = nearest_counter(counts[slug], printed)
                # What a row lacks may be exactly the part that all rows share.
                lacks = None if count is None or rest is None else count - printed - rest[0]
                if rest is not None and lacks is not None and abs(lacks) < 1.5 / unit < rest[0]:
                    note = f"lacks what all networks share by our count ({rest[0]:.3f})"
                yield AdditivityRow(
                    table=rule.table,
                    slug=slug,
                    column=column,
                    printed=self.paper.cell(rule.table, slug, column),
                    fitted=round(float(fitted[i]), 4),
                    residual=round(printed - float(fitted[i]), 4),
                    repaired=" or ".join(dict.fromkeys(n or "any" for n in needed)) or None,
                    measured=None if count is None else round(count, 6),
                    difference=None if count is None else round(printed - count, 6),
                    verdict=(
                        "consistent"
                        if slug not in involved
                        else "in the smallest repair"
                        if all(slug in r.needed for r in repairs)
                        else "may be in the smallest repair"
                    ),
                    counter=counter,
                    verdict_measured=_against(judged, printed, rule.decimals),
                    note=note,
                )

    def check_rows(self) -> Iterator[CheckRow]:
        """One row per independent relation between rows."""
        for rule, column, system, _ in self.parts:
            rows = self.paper.rows(rule.table)
            for relation in system.relations:
                terms = [
                    f"{'-' if w < 0 else '+'} {'' if abs(w) == 1 else f'{abs(w)} '}"
                    f"{rows[slug][rule.label]}"
                    for slug, w in relation.weights.items()
                ]
                yield CheckRow(
                    table=rule.table,
                    column=column,
                    relation=" ".join(terms).removeprefix("+ ") + " = 0",
                    left_over=decimal_text(relation.left_over / 10**rule.decimals, rule.decimals),
                    tolerance=decimal_text(
                        relation.tolerance / 10**rule.decimals, rule.decimals + 2
                    ),
                    verdict="holds" if relation.holds else "fails",
                )

    def repair_rows(self) -> Iterator[RepairRow]:
        """One row per cell of every smallest repair."""
        for rule, column, system, _ in self.parts:
            for number, repair in enumerate(system.repairs, start=1):
                for slug, needed in repair.needed.items():
                    yield RepairRow(
                        table=rule.table,
                        column=column,
                        repair=number,
                        slug=slug,
                        printed=self.paper.cell(rule.table, slug, column),
                        needed=_text(needed, rule),
                    )

    def module_rows(self) -> Iterator[ModuleRow]:
        """One row per module and cost."""
        for rule, column, system, counts in self.parts:
            unit = 10.0**rule.decimals
            repaired = None
            if len(system.repairs) == 1:
                repaired = _repaired(system)
            measured = self._measured_modules(rule, column, system, counts)
            best = system.fit if repaired is None else repaired
            for i, module in enumerate(system.modules):
                yield ModuleRow(
                    table=rule.table,
                    column=column,
                    module=module,
                    printed_fit=_rounded(system.fit[i] / unit),
                    repaired_fit=None if repaired is None else _rounded(repaired[i] / unit),
                    measured_fit=None if measured is None else _rounded(measured[i]),
                    rank=system.rank,
                    unknowns=len(system.modules),
                    equations=len(system.names),
                    verdict=(
                        "above zero" if best[i] > system.doubt[i] + SLACK else "not above zero"
                    ),
                )

    @staticmethod
    def _measured(rule: Additive, column: str, counts: Counted) -> dict[str, float]:
        return {slug: value_of(row, rule.quantities[column]) for slug, row in counts.items()}

    def _measured_modules(
        self, rule: Additive, column: str, system: Column, counts: Counted
    ) -> np.ndarray | None:
        """Modules by our counts; None unless every row of the column was counted."""
        values = self._measured(rule, column, counts)
        if any(slug not in values for slug in system.names):
            return None
        every = range(len(system.names))
        return system.solve_rows(every, [values[slug] for slug in system.names])


def _repaired(system: Column) -> np.ndarray | None:
    """Modules (units) after the only smallest repair; cells that it leaves open are left out."""
    needed = system.repairs[0].needed
    values = {slug: needed.get(slug, cell) for slug, cell in system.cells.items()}
    known = [i for i, slug in enumerate(system.names) if values[slug] is not None]
    if np.linalg.matrix_rank(system.design[known]) < system.rank:
        return None
    return system.solve_rows(known, np.array([values[system.names[i]] for i in known], dtype=float))


def _text(value: float | None, rule: Additive) -> str | None:
    return None if value is None else f"{value / 10**rule.decimals:.{rule.decimals}f}"


def _rounded(value: float) -> float:
    return round(float(value), 4) + 0.0  # no minus zero


def _against(
    count: float | None, printed: float, decimals: int
) -> Literal["matches", "near", "off", "not measured", "not printed"]:
    return "not measured" if count is None else cost_verdict(count, printed, decimals)
