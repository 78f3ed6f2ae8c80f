"""From what an agent returned or raised to what a result shows. Pure."""

from __future__ import annotations

from builtins import ExceptionGroup  # by name: the linter believes in Python 3.10
from typing import Any

import msgspec

from arp_model import UNSET, ErrorDetail
from arp_runtime.errors import AgentError, AgentFailedError, InvalidOutputError


def error_detail(error: AgentError) -> ErrorDetail:
    """The error as a result shows it."""
    return ErrorDetail(
        code=error.code,
        message=error.message,
        details=UNSET if error.details is None else error.details,
        retryable=UNSET if error.retryable is None else error.retryable,
    )


def encode_output(value: Any) -> tuple[dict[str, Any] | None, bytes]:
    """The run's output, from what an agent returned, and the same as JSON.

    Raises:
        InvalidOutputError: it is no dict, text or None, or no JSON.
    """
    if value is None:
        return None, b""
    output = {"answer": value} if isinstance(value, str) else value
    if not isinstance(output, dict):
        raise InvalidOutputError(f"The agent returned {type(value).__name__}; a dict, text or None is needed.")
    try:
        return output, msgspec.json.encode(output)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidOutputError(f"The agent's output is no JSON: {exc}") from exc


def as_agent_error(exc: BaseException) -> AgentError:
    """What a person needs of an exception; of a group with one member, that of the member."""
    while isinstance(exc, ExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if isinstance(exc, AgentError):
        return exc
    return AgentFailedError(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
