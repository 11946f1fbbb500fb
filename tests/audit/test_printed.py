from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mednext.audit.printed import Convention, agrees, decimal_text, interval, number, units
from mednext.errors import UserError


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [("98.39", 2, 9839), ("100", 2, 10000), ("0.9970", 4, 9970), ("", 2, None), (" 1.5 ", 2, 150)],
)
def test_cell_in_units(text: str, decimals: int, expected: int | None) -> None:
    assert units(text, decimals) == expected


@pytest.mark.parametrize("text", ["98.391", "n/a", "nan", "inf", "1e999999999"])
def test_cell_that_is_no_decimal_of_its_column(text: str) -> None:
    with pytest.raises(UserError):
        units(text, 2)


def test_rounding_and_truncation_differ_where_they_should() -> None:
    # 234/246 = 95.1219..., 2 * 234 / 488 = 95.9016..., 480/496 = 96.7741..., 476/496 = 95.9677...
    assert agrees(10_000 * 476, 496, 9597, Convention.ROUNDING)
    assert not agrees(10_000 * 476, 496, 9597, Convention.TRUNCATION)
    assert agrees(10_000 * 476, 496, 9596, Convention.TRUNCATION)
    assert not agrees(10_000 * 476, 496, 9596, Convention.ROUNDING)
    assert agrees(10_000 * 476, 496, 9596, Convention.MIXED)
    assert agrees(10_000 * 476, 496, 9597, Convention.MIXED)


def test_a_tie_may_have_gone_either_way() -> None:
    # 1/16 = 6.25 percent; at one decimal 6.2 or 6.3, cut off 6.2 alone.
    ways = {c: [k for k in range(100) if agrees(1000, 16, k, c)] for c in Convention}
    assert ways == {
        Convention.ROUNDING: [62, 63],
        Convention.TRUNCATION: [62],
        Convention.MIXED: [62, 63],
    }


def test_an_undefined_ratio_agrees_with_nothing() -> None:
    for convention in Convention:
        assert not agrees(0, 0, 0, convention)
        found = agrees(np.array([0, 0]), np.array([0, 3]), 0, convention)
        assert found.tolist() == [False, True]


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_agrees_with_decimal_arithmetic(num: int, den: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(num) * 10_000 / Decimal(den)
        rounded = {
            int(exact.quantize(Decimal(1), rounding=mode))
            for mode in (ROUND_HALF_UP, ROUND_HALF_DOWN)
        }
        cut = {int(exact.quantize(Decimal(1), rounding=ROUND_DOWN))}
    near = range(max(0, min(cut) - 2), max(rounded) + 3)
    got = {c: {k for k in near if agrees(10_000 * num, den, k, c)} for c in Convention}
    assert got[Convention.ROUNDING] == rounded
    assert got[Convention.TRUNCATION] == cut
    assert got[Convention.MIXED] == rounded | cut


@given(st.integers(0, 10_000), st.sampled_from(list(Convention)), st.integers(1, 997))
def test_interval_holds_what_agrees(printed: int, convention: Convention, den: int) -> None:
    low, high = interval(printed, convention)
    for num in range(max(0, (printed - 1) * den), (printed + 2) * den, max(1, den // 50)):
        if agrees(num, den, printed, convention):
            assert low <= Fraction(num, den) <= high


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (Fraction(1, 8), 2, "0.12"),
        (Fraction(-1, 3), 3, "-0.333"),
        (Fraction(1234), 0, "1234"),
        (Fraction(-1, 1000), 2, "0.00"),
        (7, 1, "7.0"),
    ],
)
def test_decimal_text(value: Fraction, decimals: int, text: str) -> None:
    assert decimal_text(value, decimals) == text


def test_number_is_exact() -> None:
    assert number("0.1") == Fraction(1, 10)
    assert number("") is None
