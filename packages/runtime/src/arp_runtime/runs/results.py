"""From what an agent returned or raised to a run's result. Pure."""

from __future__ import annotations

from builtins import ExceptionGroup  # by name: the linter believes in Python 3.10
from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import UNSET, ErrorDetail, RunResult, RunState
from arp_runtime.errors import AgentError, AgentFailedError, InvalidOutputError

if TYPE_CHECKING:
    from arp_runtime.runs.execution import Outcome

ABANDONED = "arp.abandoned"
"""In a result's `extensions`, true: the agent did not stop in time, and may still be at work."""


def describe(run_id: str, outcome: Outcome, *, abandoned: bool = False) -> tuple[dict[str, Any], bytes]:
    """The last event's data, and the RunResult as JSON: the same but for the run_id.

    Raises:
        TypeError, ValueError, RecursionError: something of the outcome is no JSON.
    """
    result = RunResult(
        run_id=run_id,
        ok=outcome.state is RunState.SUCCEEDED,
        output=UNSET if outcome.output is None else outcome.output,
        error=UNSET if outcome.error is None else error_detail(outcome.error),
        artifacts=outcome.artifacts or UNSET,
        usage=outcome.usage,
        extensions={ABANDONED: True} if abandoned else UNSET,
    )
    data = result.to_dict()
    del data["run_id"]
    return data, result.to_json()


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
