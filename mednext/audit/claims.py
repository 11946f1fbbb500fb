"""The statements of the text against the tables: ``claims.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal

from mednext.audit.expression import ExpressionError, Undecided, evaluate
from mednext.audit.matrices import Readings
from mednext.audit.paper import Paper, Row, read_csv
from mednext.audit.printed import Convention, agrees, decimal_text, number
from mednext.audit.schema import ClaimRow
from mednext.audit.vocabulary import Vocabulary
from mednext.errors import UserError

COLUMNS = (
    "claim_id",
    "section",
    "paper_line",
    "quote",
    "kind",
    "value",
    "unit",
    "about",
    "expression",
)
Verdict = Literal["true", "true if cut off", "false", "not checkable"]
Judged = tuple[Verdict, str | None, str | None, str | None]
"""Verdict, computed value, distance, note."""


def claim_rows(paper: Paper, readings: Readings) -> Iterator[ClaimRow]:
    """Every claim, judged.

    Raises:
        UserError: a claim's expression is not in the language, or fails.
    """
    claims = paper.spec.claims
    if claims is None:
        return
    path = paper.folder / claims.file
    rows = read_csv(path, COLUMNS)
    unknown = set(claims.readings) - {row["claim_id"] for row in rows}
    if unknown:
        raise UserError("a reading names no claim", file=paper.file, found=sorted(unknown))
    vocabulary = Vocabulary(paper, readings)
    for row in rows:
        expression = claims.readings.get(row["claim_id"], row["expression"])
        vocabulary.looked_at.clear()
        try:
            verdict, computed, off_by, note = judge(row, expression, vocabulary)
        except ExpressionError as error:
            raise UserError(
                f"claim {row['claim_id']}: {error}",
                file=path,
                found=expression,
                expected="the language described in docs/audit.md",
            ) from None
        yield ClaimRow(
            claim_id=row["claim_id"],
            section=row["section"],
            paper_line=int(row["paper_line"]),
            kind=row["kind"],
            quote=row["quote"],
            about=row["about"],
            stated=row["value"] or None,
            unit=row["unit"] or None,
            computed=computed,
            off_by=off_by,
            verdict=verdict,
            note=note,
            cells=vocabulary.cells_looked_at() or None,
        )


def judge(row: Row, expression: str, vocabulary: Vocabulary) -> Judged:
    """Compare what a claim says with what its expression gives.

    A truth value is the verdict itself; a number is compared at the stated digits; a text must be
    equal.
    """
    if not expression:
        return "not checkable", None, None, "no table holds it"
    try:
        result = evaluate(expression, vocabulary.functions, vocabulary.words)
    except Undecided as reason:
        return "not checkable", None, None, str(reason)
    if isinstance(result, bool):
        return ("true" if result else "false"), str(result).lower(), None, None
    if isinstance(result, Fraction):
        return _number(row["value"], result)
    return _text(row["value"], result)


def _number(stated: str, result: Fraction) -> Judged:
    try:
        value = number(stated)
    except UserError:
        value = None
    if value is None:
        raise ExpressionError(f"gives a number, but the claim states {stated!r}")
    decimals = len(stated.partition(".")[2])
    printed = int(value * 10**decimals)
    scaled = result * 10**decimals
    off = None if result == value else decimal_text(result - value, decimals + 2)
    computed = decimal_text(result, decimals if scaled.denominator == 1 else decimals + 2)
    for convention, verdict in VERDICTS.items():
        if agrees(scaled.numerator, scaled.denominator, printed, convention):
            return verdict, computed, off, None
    return "false", computed, off, None


VERDICTS: dict[Convention, Verdict] = {
    Convention.ROUNDING: "true",
    Convention.TRUNCATION: "true if cut off",
}


def _text(stated: str, result: Any) -> Judged:
    if not isinstance(result, str):
        raise ExpressionError("gives neither a truth value, a number nor a text")
    tied = "/" in result and stated in result.split("/")
    note = "a tie" if tied else None
    return ("true" if result == stated else "false"), result, None, note
