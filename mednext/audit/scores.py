"""``scores.csv``: rows of any metrics against the counts of their design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mednext.audit.bands import Band, Printing, Unit, bands, hull
from mednext.audit.classes import class_counts
from mednext.audit.confusion import Matrix, Sizes
from mednext.audit.draws import folds_by_sums
from mednext.audit.paper import Paper, Scores
from mednext.audit.printed import number
from mednext.audit.programme import (
    CannotTellError,
    Counts,
    fold_types,
    linear_mean_of_folds,
    mean_of_folds,
    mean_of_unknown_folds,
    stratified,
)
from mednext.audit.ratios import SIGNED, Metric, holds
from mednext.audit.schema import ScoreRow
from mednext.audit.testset import TooLargeError, matrices

Cells = Mapping[Metric, str]


@dataclass(frozen=True)
class Fit:
    """What gives a row: the conventions, how many solutions (None: not counted), and one."""

    printed_by: tuple[Printing, ...]
    solutions: int | None
    example: tuple[Counts, ...]


def score_rows(paper: Paper) -> Iterator[ScoreRow]:
    """Every row of the section ``scores``; rows without a cell are left out."""
    for rule in paper.spec.scores:
        for slug, row in paper.rows(rule.table).items():
            cells = {m: row[c] for m, c in rule.columns.items() if row[c].strip()}
            if cells:
                yield _judged(rule, slug, cells)


def _judged(rule: Scores, slug: str, cells: Cells) -> ScoreRow:
    fit, off, note, verdict = None, [], None, "inconclusive"
    try:
        fit, verdict = fitted(rule, cells), "fits"
        if fit is None and rule.design in ("test set", "pooled folds"):
            fit, verdict = fitted(rule, cells, swapped=True), "fits swapped"
        if fit is None:
            off = [
                rule.columns[metric]
                for metric in cells
                if len(cells) > 1 and fitted(rule, {m: c for m, c in cells.items() if m != metric})
            ]
            verdict = "one cell off" if off else "no fit"
    except (CannotTellError, TooLargeError) as error:
        note, verdict = error.what, "inconclusive"
    return ScoreRow(
        table=rule.table,
        slug=slug,
        design=rule.design,
        columns=" ".join(rule.columns[metric] for metric in cells),
        verdict=verdict,  # type: ignore[arg-type]
        printed_by="/".join(fit.printed_by) if fit else None,
        solutions=fit.solutions if fit else None,
        example=" ".join("/".join(map(str, c)) for c in fit.example) if fit else None,
        off_columns=" ".join(off) or None,
        note=note,
    )


def fitted(rule: Scores, cells: Cells, swapped: bool = False) -> Fit | None:
    """The counts that give printed cells under some convention; None if there are none.

    Args:
        rule: the design and its sizes.
        cells: metric -> printed cell.
        swapped: whether the classes change places (one test set only).

    Raises:
        CannotTellError: the integer programme is too large or was not decided.
        TooLargeError: too many matrices are left.
    """
    if rule.design in ("test set", "pooled folds"):
        assert rule.positive is not None and rule.negative is not None
        sizes = Sizes(rule.positive, rule.negative)
        if swapped:
            sizes = Sizes(sizes.negative, sizes.positive)
        return _one_test_set(sizes, cells, rule.unit)
    if _averaged(rule, _hull(cells, rule.unit)) is None:
        return None
    doubts: dict[Printing, CannotTellError] = {}
    for how in (_by_sums, _averaged):  # what is quick for every convention before what is not
        open_, doubts = doubts or dict.fromkeys(Printing), {}
        for printing in open_:
            try:
                found = how(rule, _bands(cells, rule.unit, printing))
            except CannotTellError as error:
                doubts[printing] = error
            else:
                if found is not None:
                    return Fit((printing,), None, tuple(found))
        if not doubts:
            return None
    raise next(iter(doubts.values()))


def _one_test_set(sizes: Sizes, cells: Cells, unit: Unit) -> Fit | None:
    candidates = matrices(sizes, _hull(cells, unit))
    given: dict[Printing, list[Matrix]] = {}
    for printing in Printing:
        wanted = _bands(cells, unit, printing)
        found = [
            m
            for m in candidates
            if all(holds(metric, cell, m.tp, m.fp, m.fn, m.tn) for metric, cell in wanted.items())
        ]
        if found:
            given[printing] = found
    if not given:
        return None
    every = sorted(set().union(*given.values()))
    first = min(next(iter(given.values())))
    return Fit(tuple(given), len(every), ((first.tp, first.fp, first.fn, first.tn),))


def _by_sums(rule: Scores, cells: Mapping[Metric, Band]) -> list[Counts] | None:
    if rule.design == "classes" or rule.fold_sizes == "unknown":
        raise CannotTellError("only folds of known sizes have sums of hits")
    return folds_by_sums(_fold_sizes(rule), cells)


def _averaged(rule: Scores, cells: Mapping[Metric, Band]) -> list[Counts] | None:
    if rule.design == "classes":
        return class_counts(rule.classes, cells, rule.average)
    if rule.fold_sizes == "unknown":
        assert rule.positive is not None and rule.negative is not None and rule.folds is not None
        return mean_of_unknown_folds(rule.positive, rule.negative, rule.folds, cells)
    sizes = _fold_sizes(rule)
    try:
        return folds_by_sums(sizes, cells)
    except CannotTellError:
        pass  # not a verdict yet: the integer programme may tell
    try:
        return mean_of_folds(
            [fold_types(size, sizes.count(size)) for size in dict.fromkeys(sizes)], cells
        )
    except CannotTellError:
        return linear_mean_of_folds(sizes, cells)


def _fold_sizes(rule: Scores) -> list[Sizes]:
    if isinstance(rule.fold_sizes, str):
        assert rule.positive is not None and rule.negative is not None and rule.folds is not None
        return stratified(rule.positive, rule.negative, rule.folds)
    return [Sizes(*part) for part in rule.fold_sizes]


def _bands(cells: Cells, unit: Unit, printing: Printing) -> dict[Metric, Band]:
    return {
        m: b
        for m, text in cells.items()
        for b in bands({m: text}, _unit(m, text, unit), printing).values()
    }


def _hull(cells: Cells, unit: Unit) -> dict[Metric, Band]:
    return {m: hull({m: text}, _unit(m, text, unit))[m] for m, text in cells.items()}


def _unit(metric: Metric, text: str, unit: Unit) -> Unit:
    """MCC and kappa of at most 1 are fractions, also beside percentages."""
    value = number(text)
    return "fraction" if metric in SIGNED and value is not None and abs(value) <= 1 else unit
