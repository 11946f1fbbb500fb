"""The audited paper: ``audit.yaml`` and the printed cells beside it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mednext.audit.bands import Unit
from mednext.audit.printed import number
from mednext.audit.programme import Average
from mednext.audit.ratios import Metric
from mednext.config import Strict, parse, read_yaml
from mednext.errors import UserError

Positive = Literal["disease", "non_disease"]
Design = Literal["test set", "pooled folds", "mean of folds", "classes"]
SPEC = "audit.yaml"


class TableFile(Strict):
    """One table: its file and the columns that together name a row."""

    file: str
    key: tuple[str, ...] = ("slug",)
    name: tuple[str, ...] | None = None
    """Columns with what the paper calls a row, for reports; else ``method``, else the key."""


class Metrics(Strict):
    """Which column prints which metric, in percent."""

    precision: str
    recall: str
    f1: str
    accuracy: str


class Counts(Strict):
    """Where the sizes of the test sets stand, and of the other subsets that may have been used."""

    table: int
    stated: str
    others: tuple[str, ...] = ()
    total: str | None = None
    """Column of which :attr:`Classification.fractions` are taken."""


class TwoClasses(Strict):
    """A table of two-class results and the rows of the table of counts for its classes."""

    table: int
    disease: str
    non_disease: str


class Classification(Strict):
    """Tables whose rows must each come from one confusion matrix."""

    metrics: Metrics
    auc: str | None = None
    decimals: int
    counts: Counts
    fractions: tuple[int, ...] = ()
    alpha: float = 0.05
    tables: tuple[TwoClasses, ...]


class Scores(Strict):
    """Columns of any metrics that must come from the same counts, and how these were taken."""

    table: int
    unit: Unit
    columns: dict[Metric, str]
    design: Design = "test set"
    positive: int | None = Field(default=None, gt=0)
    negative: int | None = Field(default=None, gt=0)
    """Test images of the two classes (with folds: of all folds together)."""
    folds: int | None = Field(default=None, ge=2)
    fold_sizes: Literal["stratified", "unknown"] | tuple[tuple[int, int], ...] = "stratified"
    """``[positive, negative]`` of each fold, or how they came about."""
    average: Average = "macro"
    classes: tuple[int, ...] = ()
    """Test images per class, for averages over classes."""

    @model_validator(mode="after")
    def _complete(self) -> Scores:
        if self.design == "classes":
            if len(self.classes) < 2 or min(self.classes) < 1:
                raise ValueError("averages over classes need 'classes', the test images of each")
            return self
        if self.positive is None or self.negative is None:
            raise ValueError(f"design '{self.design}' needs 'positive' and 'negative'")
        if self.design == "mean of folds":
            if not isinstance(self.fold_sizes, str):
                sums = tuple(sum(part) for part in zip(*self.fold_sizes, strict=True))
                if sums != (self.positive, self.negative):
                    raise ValueError(f"the fold_sizes sum up to {sums}")
            elif self.folds is None:
                raise ValueError("a mean of folds needs 'folds', how many there are")
        return self


class Dice(Strict):
    """Dice (and IoU) averaged over cases."""

    table: int
    unit: Unit
    dice: str
    iou: str | None = None
    sd: str | None = None
    """Column with the SD of the Dice over cases."""
    cases: int = Field(ge=2)


class Leads(Strict):
    """A column in which one row leads, and the test cases behind it."""

    table: int
    column: str
    winner: str
    kind: Literal["accuracy", "dice"]
    unit: Unit = "percent"
    cases: int = Field(ge=2)
    """Test images (accuracy) or patients (a mean Dice)."""
    dataset: str | None = None
    """As ``agreement.csv`` calls the data set; none if no runs of it are known."""
    prefix: str = ""
    also: dict[str, str] = Field(default_factory=dict)
    """Row -> method of ``agreement.csv``, where it is not the prefix and the row's name."""


class Mean(Strict):
    """A column that prints the mean of others."""

    table: int
    column: str
    of: tuple[str, ...]
    decimals: int


class Sum(Strict):
    """A column that prints the sum of others, all whole numbers."""

    table: int
    column: str
    of: tuple[str, ...]


class Bounds(Strict):
    """A column whose values lie between two numbers by definition."""

    tables: tuple[int, ...]
    column: str
    low: str
    high: str


class Across(Strict):
    """Tables of different data, in which no method's value is expected twice."""

    tables: tuple[int, ...]
    columns: tuple[str, ...]


class Repeats(Strict):
    """Where equal cells are looked for."""

    columns: dict[int, tuple[str, ...]] = Field(default_factory=dict)
    across: tuple[Across, ...] = ()


class Measured(Strict):
    """Which methods of ``cost.csv`` are the rows of a table."""

    prefix: str
    num_classes: int
    also: dict[str, str] = Field(default_factory=dict)
    """Row -> method, where the method is not the prefix and the row's name."""


class Additive(Strict):
    """Costs that should be a constant plus one number per module that a row has."""

    table: int
    label: str
    """Column with a short name of the row."""
    modules: dict[str, str]
    """Column that holds 1 where the row has the module -> the module's name."""
    quantities: dict[str, Literal["params", "gmacs"]]
    """Column -> what ``cost.csv`` calls it."""
    decimals: int
    measured: Measured | None = None


