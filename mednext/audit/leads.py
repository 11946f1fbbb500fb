"""``leads.csv``: for every row that a column's winner leads, how likely the lead is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import exp, log, sqrt

import numpy as np

from mednext.audit.false_lead import accuracy_lead, dice_lead
from mednext.audit.identities import behind, decimals_of
from mednext.audit.misprints import Cell
from mednext.audit.paper import Leads, Paper
from mednext.audit.printed import Convention, decimal_text, number
from mednext.audit.schema import LeadRow
from mednext.results import AgreementRow, read_rows

PRIOR = {"accuracy": (20.0, 3.0, 150.0), "dice": (0.05, 0.015, 0.12)}
"""Association without any runs: middle, low and high. Odds ratio of being right together, and SD of
the paired difference of a patient's Dice. From the suite's own runs of three data sets, rounded:
5 % to 95 % of all pairs (``agreement.csv``)."""
FEWEST = 10
"""Pairs of which quantiles are taken; a data set with fewer takes all data sets."""
WELL, SUPPORTED = 0.25, 0.05
"""A lead may well be none from the first probability on; it is supported up to the second."""
Association = tuple[str, float, float, float]
"""Where it comes from; middle, low, high."""


def lead_rows(paper: Paper, read_as: Mapping[Cell, str]) -> Iterator[LeadRow]:
    """Every row behind the winner, in the order of the table.

    Args:
        paper: the printed cells.
        read_as: what cells have to be that the rest of their row contradicts; the printed value
            then widens the band.

    Raises:
        UserError: the winner's cell is empty, or ``agreement.csv`` is missing or malformed.
    """
    known: list[AgreementRow] = []
    if paper.spec.agreement is not None:
        known = read_rows(paper.folder / paper.spec.agreement, AgreementRow)
    for rule in paper.spec.leads:
        rows = paper.rows(rule.table)
        top = number(paper.cell(rule.table, rule.winner, rule.column))
        for slug, row in rows.items():
            cell = number(row[rule.column])
            read = read_as.get((rule.table, slug, rule.column))
            value = number(read) if read else cell
            if slug != rule.winner and top is not None and value is not None and value < top:
                yield _row(paper, rule, slug, read, association(rule, slug, known))


def association(rule: Leads, slug: str, known: Sequence[AgreementRow]) -> Association:
    """The association of a row with the winner, from the closest runs that there are.

    Of the pair itself: pooled over seeds, with a 95 % interval of its sampling error. Of a data
    set's (else all) pairs: the median, and 10 % to 90 % of them.
    """
    of_kind = [row for row in known if row.kind == rule.kind]
    here = [row for row in of_kind if row.dataset == rule.dataset]
    pair = {rule.also.get(name, rule.prefix + name) for name in (slug, rule.winner)}
    own = [row for row in here if {row.first, row.second} == pair]
    if own:
        return "pair", *_pooled(own)
    for name, rows in (("data set", here), ("all data sets", of_kind)):
        if len(rows) >= FEWEST:
            low, middle, high = np.quantile([_pooled([row])[0] for row in rows], (0.1, 0.5, 0.9))
            return name, float(middle), float(low), float(high)
    return "prior", *PRIOR[rule.kind]


def _pooled(rows: Sequence[AgreementRow]) -> tuple[float, float, float]:
    if rows[0].kind == "dice":
        squares = [row.sd_difference**2 for row in rows if row.sd_difference is not None]
        middle, freedom = sqrt(float(np.mean(squares))), sum(row.cases - 1 for row in rows)
        error = 1.96 / sqrt(2 * freedom)  # of the log of an SD of normal values
    else:
        counts = np.array(
            [[r.both or 0, r.only_first or 0, r.only_second or 0, r.neither or 0] for r in rows]
        )
        both, first, second, neither = counts.sum(axis=0) + 0.5  # Haldane's correction
        middle = float(both * neither / (first * second))
        error = 1.96 * sqrt(1 / both + 1 / first + 1 / second + 1 / neither)  # Woolf's interval
    return middle, exp(log(middle) - error), exp(log(middle) + error)


def _row(paper: Paper, rule: Leads, slug: str, read: str | None, how: Association) -> LeadRow:
    winner, printed = (paper.cell(rule.table, s, rule.column) for s in (rule.winner, slug))
    text = read or printed
    top, value = number(winner), number(text)
    assert top is not None and value is not None
    share = 100 if rule.unit == "percent" else 1
    source, *middle = how

    def probability(ahead: float, behind_: float, associated: float) -> float:
        of = accuracy_lead if rule.kind == "accuracy" else dice_lead
        return of(ahead / share, behind_ / share, rule.cases, associated)

    every = [
        probability(float(a), float(b), associated)
        for a, b, associated in product(_ends(winner), _ends(text, printed), middle)
    ]
    p = probability(float(top), float(value), middle[0])
    return LeadRow(
        **LeadRow.fields_of(rule),
        slug=slug,
        winner_printed=winner,
        printed=printed,
        read_as=read,
        lead=decimal_text(top - value, max(decimals_of(winner), decimals_of(text))),
        agreement=source,  # type: ignore[arg-type]
        association=round(middle[0], 4),
        association_low=round(middle[1], 4),
        association_high=round(middle[2], 4),
        p_false=round(p, 4),
        p_false_low=round(min(p, *every), 4),
        p_false_high=round(max(p, *every), 4),
        verdict=(
            "supported" if max(every) <= SUPPORTED else "may well be none" if p >= WELL else "open"
        ),
    )


def _ends(*texts: str) -> list[float]:
    """The ends of what may stand behind cells, in their unit."""
    ranges = [behind(text, decimals_of(text), Convention.ROUNDING) for text in texts]
    return [float(end) for span in ranges if span is not None for end in span]
