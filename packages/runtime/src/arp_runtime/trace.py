"""What is told of a run to whoever wants to understand it afterwards: tracebacks, what a command says on stderr.

It goes into the log, and is kept with the run for `GET /v1/runs/{run_id}/trace`. Neither its result nor its events show
any of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from arp_model import TraceEvent, TraceLevel
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)
_WRITE: dict[TraceLevel, Callable[..., Any]] = {
    TraceLevel.DEBUG: _log.debug,
    TraceLevel.INFO: _log.info,
    TraceLevel.WARN: _log.warning,
    TraceLevel.ERROR: _log.error,
}


# What is kept of a run's trace: the end of it, where most is to be learnt.
MAX_KEPT_BYTES = 256 * 1024


class Trace(Protocol):
    """Where it goes. Called in the event loop, so it must not block."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """Take one entry of a run's trace; `data` is JSON."""


class LogTrace:
    """A `Trace` that is the log."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        _WRITE[level](type_, run_id=run_id, **data)


class RunTrace:
    """The trace of one run, as far back as is kept; `seq` tells what is missing at its beginning."""

    __slots__ = ("_closed", "_entries", "_next_seq", "_run_id", "size")

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._entries: deque[bytes] = deque()
        self._next_seq = 0
        self._closed = False
        self.size = 0
        """In bytes."""

    def add(self, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """Add an entry. After `close` nothing is taken any more."""
        if self._closed:
            return
        event = TraceEvent(run_id=self._run_id, seq=self._next_seq, time=utc_now(), level=level, type_=type_, data=data)
        entry = event.to_json()
        if len(entry) > MAX_KEPT_BYTES:
            event.data = {"left_out_bytes": len(entry)}
            entry = event.to_json()
        self._next_seq += 1
        self._entries.append(entry)
        self.size += len(entry)
        while self.size > MAX_KEPT_BYTES:
            self.size -= len(self._entries.popleft())

    def close(self) -> None:
        """The run has ended."""
        self._closed = True

    def response(self) -> msgspec.Raw:
        """A TraceResponse as JSON."""
        return msgspec.Raw(b'{"events":[%b]}' % b",".join(self._entries))


class KeptTrace:
    """A `Trace` of one run that is kept with it, and told to another as well."""

    def __init__(self, kept: RunTrace, told: Trace) -> None:
        self._kept = kept
        self._told = told

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        self._kept.add(level, type_, data)
        self._told.record(run_id, level, type_, data)