class Claims(Strict):
    """The statements of the text, and the names that their expressions use."""

    file: str
    words: dict[str, int | tuple[str, ...] | dict[str, int]] = Field(default_factory=dict)
    readings: dict[str, str] = Field(default_factory=dict)
    """Claim -> expression, for claims that come without one."""


class PaperSpec(Strict):
    """``audit.yaml``."""

    paper: str
    tables: dict[int, TableFile]
    headings: dict[str, str] = Field(default_factory=dict)
    """Column -> its heading, for reports; the others are called as in the files."""
    classification: Classification | None = None
    scores: tuple[Scores, ...] = ()
    dice: tuple[Dice, ...] = ()
    leads: tuple[Leads, ...] = ()
    agreement: str | None = None
    """File with the agreement between methods, beside ``audit.yaml``."""
    published: str | None = None
    """File with what the papers of the compared methods report of them, beside ``audit.yaml``."""
    means: tuple[Mean, ...] = ()
    sums: tuple[Sum, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    repeats: Repeats = Repeats()
    additivity: tuple[Additive, ...] = ()
    claims: Claims | None = None


Row = dict[str, str]


class Paper:
    """The printed cells of all tables, as texts.

    Args:
        folder: holds ``audit.yaml`` and the files it names.

    Raises:
        UserError: a file or a column is missing, or two rows have one name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / SPEC
        self.spec = parse(PaperSpec, read_yaml(self.file), self.file)
        self.tables = {n: self._table(table) for n, table in self.spec.tables.items()}
        self._check_columns()

    def _table(self, table: TableFile) -> dict[str, Row]:
        path = self.folder / table.file
        rows: dict[str, Row] = {}
        for line, row in enumerate(read_csv(path, table.key), start=2):
            name = "/".join(row[column] for column in table.key)
            if name in rows:
                raise UserError(f"line {line}: two rows have one name", file=path, found=name)
            rows[name] = row
        return rows

    def _check_columns(self) -> None:
        spec = self.spec
        wanted: list[tuple[int, str]] = [
            *((number, c) for number, table in spec.tables.items() for c in table.name or ()),
            *((mean.table, c) for mean in spec.means for c in (mean.column, *mean.of)),
            *((rule.table, c) for rule in spec.scores for c in rule.columns.values()),
            *((lead.table, lead.column) for lead in spec.leads),
            *((d.table, c) for d in spec.dice for c in (d.dice, d.iou, d.sd) if c is not None),
            *((total.table, c) for total in spec.sums for c in (total.column, *total.of)),
            *((t, bound.column) for bound in spec.bounds for t in bound.tables),
            *((t, c) for t, columns in spec.repeats.columns.items() for c in columns),
            *((t, c) for a in spec.repeats.across for t in a.tables for c in a.columns),
            *((a.table, c) for a in spec.additivity for c in (a.label, *a.modules, *a.quantities)),
        ]
        if (rules := spec.classification) is not None:
            counts = rules.counts
            subsets = [counts.stated, *counts.others, *([counts.total] if counts.total else [])]
            wanted += [(counts.table, subset) for subset in subsets]
            metrics = [*rules.metrics.model_dump().values(), *([rules.auc] if rules.auc else [])]
            wanted += [(two.table, c) for two in rules.tables for c in metrics]
        for table, column in wanted:
            if column not in self._columns(table):
                raise UserError(
                    f"table {table} has no column '{column}'",
                    file=self.file,
                    expected=", ".join(sorted(self._columns(table))),
                )

    def _columns(self, table: int) -> set[str]:
        return set(next(iter(self.rows(table).values())))

    def rows(self, table: int) -> dict[str, Row]:
        """The rows of a table by name.

        Raises:
            UserError: there is no such table, or it is empty.
        """
        if not self.tables.get(table):
            raise UserError(
                f"there is no table {table}, or it has no rows",
                file=self.file,
                expected=f"one of {', '.join(map(str, self.tables))}",
            )
        return self.tables[table]

    def cell(self, table: int, slug: str, column: str) -> str:
        """The text of one cell.

        Raises:
            UserError: there is no such cell.
        """
        try:
            return self.rows(table)[slug][column]
        except KeyError:
            raise UserError(
                f"table {table} has no cell '{column}' in a row '{slug}'", file=self.file
            ) from None

    def count(self, table: int, slug: str, column: str) -> int:
        """A cell that holds a whole number.

        Raises:
            UserError: it does not.
        """
        value = number(text := self.cell(table, slug, column))
        if value is None or value.denominator != 1 or value < 0:
            raise UserError(
                f"table {table}, row '{slug}', column '{column}' is not a count",
                file=self.file,
                found=repr(text),
            )
        return int(value)


def read_csv(path: Path, needed: tuple[str, ...]) -> list[Row]:
    """The rows of a CSV file as texts.

    Raises:
        UserError: missing file, missing column, or a line with too few or too many cells.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
    except FileNotFoundError:
        raise UserError("the file does not exist", file=path, remedy="check the path") from None
    missing = [column for column in needed if column not in columns]
    if missing:
        raise UserError("a column is missing", file=path, found=columns, expected=missing)
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise UserError(f"line {line} has another number of cells than the header", file=path)
    return rows
