"""What is told of a run to whoever runs the runtime, and to nobody else: tracebacks, what a command says on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import structlog

from arp_model import TraceLevel

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)
_WRITE: dict[TraceLevel, Callable[..., Any]] = {
    TraceLevel.DEBUG: _log.debug,
    TraceLevel.INFO: _log.info,
    TraceLevel.WARN: _log.warning,
    TraceLevel.ERROR: _log.error,
}


class Trace(Protocol):
    """Where it goes. Called in the event loop, so it must not block."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """Take one entry of a run's trace; `data` is JSON."""


class LogTrace:
    """A `Trace` that is the log."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        _WRITE[level](type_, run_id=run_id, **data)
