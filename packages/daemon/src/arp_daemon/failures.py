"""Why a run failed that the daemon ended. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from arp_daemon.wire_events import CANCELED
from arp_model import ErrorDetail

if TYPE_CHECKING:
    from datetime import datetime

_MAX_REASON = 500


def runtime_error(reason: str) -> ErrorDetail:
    """Its runtime broke the protocol."""
    message = f"The runtime broke the protocol: {reason[:_MAX_REASON].rstrip('.')}."
    return ErrorDetail(code="runtime_error", message=message, retryable=True)


def instance_lost(reason: str = "The instance that had the run is gone") -> ErrorDetail:
    """Nobody can say what became of it."""
    message = f"{reason}; whether it finished the work is not known."
    return ErrorDetail(code="instance_lost", message=message, retryable=True)


def time_over(started_at: datetime, deadline_at: datetime) -> ErrorDetail:
    """It reached its `timeout_ms`; in the words of our runtime."""
    value = (deadline_at - started_at) // timedelta(milliseconds=1)
    return ErrorDetail(
        code="limit_exceeded",
        message=f"The run reached its limit: timeout_ms is {value}.",
        details={"limit": "timeout_ms", "value": value},
    )


def canceled(*, proven: bool) -> ErrorDetail:
    """Somebody canceled it; `proven` where it is known that nobody works on it any more."""
    if proven:
        return ErrorDetail(code=CANCELED, message="The run was canceled.")
    message = "The run was canceled; its runtime did not say that it has stopped working on it."
    return ErrorDetail(code=CANCELED, message=message, details={"work_may_go_on": True})
