"""Arithmetic from text, safely: a parser of our own, with bounds on everything, and no `eval`.

    sum      = product (("+" | "-") product)*
    product  = signed (("*" | "/" | "//" | "%") signed)*
    signed   = ("+" | "-") signed | power
    power    = atom ["**" signed]
    atom     = number | "(" sum ")"

Operators, precedence and results are Python's; `^`, and the signs for times, divided by and minus that are
not on a keyboard, are understood as well.
"""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Number = int | float

MAX_LENGTH = 500
"""The longest expression, in characters."""
MAX_DEPTH = 50
"""How deep parentheses, signs and exponents may nest."""
MAX_BITS = 4096
"""The largest whole number, in bits (some 1,200 digits)."""

_TOKEN = re.compile(r"\s*(?:(\d+\.\d*(?:[eE][+-]?\d+)?|\.?\d+(?:[eE][+-]?\d+)?)|(\*\*|//|[-+*/%()]))", re.ASCII)
_AS_PYTHON = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/", "\N{MINUS SIGN}": "-", "^": "**"})

_SUMS: dict[str, Callable[[Number, Number], Number]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: dict[str, Callable[[Number, Number], Number]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class ExpressionError(ValueError):
    """The text is no expression, or its value is undefined or over a bound; the message says which."""


def evaluate(expression: str) -> Number:
    """Return the value of an expression, an int or a finite float.

    Raises:
        ExpressionError: it cannot be read, divides by zero, has no real value, or goes over a bound.
    """
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"The expression is longer than {MAX_LENGTH} characters.")
    try:
        return _Parser(_tokens(expression.translate(_AS_PYTHON))).whole()
    except ZeroDivisionError as exc:
        raise ExpressionError("Division by zero.") from exc
    except OverflowError as exc:
        raise _too_large() from exc


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"{text[position:].strip()[:1]!r} is not part of arithmetic.")
        tokens.append(match[1] or match[2])
        position = match.end()
    return tokens


class _Parser:
    """Reads tokens from left to right and computes on the way."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._next = 0
        self._depth = 0

    def whole(self) -> Number:
        value = self._sum()
        if self._peek():
            raise ExpressionError(f"{self._peek()!r} is not expected there.")
        return value

    def _sum(self) -> Number:
        value = self._product()
        while self._peek() in _SUMS:
            value = _bounded(_SUMS[self._take()](value, self._product()))
        return value

    def _product(self) -> Number:
        value = self._signed()
        while self._peek() in _PRODUCTS:
            value = _bounded(_PRODUCTS[self._take()](value, self._signed()))
        return value

    def _signed(self) -> Number:
        self._deeper()
        sign = self._take() if self._peek() in _SUMS else ""
        value = self._signed() if sign else self._power()
        self._depth -= 1
        return -value if sign == "-" else value

    def _power(self) -> Number:
        base = self._atom()
        if self._peek() != "**":
            return base
        self._take()
        return _power(base, self._signed())

    def _atom(self) -> Number:
        word = self._take()
        if word == "(":
            value = self._sum()
            if self._take() != ")":
                raise ExpressionError("A closing parenthesis is missing.")
            return value
        if word[:1].isdigit() or word[:1] == ".":
            return _number(word)
        raise ExpressionError(f"A number is missing before {word!r}." if word else "A number is missing.")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"The expression nests deeper than {MAX_DEPTH}.")

    def _peek(self) -> str:
        return self._tokens[self._next]

    def _take(self) -> str:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token


def _number(token: str) -> Number:
    return _bounded(int(token) if token.isdigit() else float(token))


def _power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`, refused before it is computed where it would be too large."""
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and int(base).bit_length() * exponent > MAX_BITS:
        raise _too_large()
    value: Number | complex = base**exponent
    if isinstance(value, complex):
        raise ExpressionError("The root of a negative number is not a real number.")
    return _bounded(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise _too_large()
    elif not math.isfinite(value):
        raise _too_large()
    return value


def _too_large() -> ExpressionError:
    return ExpressionError("A value is too large.")
