"""Columns and vocabulary of the files in ``results/audit``; docs/audit.md explains them."""

from __future__ import annotations

from typing import Literal

from mednext.audit.confusion import How
from mednext.audit.paper import Design, Positive
from mednext.results import Row

FitVerdict = Literal["fits", "fits otherwise", "one cell off", "no fit"]
IdentityVerdict = Literal["agrees", "off", "repeated", "not checkable"]
Difference = Literal["best", "cannot differ", "may differ", "differs"]
Basis = Literal["arithmetic", "inference"]
Rule = Literal[
    "f1",
    "prevalence",
    "mean",
    "sum",
    "bounds",
    "auc_from_matrix",
    "iou",
    "sd",
    "repeated",
    "across",
]


class ConfusionRow(Row):
    """``confusion.csv``: one matrix of one printed row, or that there is none."""

    table: int
    method: str
    positive: Positive
    n_positive: int
    n_negative: int
    matrices: int
    """How many matrices give the row with this class as positive."""
    tp: int | None
    fp: int | None
    fn: int | None
    tn: int | None
    convention: How | Literal["ceiling", "padded"] | None
    missed_disease: int | None
    """Images with the disease that the matrix calls free of it."""
    false_alarms: int | None
    """Images without the disease that the matrix calls diseased."""
    other_precision_pct: str | None
    """Precision of the same matrix with the other class as positive."""
    other_recall_pct: str | None
    macro_matrices: int | None
    """Matrices that would give the row if its metrics were means over the classes."""
    verdict: FitVerdict


class MisfitRow(Row):
    """``misfits.csv``: how a printed row fails that no matrix gives with this class as positive."""

    table: int
    method: str
    positive: Positive
    cells_agreeing: int
    agreeing: str
    """The largest sets of metrics that one matrix gives together."""
    off_column: str | None
    """Single column whose change makes the row consistent, and what it would have to print."""
    printed: str | None
    needed_low: str | None
    needed_high: str | None
    matrices: int | None
    """Matrices that give the other three cells."""
    deviation_pp: str
    """Least sum of the distances of the four cells to what one matrix gives, percentage points."""
    nearest_tp: int
    nearest_fp: int
    nearest_fn: int
    nearest_tn: int


class SplitRow(Row):
    """``splits.csv``: one printed row at one other test size."""

    table: int
    method: str
    positive: Positive
    split: str
    n_positive: int
    n_negative: int
    matrices: int
    chance: float
    """Share of invented coherent rows near this one that fit these sizes."""
    verdict: Literal["fits", "no fit"]


class SplitTableRow(Row):
    """``splits_by_table.csv``: all rows of one table at one test size."""

    table: int
    positive: Positive
    split: str
    n_positive: int
    n_negative: int
    rows: int
    fits: int
    fits_expected: float
    """Sum of the rows' chances: fits to expect if all were invented but coherent."""
    p_accident: float
    """Chance of at least this many fits among independent invented rows."""
    p_corrected: float
    """The same times the sizes and classes tried on this table (Bonferroni), at most 1."""


class IdentityRow(Row):
    """``identities.csv``: one cell under one rule."""

    table: int
    slug: str
    column: str
    rule: Rule
    printed: str
    expected_low: str | None
    expected_high: str | None
    off_by: str | None
    """Distance of the cell from what the rule allows; empty if it is inside."""
    verdict: IdentityVerdict
    note: str | None


class LeadRow(Row):
    """``leads.csv``: one row that the winner of a column leads, and how likely the lead is none."""

    table: int
    slug: str
    """The row that is behind."""
    column: str
    winner: str
    winner_printed: str
    printed: str
    read_as: str | None
    """What the rival's cell has to be by the rest of its row, where the printed one cannot be."""
    lead: str
    """Winner minus rival, in the printed unit (as read)."""
    cases: int
    agreement: Literal["pair", "data set", "all data sets", "prior"]
    """Where the agreement between the two methods comes from."""
    association: float
    """Odds ratio of being right together (accuracy), or SD of the paired difference (Dice)."""
    association_low: float
    association_high: float
    p_false: float
    """Probability that the rival is at least as good as the winner."""
    p_false_low: float
    p_false_high: float
    """Over what the association, the printed digits and a misprint leave open."""
    verdict: Literal["supported", "open", "may well be none"]


