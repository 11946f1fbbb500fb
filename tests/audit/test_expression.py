"""The claim language: what it can say, and that nothing else gets through."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mednext.audit.expression import ExpressionError, evaluate

WORDS = {"T": {1: ({"slug": "a", "n": "2.50"},)}, "PAIR": ("x", "y"), "d": Fraction(512)}
FUNCTIONS = {
    "num": lambda text: Fraction(text),
    "len": lambda items: Fraction(len(items)),
    "set": frozenset,
    "all": all,
    "sum": lambda items: sum(items, Fraction(0)),
}


def value(text: str) -> Any:
    return evaluate(text, FUNCTIONS, WORDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 / 8", Fraction(13, 2)),
        ("0.1 + 0.2", Fraction(3, 10)),  # exact, unlike floats
        ("2 * d ** 2 + d + d ** 2 / 81", Fraction(2 * 512**2 + 512) + Fraction(512**2, 81)),
        ("'a' + 'b' == 'ab'", True),
        ("1 < 2 <= 2 != 3", True),
        ("not (1 > 2 or False) and True", True),
        ("-3 if d == 512 else 3", Fraction(-3)),
        ("sum(num(r['n']) for r in T[1] if r['slug'] == 'a')", Fraction(5, 2)),
        ("len(set(p + q for p in PAIR for q in PAIR))", Fraction(4)),
        ("all(a < b for (a, b) in ((1, 2), (3, 4)))", True),
        ("(x := 2) * x", Fraction(4)),
    ],
)
def test_what_it_can_say(text: str, expected: object) -> None:
    assert value(text) == expected


HOSTILE = {
    "import": "__import__('os').system('touch pwned')",
    "import of a list": "[__import__('os')][0]",
    "eval": "eval('1')",
    "exec": 'exec(\'open("pwned", "w")\')',
    "open": "open('pwned', 'w')",
    "attribute": "d.__class__",
    "attribute chain": "().__class__.__bases__[0].__subclasses__()",
    "method of a text": "'{0.__class__}'.format(d)",
    "attribute of a function": "num.__globals__",
    "getattr": "getattr(d, 'numerator')",
    "function as a value": "num",
    "function in a list": "[num for x in (1,)]",
    "call of a result": "(num)('1')('2')",
    "call of a lambda": "(lambda: 1)()",
    "lambda": "lambda: 1",
    "rebound function": "(num := 3) + num('1')",
    "loop variable named as a function": "sum(1 for num in (1, 2))",
    "format string": "f'{d}'",
    "percent formatting": "'%s' % d",
    "text times a number": "'a' * 10 ** 9",
    "list times a number": "(1,) * 10 ** 9",
    "shift": "1 << 10 ** 9",
    "large power": "9 ** 9 ** 9",
    "power of a power": "((9 ** 16) ** 16) ** 16",
    "fractional power": "2 ** 0.5",
    "bit operators": "~1 | 2 & 3 ^ 4",
    "floor division": "7 // 2",
    "modulo": "7 % 2",
    "walrus into a table": "(T[1] := 3)",
    "star arguments": "num(*('1',))",
    "star keywords": "num(**{'text': '1'})",
    "dictionary": "{'a': 1}",
    "set display": "{1, 2}",
    "dictionary comprehension": "{a: a for a in PAIR}",
    "slice": "PAIR[0:1]",
    "index of a list": "PAIR[0]",
    "text indexed": "'abc'[0]",
    "text run through": "all(c for c in 'abc')",
    "membership": "'a' in PAIR",
    "identity": "d is d",
    "await": "await d",
    "yield": "(yield 1)",
    "statement": "d = 3",
    "two statements": "1; 2",
    "bytes": "b'abc'",
    "complex number": "1j",
    "none": "None",
    "ellipsis": "...",
    "unknown name": "__builtins__",
    "unknown key": "T[9]",
    "dunder name": "__name__",
    "division by zero": "1 / 0",
    "unlike things": "'a' < 1",
    "infinite number": "1e999999999",
    "long number": "9" * 5000,
    "null byte": "1\0",
    "not an expression": "1 +",
    "empty": "",
    "nesting": "(" * 900 + "1" + ")" * 900,
    "minus signs": "-" * 1900 + "1",
    "much text": "a" * 3000,
    "cube of loops": "sum(1 for a in BIG for b in BIG for c in BIG for e in BIG)",
    "growing text": "(x := 'aaaaaaaaaa') == x" + " and (x := x + x + x + x) == x" * 20,
    "growing number": "(x := 2 ** 16) == x" + " and (x := x * x) == x" * 40,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_expression_is_refused_at_once(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = time.monotonic()
    with pytest.raises(ExpressionError):
        evaluate(text, FUNCTIONS, {**WORDS, "BIG": tuple(range(100))})
    assert time.monotonic() - begun < 5
    assert not list(tmp_path.iterdir())


def test_names_of_one_expression_do_not_reach_the_next() -> None:
    assert value("(x := 1) + x") == 2
    with pytest.raises(ExpressionError, match="unknown name 'x'"):
        value("x")
    with pytest.raises(ExpressionError, match="unknown name 'a'"):
        value("sum(a for a in (1, 2)) + a")


WHOLE = st.integers(-50, 50)
TEXTS = st.recursive(
    WHOLE.map(lambda n: f"({n})"),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(TEXTS)
def test_arithmetic_is_that_of_exact_fractions(text: str) -> None:
    # Python's own evaluation of the same text over fractions; the texts are made above.
    exact = text.replace("(", "F(") if "(" in text else text
    try:
        expected = eval(exact, {"F": Fraction})
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="ZeroDivisionError"):
            value(text)
        return
    assert value(text) == expected


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_gives_a_value_or_one_kind_of_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        value(text)
