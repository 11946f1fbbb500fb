"""``cells.csv``: what the checks found, by printed cell, for footnotes in the tables.

``basis`` says what a finding rests on. ``arithmetic``: it follows from the printed numbers and the
stated test sizes alone. ``inference``: it names one explanation of several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mednext.audit.schema import (
    AdditivityRow,
    Basis,
    CellRow,
    ConfusionRow,
    IdentityRow,
    LeadRow,
    MisfitRow,
    ScoreRow,
    SignificanceRow,
    SplitRow,
    SplitTableRow,
)
from mednext.results import grouped

CLASS_WORDS = {"disease": "the disease", "non_disease": "the absence of the disease"}
OTHERWISE = {"ceiling": "rounded up", "padded": "rounded to one digit less"}
IDENTITY_NOTES = {
    "prevalence": "not the accuracy of the printed precision and recall at the stated class sizes, "
    "{low} to {high}",
    "f1": "not the F1 of the printed precision and recall, which is {low} to {high}",
    "mean": "not the mean of the printed columns, which is {low} to {high}",
    "sum": "not the sum of the printed columns, which is {low}",
    "bounds": "outside what the metric can be, {low} to {high}",
    "iou": "not the mean IoU of cases with the printed mean Dice, which is {low} to {high}",
    "sd": "no cases between 0 and 1 with the printed mean have this SD, which is {low} to {high}",
    "auc_from_matrix": "outside what the row's confusion matrix allows, {low} to {high}",
}
REPEATS = ("repeated", "across")


Source = (
    AdditivityRow
    | ConfusionRow
    | IdentityRow
    | LeadRow
    | MisfitRow
    | ScoreRow
    | SignificanceRow
    | SplitRow
)


def cell(
    row: Source, column: str | None, rule: str, verdict: str, basis: Basis, note: str
) -> CellRow:
    """A finding about a row of one of the audit's files."""
    return CellRow(
        table=row.table,
        slug=row.method if hasattr(row, "method") else row.slug,
        column=column,
        rule=rule,
        verdict=verdict,
        basis=basis,
        note=note,
    )


def matrix_findings(
    rows: Sequence[ConfusionRow],
    misfits: Sequence[MisfitRow],
    splits: Sequence[SplitRow],
    tables: Sequence[SplitTableRow],
    alpha: float,
) -> Iterator[CellRow]:
    """Rows that no matrix gives, and rows that only one positive class gives.

    Args:
        rows: ``confusion.csv``.
        misfits: ``misfits.csv``.
        splits: ``splits.csv``.
        tables: ``splits_by_table.csv``.
        alpha: up to this (corrected) chance of an accident another test size is named.
    """
    likely = {(s.table, s.positive, s.split): s for s in likely_splits(tables, alpha)}
    for (table, method), group in grouped(rows, lambda row: (row.table, row.method)).items():
        fitting = [row for row in group if row.verdict == "fits"]
        if fitting:
            yield from _orientation(fitting)
            continue
        otherwise = [row for row in group if row.verdict == "fits otherwise"]
        if otherwise:
            ways = " or ".join(sorted({OTHERWISE[str(row.convention)] for row in otherwise}))
            note = f"a confusion matrix gives the row only if cells were {ways}"
            yield cell(otherwise[0], None, "confusion", "fits otherwise", "inference", note)
            continue
        explained = [m for m in misfits if (m.table, m.method) == (table, method) and m.off_column]
        sizes = f"{group[0].n_positive} and {group[0].n_negative} test images"
        note = f"no confusion matrix of {sizes} gives these four metrics"
        verdict = "one cell off" if explained else "no fit"
        yield cell(group[0], None, "confusion", verdict, "arithmetic", note)
        for s in splits:
            at = likely.get((s.table, s.positive, s.split))
            if (s.table, s.method) == (table, method) and s.verdict == "fits" and at is not None:
                note = (
                    f"the row fits {s.n_positive} and {s.n_negative} test images "
                    f"({s.split}), as do {at.fits} of {at.rows} rows of the table"
                )
                yield cell(s, None, "test size", "would explain", "inference", note)
        for m in explained:
            needed = m.needed_low if m.needed_low == m.needed_high else None
            note = (
                f"the other three metrics fit if this cell were "
                f"{needed or f'{m.needed_low} or {m.needed_high}'} (positive: "
                f"{CLASS_WORDS[m.positive]})"
            )
            yield cell(m, m.off_column, "confusion", "would explain", "inference", note)


