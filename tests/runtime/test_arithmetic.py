"""The calculator's arithmetic: Python's results, and nothing that Python could be hurt by."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_runtime.tools.builtin.arithmetic import MAX_BITS, MAX_DEPTH, MAX_LENGTH, ExpressionError, evaluate

_NUMBERS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from([" + ", "-", "*", " / ", "//", "%"])
    return st.one_of(
        st.tuples(inner, operators, inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.integers(-3, 3)).map(lambda pair: f"({pair[0]})**{pair[1]}"),
    )


_EXPRESSIONS = st.recursive(_NUMBERS, _combined, max_leaves=8).filter(lambda text: len(text) <= MAX_LENGTH)


def _answer(expression: str) -> tuple[int | float, type] | str:
    try:
        value = evaluate(expression)
    except ExpressionError as error:
        return str(error)
    return value, type(value)


@given(_EXPRESSIONS)
def test_arithmetic_is_pythons(expression: str) -> None:
    """Same value and same type as Python, or a refusal where Python raises, or leaves the real or finite numbers."""
    try:
        expected = eval(expression, {"__builtins__": {}})
    except (ZeroDivisionError, OverflowError):
        expected = None
    if expected is None or isinstance(expected, complex) or not math.isfinite(expected):
        with pytest.raises(ExpressionError):
            evaluate(expression)
        return
    assert _answer(expression) in ((expected, type(expected)), "A value is too large.")  # perhaps on the way


@given(st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    """No text makes anything else happen than a number or an ExpressionError."""
    try:
        value = evaluate(text)
    except ExpressionError:
        return
    assert math.isfinite(value)


@given(st.text(alphabet="0123456789.e+-*/%()^ ", max_size=120))
def test_any_arithmetic_salad_is_answered_or_refused(text: str) -> None:
    """Signs and digits in any order end soon, and within the bounds."""
    try:
        value = evaluate(text)
    except ExpressionError:
        return
    assert isinstance(value, float) or value.bit_length() <= MAX_BITS


@pytest.mark.parametrize(
    "bomb",
    [
        "9**9**9",
        "2**100000",
        "10**400*10**400*10**400*10**400",
        "9" * MAX_LENGTH + "9",
        "1e308*10",
        "1e999",
        "(-9)**(9**9)",
        "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
        "-" * (MAX_DEPTH + 1) + "1",
        "2" + "**1" * (MAX_DEPTH + 1),
        "2**4000*2**4000",
    ],
)
def test_bombs_are_refused(bomb: str) -> None:
    """What would take memory or time without end is refused before it is computed."""
    with pytest.raises(ExpressionError):
        evaluate(bomb)


@pytest.mark.parametrize("text", ["__import__('os')", "a", "1_0", "1;2", "f(1)", "0x10", "1 if 1 else 2", "[1]", "'1'"])
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    """Names, calls and the rest of Python are unknown here."""
    with pytest.raises(ExpressionError):
        evaluate(text)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("(19*23)", 437),
        ("-2**2", -4),
        ("2^3^2", 512),
        ("2**-1", 0.5),
        ("6\N{MULTIPLICATION SIGN}7", 42),
        (" .5 + 1. ", 1.5),
    ],
)
def test_known_values(expression: str, value: float) -> None:
    """Precedence, association and the signs that people type."""
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "why"),
    [("1/0", "Division by zero"), ("(-8)**0.5", "not a real number"), ("(1", "parenthesis"), ("1 2", "not expected")],
)
def test_a_refusal_says_why(expression: str, why: str) -> None:
    """The message is for the person who asked."""
    with pytest.raises(ExpressionError, match=why):
        evaluate(expression)
