"""``confusion.csv``, ``misfits.csv`` and ``splits.csv``: every printed row of two classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from mednext.audit.bands import Printing, bands
from mednext.audit.confusion import METRICS, Matrix, PrintedRow, Sizes, find, how, macro_fits
from mednext.audit.misfits import Grid, Misfit
from mednext.audit.paper import Classification, Paper, Positive
from mednext.audit.printed import decimal_text, units
from mednext.audit.ratios import Metric
from mednext.audit.schema import ConfusionRow, FitVerdict, MisfitRow, SplitRow, SplitTableRow
from mednext.audit.splits import chance, other_splits, stated
from mednext.audit.testset import matrices
from mednext.results import grouped

OF_MATRIX = (
    *("tp", "fp", "fn", "tn", "convention", "missed_disease", "false_alarms"),
    *("other_precision_pct", "other_recall_pct"),
)
"""Columns of ``confusion.csv`` that are empty where no matrix gives the row."""
WINDOW_PP = 1
"""Invented rows have precision and recall within this many percentage points of the printed."""


@dataclass(frozen=True)
class Reading:
    """One printed row with one class as positive."""

    table: int
    method: str
    positive: Positive
    sizes: Sizes
    printed: PrintedRow
    found: tuple[Matrix, ...]
    misfit: Misfit | None
    otherwise: tuple[Matrix, ...] = ()
    """Matrices that give the row only if its cells were rounded up, or to fewer digits."""
    printed_by: Literal["ceiling", "padded"] | None = None

    @property
    def verdict(self) -> FitVerdict:
        """Whether matrices give the row."""
        if self.found:
            return "fits"
        if self.otherwise:
            return "fits otherwise"
        return "one cell off" if self.misfit and self.misfit.repairs else "no fit"

    def missed(self, matrix: Matrix) -> int:
        """Images with the disease that are called free of it."""
        return matrix.fn if self.positive == "disease" else matrix.fp

    def alarms(self, matrix: Matrix) -> int:
        """Images without the disease that are called diseased."""
        return matrix.fp if self.positive == "disease" else matrix.fn


class Readings:
    """The confusion-matrix search over all tables of a paper.

    Rows that lack one of the four metrics are left out: the other checks still see them.
    """

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    @property
    def rules(self) -> Classification:
        """The section of ``audit.yaml``."""
        assert self.paper.spec.classification is not None
        return self.paper.spec.classification

    @property
    def whole(self) -> int:
        """Printed units of 100 percent."""
        return 100 * 10**self.rules.decimals

    @cached_property
    def all(self) -> list[Reading]:
        """Every row with either class as positive."""
        return list(self._search()) if self.paper.spec.classification else []

    def _search(self) -> Iterator[Reading]:
        grids: dict[Sizes, Grid] = {}
        for two in self.rules.tables:
            for slug, printed in self._printed(two.table):
                for positive, sizes in _both(*stated(self.paper, two)):
                    found = tuple(find(sizes, printed, self.whole))
                    reading = Reading(two.table, slug, positive, sizes, printed, found, None)
                    if not found:
                        reading = self._otherwise(reading)
                    if not found and not reading.otherwise:
                        grid = grids.setdefault(sizes, Grid(sizes, self.whole))
                        reading = replace(reading, misfit=grid.misfit(printed))
                    yield reading

    def _otherwise(self, reading: Reading) -> Reading:
        """The reading with the matrices of the conventions that are tried last."""
        texts: dict[Metric, str] = {m: self.pct(reading.printed[m]) for m in METRICS}
        ways: tuple[Literal["ceiling", "padded"], ...] = ("ceiling", "padded")
        for way in ways:
            found = matrices(reading.sizes, bands(texts, "percent", Printing(way)))
            if found:
                return replace(reading, otherwise=tuple(found), printed_by=way)
        return reading

    def _printed(self, table: int) -> Iterator[tuple[str, PrintedRow]]:
        for slug, row in self.paper.rows(table).items():
            cells = {
                metric: units(row[column], self.rules.decimals)
                for metric, column in self.rules.metrics.model_dump().items()
            }
            printed = {m: cell for m, cell in cells.items() if cell is not None}
            if len(printed) == len(cells):
                yield slug, printed

    def column(self, metric: str) -> str:
        """The printed column of a metric."""
        return str(getattr(self.rules.metrics, metric))

    def pct(self, cell: int) -> str:
        """A number of units as it would be printed."""
        return decimal_text(Fraction(cell, 10**self.rules.decimals), self.rules.decimals)

    def confusion_rows(self) -> Iterator[ConfusionRow]:
        """One row per matrix; one without a matrix where there is none."""
        for reading in self.all:
            macro = None
            if not reading.found and reading.positive == "disease":
                macro = macro_fits(reading.sizes, reading.printed, self.whole)
            for matrix in reading.found or reading.otherwise or (None,):
                yield self._confusion_row(reading, matrix, macro)

    def _confusion_row(
        self, reading: Reading, matrix: Matrix | None, macro: int | None
    ) -> ConfusionRow:
        sizes = reading.sizes
        of_matrix: dict[str, Any] = dict.fromkeys(OF_MATRIX)
        if matrix is not None:
            by = reading.printed_by or how(sizes, matrix, reading.printed, self.whole)
            called = matrix.tn + matrix.fn
            others = (
                self.share(matrix.tn, called) if called else None,
                self.share(matrix.tn, sizes.negative),
            )
            errors = reading.missed(matrix), reading.alarms(matrix)
            counts = matrix.tp, matrix.fp, matrix.fn, matrix.tn
            of_matrix = dict(zip(OF_MATRIX, (*counts, by, *errors, *others), strict=True))
        return ConfusionRow(
            **ConfusionRow.fields_of(reading),
            **of_matrix,
            n_positive=sizes.positive,
            n_negative=sizes.negative,
            matrices=len(reading.found or reading.otherwise),
            macro_matrices=macro,
        )

    def share(self, part: int, of: int) -> str:
        """A share in percent, as it would be printed."""
        return decimal_text(Fraction(100 * part, of), self.rules.decimals)

    def misfit_rows(self) -> Iterator[MisfitRow]:
        """One row per row and positive class without a matrix, and per column that explains it."""
        for reading in self.all:
            if (misfit := reading.misfit) is None:
                continue
            for repair in misfit.repairs or (None,):
                yield MisfitRow(
                    table=reading.table,
                    method=reading.method,
                    positive=reading.positive,
                    cells_agreeing=len(misfit.agreeing[0]) if misfit.agreeing else 0,
                    agreeing=" or ".join("+".join(metrics) for metrics in misfit.agreeing),
                    off_column=self.column(repair.metric) if repair else None,
                    printed=self.pct(reading.printed[repair.metric]) if repair else None,
                    needed_low=self.pct(repair.low) if repair else None,
                    needed_high=self.pct(repair.high) if repair else None,
                    matrices=repair.matrices if repair else None,
                    deviation_pp=self.pct(misfit.deviation),
                    nearest_tp=misfit.nearest.tp,
                    nearest_fp=misfit.nearest.fp,
                    nearest_fn=misfit.nearest.fn,
                    nearest_tn=misfit.nearest.tn,
                )

    def split_rows(self) -> Iterator[SplitRow]:
        """Every row at the stated and at all other test sizes."""
        window = WINDOW_PP * 10**self.rules.decimals if self.paper.spec.classification else 0
        for two in self.rules.tables if self.paper.spec.classification else ():
            splits = [("stated", *stated(self.paper, two)), *other_splits(self.paper, two)]
            for slug, printed in self._printed(two.table):
                for name, disease, non_disease in splits:
                    for positive, sizes in _both(disease, non_disease):
                        found = find(sizes, printed, self.whole)
                        yield SplitRow(
                            table=two.table,
                            method=slug,
                            positive=positive,
                            split=name,
                            n_positive=sizes.positive,
                            n_negative=sizes.negative,
                            matrices=len(found),
                            chance=float(chance(sizes, printed, self.whole, window)),
                            verdict="fits" if found else "no fit",
                        )


def _both(disease: int, non_disease: int) -> tuple[tuple[Positive, Sizes], ...]:
    return (
        ("disease", Sizes(disease, non_disease)),
        ("non_disease", Sizes(non_disease, disease)),
    )


def by_table(rows: Sequence[SplitRow]) -> Iterator[SplitTableRow]:
    """How many rows of a table fit a split, beside how many would by accident."""
    groups = grouped(rows, lambda row: (row.table, row.positive, row.split))
    tried = Counter(table for table, _, _ in groups)
    for (table, _, _), group in groups.items():
        chances = [row.chance for row in group]
        fits = sum(row.verdict == "fits" for row in group)
        yield SplitTableRow(
            **SplitTableRow.fields_of(group[0]),
            rows=len(group),
            fits=fits,
            fits_expected=sum(chances),
            p_accident=(p := at_least(fits, chances)),
            p_corrected=min(1.0, p * tried[table]),
        )


def at_least(successes: int, chances: Sequence[float]) -> float:
    """Probability of that many successes or more of independent trials (Poisson binomial)."""
    of = [1.0] + [0.0] * len(chances)  # of[k]: probability of k successes so far
    for chance_ in chances:
        of = [of[k] * (1 - chance_) + (of[k - 1] * chance_ if k else 0.0) for k in range(len(of))]
    return min(1.0, sum(of[successes:]))