def likely_splits(tables: Sequence[SplitTableRow], alpha: float) -> list[SplitTableRow]:
    """Other test sizes that more rows fit than the stated, and more than accident would explain."""
    fits = {(s.table, s.positive): s.fits for s in tables if s.split == "stated"}
    return [s for s in tables if s.fits > fits[s.table, s.positive] and s.p_corrected <= alpha]


def _orientation(fitting: list[ConfusionRow]) -> Iterator[CellRow]:
    if {row.positive for row in fitting} == {"non_disease"}:
        errors = sorted({(row.missed_disease, row.false_alarms) for row in fitting})
        counts = " or ".join(f"{missed} missed, {alarms} false alarms" for missed, alarms in errors)
        note = (
            f"a confusion matrix gives the row only with the class without the disease as "
            f"positive; of the disease it has {counts}"
        )
        verdict = "positive is the absence of the disease"
        yield cell(fitting[0], None, "orientation", verdict, "arithmetic", note)


def identity_findings(rows: Sequence[IdentityRow]) -> Iterator[CellRow]:
    """Broken rules and repeated cells."""
    for row in rows:
        if row.verdict not in ("off", "repeated"):
            continue
        note = row.note or ""
        if row.rule in IDENTITY_NOTES:
            text = IDENTITY_NOTES[row.rule].format(low=row.expected_low, high=row.expected_high)
            note = f"{text} (off by {row.off_by})" + (f"; {note}" if note else "")
        if row.rule in REPEATS:
            note += "; may be chance"
        if row.rule == "f1" and (row.off_by or "").startswith("-"):
            # The harmonic mean is concave: a mean of F1 lies below the F1 of mean P and R.
            note += "; a mean over several runs may lie below"
            yield cell(row, row.column, row.rule, "a mean may lie below", "inference", note)
            continue
        yield cell(row, row.column, row.rule, row.verdict, "arithmetic", note)


def score_findings(rows: Sequence[ScoreRow]) -> Iterator[CellRow]:
    """Rows of any metrics that no counts give, and the cells each of which would explain it."""
    for row in rows:
        if row.verdict in ("fits", "inconclusive"):
            continue
        note = f"no counts give {row.columns} together ({row.design})"
        if row.verdict == "fits swapped":
            note = f"counts give the row only with the classes swapped ({row.example})"
        yield cell(row, None, "scores", row.verdict, "arithmetic", note)
        off = row.off_columns.split() if row.off_columns else []
        verdict = "would explain" if len(off) == 1 else "one of several explanations"
        for column in off:
            note = "the other cells of the row fit if this one were different"
            yield cell(row, column, "scores", verdict, "inference", note)


def additivity_findings(rows: Sequence[AdditivityRow]) -> Iterator[CellRow]:
    """Cells that a smallest repair changes, and cells that lack the shared part."""
    for row in rows:
        if row.verdict == "in the smallest repair":
            note = f"the column adds up over modules if this cell were {row.repaired}"
            yield cell(row, row.column, "additivity", "would explain", "inference", note)
        elif row.verdict == "may be in the smallest repair":
            note = (
                "the column does not add up over modules; this cell is in one of the "
                "smallest sets whose change mends it"
            )
            verdict = "one of several explanations"
            yield cell(row, row.column, "additivity", verdict, "inference", note)
        if row.note:
            yield cell(row, row.column, "measured", "lacks the shared part", "inference", row.note)


def significance_findings(rows: Sequence[SignificanceRow], column: str) -> Iterator[CellRow]:
    """Accuracies that no count gives, and those that cannot differ from the best."""
    for row in rows:
        if not row.attainable:
            note = f"no whole number of {row.n} test images gives this accuracy"
            yield cell(row, column, "attainable", "off", "arithmetic", note)
        if row.verdict == "cannot differ":
            note = (
                "no pairing of the predictions makes the difference to the best significant "
                f"(McNemar exact, p at least {row.smallest_p:.3g})"
            )
            yield cell(row, column, "significance", "cannot differ", "arithmetic", note)


def lead_findings(rows: Sequence[LeadRow]) -> Iterator[CellRow]:
    """Leads that are not supported, each with the probability that it is none."""
    for row in rows:
        if row.verdict == "supported":
            continue
        note = (
            f"the lead of the best over this row ({row.lead}) is none with probability "
            f"{row.p_false:.2f} ({row.p_false_low:.2f} to {row.p_false_high:.2f}; agreement: "
            f"{row.agreement})"
        )
        if row.read_as:
            note += f"; the cell read as {row.read_as}, which the rest of its row gives"
        yield cell(row, row.column, "lead", row.verdict, "inference", note)