class ScoreRow(Row):
    """``scores.csv``: one printed row of any metrics, under the design of ``audit.yaml``."""

    table: int
    slug: str
    design: Design
    columns: str
    """Columns that were printed and tried together."""
    verdict: Literal["fits", "fits swapped", "one cell off", "no fit", "inconclusive"]
    printed_by: str | None
    """Conventions of printing under which the row fits."""
    solutions: int | None
    """Matrices that give the row; empty where one was looked for, not all."""
    example: str | None
    """One solution as TP/FP/FN/TN, of every fold or class."""
    off_columns: str | None
    """Columns each of which explains a misfit alone."""
    note: str | None


class AdditivityRow(Row):
    """``additivity.csv``: one cost of one row, beside the fit and the count of the same network."""

    table: int
    slug: str
    column: str
    printed: str
    fitted: float
    """Least squares of a constant and one number per module."""
    residual: float
    """Printed minus fitted."""
    repaired: str | None
    """What the cell would have to print in a smallest repair that involves it."""
    measured: float | None
    """Counted from the network with the same modules."""
    difference: float | None
    """Printed minus measured."""
    verdict: Literal["consistent", "in the smallest repair", "may be in the smallest repair"]
    counter: str | None
    """Whose convention of multiply-accumulates comes nearest to the printed cost; judged by it."""
    verdict_measured: Literal["matches", "near", "off", "not measured", "not printed"]
    note: str | None


class PublishedRow(Row):
    """``published.csv``: a printed cell of a method beside what the paper cited for it reports."""

    table: int
    slug: str
    column: str
    printed: str
    published: str
    difference: str
    """Printed minus published."""
    source: str
    checked_at: str | None
    """Address of the page where the number was read; none: unverified."""


class CheckRow(Row):
    """``additivity_checks.csv``: one linear relation between rows that additivity implies."""

    table: int
    column: str
    relation: str
    left_over: str
    tolerance: str
    """Largest value that rounding (or cutting off) alone could leave."""
    verdict: Literal["holds", "fails"]


class RepairRow(Row):
    """``additivity_repairs.csv``: a smallest set of cells whose change makes a column additive."""

    table: int
    column: str
    repair: int
    slug: str
    printed: str
    needed: str | None
    """Empty if the other cells leave it open."""


class ModuleRow(Row):
    """``modules.csv``: what one module adds, by the printed cells and by our counts."""

    table: int
    column: str
    module: str
    printed_fit: float
    repaired_fit: float | None
    """After the smallest repair, where there is only one."""
    measured_fit: float | None
    rank: int
    """Of the system; below the number of unknowns, single modules cannot be separated."""
    unknowns: int
    equations: int
    verdict: Literal["above zero", "not above zero"]
    """Of the repaired fit (else the printed), beyond what rounding could leave."""


class ClaimRow(Row):
    """``claims.csv``: one statement of the text."""

    claim_id: str
    section: str
    paper_line: int
    kind: str
    quote: str
    about: str
    stated: str | None
    unit: str | None
    computed: str | None
    off_by: str | None
    """Computed minus stated, for numbers."""
    verdict: Literal["true", "true if cut off", "false", "not checkable"]
    note: str | None
    cells: str | None = None
    """The cells that the statement rests on, ``table/row/column`` with spaces between them; cells
    that an expression reads by way of whole rows (``T``) are not among them."""


class SignificanceRow(Row):
    """``significance.csv``: one printed accuracy as a proportion, against the table's best."""

    table: int
    method: str
    accuracy_pct: str
    read_as: str | None
    """What the accuracy has to be by the rest of its row, where the printed one contradicts it."""
    n: int
    correct_low: int
    correct_high: int
    """Correct images: equal where one whole number gives the printed accuracy."""
    attainable: bool
    """Whether any whole number of correct images gives the printed accuracy."""
    ci_low_pct: float
    ci_high_pct: float
    """95 % Wilson interval over both bounds of the correct images."""
    rank: int
    smallest_p: float | None
    """Of McNemar's exact test against the best, over every pairing; empty for the best."""
    largest_p: float | None
    verdict: Difference


class CellRow(Row):
    """``cells.csv``: every finding about a printed cell; an empty column means the whole row."""

    table: int
    slug: str
    column: str | None
    rule: str
    verdict: str
    basis: Basis
    note: str
