"""A small expression language for claims, interpreted node by node from Python's syntax tree.

Only what is listed here exists: no attribute, no import, no call of anything but the given
functions, no way to a Python object that was not passed in. Numbers are exact fractions. Work and
sizes are bounded, so that no expression can hang or fill the memory.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

MAX_LENGTH = 2000
MAX_STEPS = 50_000
MAX_EXPONENT = 16
MAX_BITS = 4096
MAX_TEXT = 1000


class ExpressionError(Exception):
    """The expression is not in the language, or cannot be evaluated."""


class Undecided(Exception):
    """The expression is sound, but what is known does not settle it."""


Function = Callable[..., Any]
Scope = dict[str, Any]
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def evaluate(text: str, functions: Mapping[str, Function], words: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Args:
        text: the expression.
        functions: what may be called, by name.
        words: constants by name: numbers, texts, tuples and mappings of these.

    Raises:
        ExpressionError: not in the language, too large, or it fails (division by zero, a name or
            key that does not exist, a comparison of unlike things).
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"not an expression: {error}") from None
    try:
        return _Interpreter(functions).value(tree.body, dict(words))
    except (ArithmeticError, TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
        raise ExpressionError(f"{type(error).__name__}: {error}") from None


class _Interpreter:
    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.steps = 0

    def value(self, node: ast.expr, scope: Scope) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ExpressionError(f"takes more than {MAX_STEPS} steps")
        handler = getattr(self, f"_{type(node).__name__}", None)
        if handler is None:
            raise ExpressionError(f"'{type(node).__name__}' is not in the language")
        return _bounded(handler(node, scope))

    def _Constant(self, node: ast.Constant, scope: Scope) -> Any:
        if isinstance(node.value, bool | str):
            return node.value
        if isinstance(node.value, int | float):
            return Fraction(str(node.value))
        raise ExpressionError(f"a constant {node.value!r} is not in the language")

    def _Name(self, node: ast.Name, scope: Scope) -> Any:
        if node.id not in scope:
            raise ExpressionError(f"unknown name '{node.id}'")
        return scope[node.id]

    def _Tuple(self, node: ast.Tuple | ast.List, scope: Scope) -> tuple[Any, ...]:
        return tuple(self.value(item, scope) for item in node.elts)

    _List = _Tuple

    def _BoolOp(self, node: ast.BoolOp, scope: Scope) -> bool:
        quick = isinstance(node.op, ast.Or)
        return quick if any(self.truth(v, scope) is quick for v in node.values) else not quick

    def _UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Any:
        if isinstance(node.op, ast.Not):
            return not self.truth(node.operand, scope)
        if isinstance(node.op, ast.USub):
            return -_number(self.value(node.operand, scope))
        raise ExpressionError(f"'{type(node.op).__name__}' is not in the language")

    def _BinOp(self, node: ast.BinOp, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        if type(node.op) not in ARITHMETIC:
            raise ExpressionError(f"'{type(node.op).__name__}' is not in the language")
        left, right = _number(left), _number(right)
        if isinstance(node.op, ast.Pow) and not (
            right.denominator == 1 and abs(right) <= MAX_EXPONENT
        ):
            raise ExpressionError(f"an exponent is not a whole number up to {MAX_EXPONENT}")
        return ARITHMETIC[type(node.op)](left, right)

    def _Compare(self, node: ast.Compare, scope: Scope) -> bool:
        left = self.value(node.left, scope)
        for operation, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator, scope)
            if type(operation) not in COMPARISONS:
                raise ExpressionError(f"'{type(operation).__name__}' is not in the language")
            if not COMPARISONS[type(operation)](left, right):
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp, scope: Scope) -> Any:
        return self.value(node.body if self.truth(node.test, scope) else node.orelse, scope)

    def _NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> Any:
        result = self.value(node.value, scope)
        self._bind(node.target, result, scope)
        return result

    def _Subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        container, key = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(key, Fraction):
            key = int(key) if key.denominator == 1 else key
        if isinstance(container, Mapping):
            if key not in container:
                raise ExpressionError(f"there is no {key!r}")
            return container[key]
        raise ExpressionError("only tables, rows and word lists can be indexed")

    def _GeneratorExp(self, node: ast.GeneratorExp | ast.ListComp, scope: Scope) -> tuple[Any, ...]:
        return tuple(
            self.value(node.elt, inner) for inner in self._loops(node.generators, dict(scope))
        )

    _ListComp = _GeneratorExp

    def _loops(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        if not generators:
            yield scope
            return
        loop, *rest = generators
        items = self.value(loop.iter, scope)
        if not isinstance(items, tuple | frozenset):
            raise ExpressionError("only lists can be run through")
        for item in items:
            inner = dict(scope)
            self._bind(loop.target, item, inner)
            if all(self.truth(test, inner) for test in loop.ifs):
                yield from self._loops(rest, inner)

    def _Call(self, node: ast.Call, scope: Scope) -> Any:
        if not isinstance(node.func, ast.Name) or node.func.id not in self.functions:
            raise ExpressionError("only the functions of the language can be called")
        if any(keyword.arg is None for keyword in node.keywords):
            raise ExpressionError("'**' is not in the language")
        positional = [self.value(argument, scope) for argument in node.args]
        named = {str(k.arg): self.value(k.value, scope) for k in node.keywords}
        return self.functions[node.func.id](*positional, **named)

    def _bind(self, target: ast.expr, item: Any, scope: Scope) -> None:
        """Assign to a name, or to a tuple of names; a function's name stays a function's."""
        if isinstance(target, ast.Name):
            if target.id in self.functions:
                raise ExpressionError(f"'{target.id}' cannot be assigned")
            scope[target.id] = item
        elif isinstance(target, ast.Tuple) and isinstance(item, tuple):
            if len(target.elts) != len(item):
                raise ExpressionError("a tuple of another length is assigned")
            for name, part in zip(target.elts, item, strict=True):
                self._bind(name, part, scope)
        else:
            raise ExpressionError("only names can be assigned")

    def truth(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a value counts as true: not zero, not empty."""
        return bool(self.value(node, scope))


def _number(value: Any) -> Fraction:
    if isinstance(value, Fraction):
        return value
    raise ExpressionError(f"{value!r} is not a number")


def _bounded(value: Any) -> Any:
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise ExpressionError("a number is too large")
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        raise ExpressionError("a text is too long")
    return value
