"""The tool `calculator`: exact arithmetic."""

from __future__ import annotations

from typing import Any

import msgspec

from arp_runtime.builtin_tools.arithmetic import ExpressionError, evaluate
from arp_runtime.errors import ToolError
from arp_runtime.tools import FunctionTool

# JSON readers that use doubles keep whole numbers exact up to here (RFC 8259, 6).
_MAX_EXACT = 2**53


class CalculatorArgs(msgspec.Struct, forbid_unknown_fields=True):
    """What the calculator takes."""

    expression: str


async def calculate(args: CalculatorArgs) -> dict[str, Any]:
    """Evaluate an expression: `text` is exact, `value` is absent where a JSON number would not be."""
    try:
        value = evaluate(args.expression)
    except ExpressionError as exc:
        raise ToolError(f"calculator: {exc}") from exc
    result: dict[str, Any] = {"expression": args.expression, "text": str(value)}
    if isinstance(value, float) or abs(value) <= _MAX_EXACT:
        result["value"] = value
    return result


CALCULATOR = FunctionTool(
    tool_id="calculator",
    description="Evaluates an arithmetic expression with + - * / // % ** and parentheses.",
    arguments=CalculatorArgs,
    function=calculate,
)
