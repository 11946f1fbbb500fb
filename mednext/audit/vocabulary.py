"""What the expressions of claims may say about the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from mednext.audit.expression import ExpressionError, Function, Undecided
from mednext.audit.matrices import Readings
from mednext.audit.paper import Paper
from mednext.audit.printed import number
from mednext.errors import UserError

EXTREMES: dict[str, Callable[[Iterable[Fraction]], Fraction]] = {"min": min, "max": max}


class Vocabulary:
    """The functions and words of the claim language for one paper.

    Args:
        paper: the printed cells.
        readings: the confusion matrices that give its rows.
    """

    def __init__(self, paper: Paper, readings: Readings) -> None:
        self.paper = paper
        self.readings = readings
        self.looked_at: dict[tuple[int, str, str], None] = {}
        """Table, row and column of each cell that was asked for since the last clearing."""
        self.functions: Mapping[str, Function] = {
            "v": self.value,
            "cell": self.cell,
            "best": self.best,
            "gain": self.gain,
            "num": _num,
            "positive_is": self.positive_is,
            "false_alarms": self.false_alarms,
            "missed_disease": self.missed_disease,
            "len": lambda items: Fraction(len(_items(items))),
            "set": lambda items: frozenset(_items(items)),
            "sum": lambda items: sum(_items(items), Fraction(0)),
            "min": lambda items: min(_items(items)),
            "max": lambda items: max(_items(items)),
            "abs": abs,
            "all": lambda items: all(_items(items)),
            "any": lambda items: any(_items(items)),
        }
        claims = paper.spec.claims
        self.words: dict[str, Any] = {
            **{name: name for name in EXTREMES},
            "T": {n: tuple(table.values()) for n, table in paper.tables.items()},
            **({name: _exact(word) for name, word in claims.words.items()} if claims else {}),
        }

    def cells_looked_at(self) -> str:
        """``table/row/column`` of each of them, with spaces between."""
        return " ".join(f"{table}/{slug}/{column}" for table, slug, column in self.looked_at)

    def cell(self, table: Fraction, slug: str, column: str) -> str:
        """The text of a cell."""
        try:
            text = self.paper.cell(_whole(table), slug, column)
        except UserError as error:
            raise ExpressionError(error.what) from None
        self.looked_at[_whole(table), slug, column] = None
        return text

    def value(self, table: Fraction, slug: str, column: str) -> Fraction:
        """The number in a cell."""
        return _num(self.cell(table, slug, column))

    def best(self, table: Fraction, column: str, low: bool = False) -> str:
        """The row with the highest (lowest) cell; ties joined by ``/``; empty cells left out."""
        cells = {
            slug: _num(row[column])
            for slug, row in self.paper.tables[_whole(table)].items()
            if row[column].strip()
        }
        top = (min if low else max)(cells.values())
        winners = [slug for slug, value in cells.items() if value == top]
        self.looked_at.update({(_whole(table), slug, column): None for slug in winners})
        return "/".join(winners)

    def gain(
        self, table: Fraction, column: str, me: str, others: Iterable[str], f: str
    ) -> Fraction:
        """The least or largest (``f`` is min or max) of what a row has more than the others."""
        mine = self.value(table, me, column)
        return EXTREMES[f](mine - self.value(table, other, column) for other in others)

    def positive_is(self, table: Fraction, slug: str, positive: str) -> bool:
        """Whether the row was computed with this class as positive: no matrix gives it otherwise.

        Undecided if matrices give it with both classes as positive, or with neither.
        """
        mine = [r for r in self.readings.all if (r.table, r.method) == (table, slug)]
        if positive not in {r.positive for r in mine}:
            raise ExpressionError(f"there is no row '{slug}' with positive class '{positive}'")
        fitting = {r.positive for r in mine if r.found}
        if len(fitting) != 1:
            raise Undecided(_no_answer(table, slug, bool(fitting)))
        return fitting == {positive}

    def false_alarms(self, table: Fraction, slug: str) -> Fraction:
        """Images called diseased by mistake, in the matrices that give the row."""
        return self._errors(table, slug, lambda reading, m: reading.alarms(m))

    def missed_disease(self, table: Fraction, slug: str) -> Fraction:
        """Diseased images called free of it, in the matrices that give the row."""
        return self._errors(table, slug, lambda reading, m: reading.missed(m))

    def _errors(self, table: Fraction, slug: str, of: Callable[..., int]) -> Fraction:
        counts = {
            of(reading, matrix)
            for reading in self.readings.all
            if (reading.table, reading.method) == (table, slug)
            for matrix in reading.found
        }
        if len(counts) != 1:
            raise Undecided(_no_answer(table, slug, bool(counts)))
        return Fraction(counts.pop())


def _no_answer(table: Fraction, slug: str, several: bool) -> str:
    which = "several different confusion matrices give" if several else "no confusion matrix gives"
    return f"{which} row '{slug}' of table {table}"


def _num(text: str) -> Fraction:
    try:
        value = number(text)
    except UserError as error:
        raise ExpressionError(f"{error.what}: {error.found}") from None
    if value is None:
        raise ExpressionError("a cell is empty")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, Fraction) or value.denominator != 1:
        raise ExpressionError(f"{value!r} is not a table")
    return int(value)


def _items(items: Any) -> tuple[Any, ...] | frozenset[Any]:
    if not isinstance(items, tuple | frozenset):
        raise ExpressionError(f"{items!r} is not a list")
    return items


def _exact(word: int | tuple[str, ...] | dict[str, int]) -> Any:
    if isinstance(word, dict):
        return {key: Fraction(value) for key, value in word.items()}
    return Fraction(word) if isinstance(word, int) else word
