"""Printed accuracies as proportions: intervals, and what any paired test could have found.

Two methods tested on the same images with a difference of d correct images disagree on d + 2 k of
them, with k unknown. McNemar's exact test is two-sided binomial on these; its p grows with k, so
k = 0 gives the smallest p that any pairing of the two could reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import comb

from mednext.audit.matrices import Readings
from mednext.audit.misprints import Cell
from mednext.audit.paper import Paper, TwoClasses
from mednext.audit.printed import Convention, agrees, units
from mednext.audit.schema import Difference, SignificanceRow
from mednext.audit.splits import stated
from mednext.metrics.statistics import wilson

Correct = tuple[int, int, bool]
"""Fewest and most correct images behind a cell, and whether they give the printed value."""


def mcnemar(only_first: int, only_second: int) -> Fraction:
    """Two-sided exact p of McNemar's test from the two counts of discordant images.

    Twice the binomial tail at one half, at most 1 (10.1007/BF02295996 gives the test; exact form
    as in ``statsmodels.stats.contingency_tables.mcnemar(exact=True)``).
    """
    discordant = only_first + only_second
    tail = sum(comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    return min(Fraction(1), Fraction(2 * tail, 2**discordant))


def correct_images(cell: int, n: int, whole: int) -> Correct:
    """The numbers of correct images behind a printed accuracy (mixed convention).

    Where no whole number gives the cell, the two nearest ones.

    Args:
        cell: the accuracy, in units.
        n: test images.
        whole: units of the value 1.
    """
    near = range(max(0, cell * n // whole - 1), min(n, (cell + 1) * n // whole + 1) + 1)
    giving = [k for k in near if agrees(whole * k, n, cell, Convention.MIXED)]
    if giving:
        return giving[0], giving[-1], True
    below = cell * n // whole
    return below, min(n, below + 1), False


def difference_range(
    best: tuple[int, int], other: tuple[int, int], n: int
) -> tuple[Fraction, Fraction]:
    """The smallest and the largest p of McNemar's exact test over every pairing of two methods."""
    d = max(0, best[1] - other[0])
    smallest = mcnemar(d, 0)
    least = max(0, best[0] - other[1])
    shared = min(n - best[0], best[0] - least)  # images only the weaker one gets right, at most
    return smallest, mcnemar(least + shared, shared)


def significance_rows(
    paper: Paper, readings: Readings, read_as: Mapping[Cell, str]
) -> Iterator[SignificanceRow]:
    """One row per printed accuracy, best first; ``read_as`` replaces misprinted ones."""
    if paper.spec.classification is None:
        return
    for two in readings.rules.tables:
        yield from _table(paper, readings, two, read_as)


def _table(
    paper: Paper, readings: Readings, two: TwoClasses, read_as: Mapping[Cell, str]
) -> Iterator[SignificanceRow]:
    rules, whole = readings.rules, readings.whole
    n = sum(stated(paper, two))
    column = rules.metrics.accuracy
    texts = {
        slug: read_as.get((two.table, slug, column), row[column])
        for slug, row in paper.rows(two.table).items()
    }
    cells = {
        slug: cell
        for slug, text in texts.items()
        if (cell := units(text, rules.decimals)) is not None
    }
    ranked = sorted(cells, key=lambda slug: -cells[slug])
    if not ranked:
        return
    best = correct_images(cells[ranked[0]], n, whole)[:2]
    for rank, slug in enumerate(ranked, start=1):
        low, high, _ = correct_images(cells[slug], n, whole)
        printed = units(paper.cell(two.table, slug, column), rules.decimals)
        attainable = printed is not None and correct_images(printed, n, whole)[2]
        p = difference_range(best, (low, high), n) if rank > 1 else None
        yield SignificanceRow(
            table=two.table,
            method=slug,
            accuracy_pct=paper.cell(two.table, slug, column),
            read_as=read_as.get((two.table, slug, column)),
            n=n,
            correct_low=low,
            correct_high=high,
            attainable=attainable,
            ci_low_pct=round(100 * wilson(low, n)[0], 2),
            ci_high_pct=round(100 * wilson(high, n)[1], 2),
            rank=rank,
            smallest_p=None if p is None else float(p[0]),
            largest_p=None if p is None else float(p[1]),
            verdict=_verdict(p, rules.alpha),
        )


def _verdict(p: tuple[Fraction, Fraction] | None, alpha: float) -> Difference:
    if p is None:
        return "best"
    if p[0] > alpha:
        return "cannot differ"
    return "differs" if p[1] <= alpha else "may differ"
