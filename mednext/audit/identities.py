"""Rules that tie printed cells to each other: ``identities.csv``, one line per cell and rule.

A rule is broken only if no exact values behind the printed cells could obey it, whether they were
rounded or cut off (the mixed convention).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isqrt

from mednext.audit.matrices import Readings
from mednext.audit.paper import Bounds, Dice, Mean, Paper, Sum
from mednext.audit.printed import Convention, decimal_text, interval, number, units
from mednext.audit.schema import IdentityRow, IdentityVerdict, Rule
from mednext.audit.splits import stated
from mednext.errors import UserError

Range = tuple[Fraction, Fraction]


def identity_rows(paper: Paper, readings: Readings) -> Iterator[IdentityRow]:
    """Every cell under every rule of ``audit.yaml``."""
    spec = paper.spec
    if spec.classification is not None:
        yield from _f1(paper, readings)
        yield from _prevalence(paper, readings)
    for mean in spec.means:
        yield from _mean(paper, mean)
    for total in spec.sums:
        yield from _sum(paper, total)
    for bounds in spec.bounds:
        yield from _bounds(paper, bounds)
    for dice in spec.dice:
        yield from _dice(paper, dice)
    if spec.classification is not None and spec.classification.auc is not None:
        yield from _auc(paper, readings, spec.classification.auc)
    yield from _repeated(paper)
    yield from _across(paper)


def behind(text: str, decimals: int, convention: Convention = Convention.MIXED) -> Range | None:
    """The exact values that may stand behind a cell; None if it is empty."""
    cell = units(text, decimals)
    if cell is None:
        return None
    low, high = interval(cell, convention)
    return low / 10**decimals, high / 10**decimals


def decimals_of(text: str) -> int:
    """How many decimals a cell shows."""
    return len(text.strip().partition(".")[2])


@dataclass(frozen=True)
class _Cell:
    """A printed cell under one rule."""

    table: int
    slug: str
    column: str
    rule: Rule
    printed: str

    def judged(
        self, cell: Range, allowed: Range, decimals: int, note: str | None = None
    ) -> IdentityRow:
        """``agrees`` if the cell and what the rule allows have a value in common."""
        off = None
        if _gap(cell, allowed):
            value = number(self.printed) or Fraction(0)
            off = value - (allowed[1] if value > allowed[1] else allowed[0])
        return self.row("agrees" if off is None else "off", note, allowed, off, decimals + 1)

    def row(
        self,
        verdict: IdentityVerdict,
        note: str | None = None,
        allowed: Range | None = None,
        off: Fraction | None = None,
        decimals: int = 0,
    ) -> IdentityRow:
        """The line of the file."""
        low, high = (decimal_text(end, decimals) for end in allowed) if allowed else (None, None)
        return IdentityRow(
            **vars(self),
            expected_low=low,
            expected_high=high,
            off_by=None if off is None else decimal_text(off, decimals),
            verdict=verdict,
            note=note,
        )

    def repeated(self, where: str, others: Iterable[str]) -> IdentityRow:
        """``repeated`` if other cells hold the same value."""
        named = ", ".join(others)
        return self.row("repeated" if named else "agrees", f"{where} {named}" if named else None)


def _gap(cell: Range, allowed: Range) -> Fraction:
    """How far apart the two are; 0 if they have a value in common."""
    return max(cell[0] - allowed[1], allowed[0] - cell[1], Fraction(0))


def _f1(paper: Paper, readings: Readings) -> Iterator[IdentityRow]:
    """F1 = 2PR / (P + R), which grows with both."""
    rules = readings.rules
    for two in rules.tables:
        for slug, row in paper.rows(two.table).items():
            p, r, f1 = (
                behind(row[column], rules.decimals)
                for column in (rules.metrics.precision, rules.metrics.recall, rules.metrics.f1)
            )
            if p is None or r is None or f1 is None:
                continue
            low, high = (
                2 * p[i] * r[i] / (p[i] + r[i]) if p[i] + r[i] > 0 else p[i] for i in (0, 1)
            )
            note = None
            middle = [number(row[c]) for c in (rules.metrics.precision, rules.metrics.recall)]
            value = number(row[rules.metrics.f1])
            known = [m for m in middle if m is not None]
            if value is not None and not min(known) <= value <= max(known):
                note = "outside precision and recall, between which a harmonic mean must lie"
            printed = _Cell(two.table, slug, rules.metrics.f1, "f1", row[rules.metrics.f1])
            yield printed.judged(f1, (low, high), rules.decimals, note)


def _prevalence(paper: Paper, readings: Readings) -> Iterator[IdentityRow]:
    """Accuracy = 1 - s (1 - R) - s R (1 - P) / P with the positive class's share s of the images.

    ``note`` gives the share that the three printed metrics imply; the expected values are those of
    the stated share, with the class as positive that the table's rows fit with, else the nearer.
    """
    rules = readings.rules
    names = (rules.metrics.precision, rules.metrics.recall, rules.metrics.accuracy)
    for two in rules.tables:
        disease, non_disease = stated(paper, two)
        sizes = {"disease": disease, "non_disease": non_disease}
        fitting = {r.positive for r in readings.all if r.table == two.table and r.found}
        positives = [sizes[positive] for positive in (fitting or sizes)]
        for slug, row in paper.rows(two.table).items():
            p, r, accuracy = (behind(row[column], rules.decimals) for column in names)
            if p is None or r is None or accuracy is None or p[0] <= 0:
                continue
            choices = []
            for positive in positives:
                share = Fraction(positive, disease + non_disease)
                ends = [1 - share * _errors(x / 100, y / 100) for x in p for y in r]
                choices.append((min(ends) * 100, max(ends) * 100))
            nearer = min(choices, key=partial(_gap, accuracy))
            *others, value = ((number(row[name]) or Fraction(0)) / 100 for name in names)
            note = None
            if errors := _errors(*others):
                implied = float((1 - value) / errors)
                note = f"implied share of the positive class: {implied:.2f}"
            printed = _Cell(two.table, slug, names[2], "prevalence", row[names[2]])
            yield printed.judged(accuracy, nearer, rules.decimals, note)


def _errors(precision: Fraction, recall: Fraction) -> Fraction:
    """Wrong images per positive image."""
    return (1 - recall) + recall * (1 - precision) / precision


def _mean(paper: Paper, mean: Mean) -> Iterator[IdentityRow]:
    for slug, row in paper.rows(mean.table).items():
        parts = [behind(row[column], mean.decimals) for column in mean.of]
        cell = behind(row[mean.column], mean.decimals)
        known = [part for part in parts if part is not None]
        if cell is None or len(known) < len(parts):
            continue
        low, high = (sum((part[i] for part in known), Fraction(0)) / len(known) for i in (0, 1))
        printed = _Cell(mean.table, slug, mean.column, "mean", row[mean.column])
        yield printed.judged(cell, (low, high), mean.decimals)


def _sum(paper: Paper, rule: Sum) -> Iterator[IdentityRow]:
    for slug, row in paper.rows(rule.table).items():
        cells = [number(row[column]) for column in rule.of]
        total = number(row[rule.column])
        if total is None:
            continue
        expected = sum((cell for cell in cells if cell is not None), Fraction(0))
        printed, off = _Cell(rule.table, slug, rule.column, "sum", row[rule.column]), None
        if total != expected:
            off = total - expected
        yield printed.row("agrees" if off is None else "off", None, (expected, expected), off)


def _bounds(paper: Paper, rule: Bounds) -> Iterator[IdentityRow]:
    low, high = number(rule.low), number(rule.high)
    if low is None or high is None:
        raise UserError("a bound is empty", file=paper.file, found=rule.column)
    for table in rule.tables:
        for slug, row in paper.rows(table).items():
            if (value := number(row[rule.column])) is not None:
                printed = _Cell(table, slug, rule.column, "bounds", row[rule.column])
                yield printed.judged((value, value), (low, high), decimals_of(printed.printed))


def _dice(paper: Paper, rule: Dice) -> Iterator[IdentityRow]:
    """Means over cases: D / (2 - D) <= IoU <= D, and the SD of n values between 0 and 1.

    A case's IoU is D / (2 - D), which is convex: its mean is at least that of the mean Dice
    (Jensen) and, since no case is above its Dice, at most the mean Dice. Values in [0, 1] of mean m
    have squares of at most n m together, so that their variance is at most m (1 - m) n / (n - 1).
    """
    share = 100 if rule.unit == "percent" else 1
    for slug, row in paper.rows(rule.table).items():
        printed = {c: row[c] for c in (rule.dice, rule.iou, rule.sd) if c is not None}
        known = {c: behind(text, decimals_of(text)) for c, text in printed.items()}
        dice = known[rule.dice]
        if dice is None:
            continue
        low, high = (min(max(end / share, Fraction(0)), Fraction(1)) for end in dice)
        middle = min(max(Fraction(1, 2), low), high)
        largest = middle * (1 - middle) * Fraction(rule.cases, rule.cases - 1)
        scale = 10**12
        root = Fraction(isqrt(int(largest * scale**2)) + 1, scale)
        allowed: dict[Rule, tuple[str | None, Range]] = {
            "iou": (rule.iou, (low / (2 - low) * share, high * share)),
            "sd": (rule.sd, (Fraction(0), root * share)),
        }
        for name, (column, values) in allowed.items():
            if column is not None and (cell := known[column]) is not None:
                part = _Cell(rule.table, slug, column, name, row[column])
                yield part.judged(cell, values, decimals_of(row[column]))


def _auc(paper: Paper, readings: Readings, column: str) -> Iterator[IdentityRow]:
    """A ROC curve rises through (FPR, TPR): TPR TNR <= AUC <= 1 - FNR FPR (see docs/audit.md)."""
    for table in dict.fromkeys(reading.table for reading in readings.all):
        for slug, row in paper.rows(table).items():
            printed = _Cell(table, slug, column, "auc_from_matrix", row[column])
            decimals = decimals_of(row[column])
            cell = behind(row[column], decimals)
            mine = [r for r in readings.all if (r.table, r.method) == (table, slug)]
            if cell is None or not mine:
                continue
            ranges = []
            for reading in mine:
                for m in reading.found:
                    tpr = Fraction(m.tp, reading.sizes.positive)
                    tnr = Fraction(m.tn, reading.sizes.negative)
                    ranges.append((tpr * tnr, 1 - (1 - tpr) * (1 - tnr)))
            if ranges:
                allowed = (min(low for low, _ in ranges), max(high for _, high in ranges))
                yield printed.judged(cell, allowed, decimals)
            else:
                yield printed.row("not checkable", "no confusion matrix gives the row")


def _repeated(paper: Paper) -> Iterator[IdentityRow]:
    for table, columns in paper.spec.repeats.columns.items():
        rows = paper.rows(table)
        for column in columns:
            holders: dict[Fraction, list[str]] = defaultdict(list)
            for slug, row in rows.items():
                if (value := number(row[column])) is not None:
                    holders[value].append(slug)
            for slug, row in rows.items():
                value = number(row[column])
                if value is not None:
                    # As the table prints them; a paper's CSV may hold no such column.
                    others = (rows[s].get("method", s) for s in holders[value] if s != slug)
                    printed = _Cell(table, slug, column, "repeated", row[column])
                    yield printed.repeated("also in row", others)


def _across(paper: Paper) -> Iterator[IdentityRow]:
    for rule in paper.spec.repeats.across:
        for table in rule.tables:
            for slug, row in paper.rows(table).items():
                for column in rule.columns:
                    value = number(row[column])
                    if value is None:
                        continue
                    twins = (
                        str(t)
                        for t in rule.tables
                        if t != table
                        and slug in paper.rows(t)
                        and number(paper.cell(t, slug, column)) == value
                    )
                    printed = _Cell(table, slug, column, "across", row[column])
                    yield printed.repeated("the same method's cell in table", twins)
