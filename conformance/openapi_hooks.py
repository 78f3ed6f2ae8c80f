"""Loaded by Schemathesis: numbers are sent as JSON libraries write them.

To JSON Schema 1.0 is an integer. Our services take 1 alone, as every JSON library writes it: the one known gap between
schemas and types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, HookContext


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Take the fraction from whole numbers of a body."""
    case.body = _whole(case.body)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
