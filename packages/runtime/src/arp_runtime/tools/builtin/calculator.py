"""The tool `calculator`: exact arithmetic."""

from __future__ import annotations

from typing import Any

from arp_runtime.errors import ToolError
from arp_runtime.tools.builtin.arithmetic import ExpressionError, evaluate
from arp_runtime.tools.functions import tool

# JSON readers that use doubles keep whole numbers exact up to here (RFC 8259, 6).
_MAX_EXACT = 2**53


@tool
async def calculator(expression: str) -> dict[str, Any]:
    """Evaluates an arithmetic expression with + - * / // % ** and parentheses.

    The result's `text` is exact; its `value` is absent where a JSON number would not be.

    Args:
        expression: What to evaluate, such as (19*23)/7.
    """
    try:
        value = evaluate(expression)
    except ExpressionError as exc:
        raise ToolError(f"calculator: {exc}") from exc
    result: dict[str, Any] = {"expression": expression, "text": str(value)}
    if isinstance(value, float) or abs(value) <= _MAX_EXACT:
        result["value"] = value
    return result
