"""What is told of a run to whoever wants to understand it afterwards: tracebacks, what a command says on stderr.

It goes into the log, and is kept with the run for `GET /v1/runs/{run_id}/trace` and for trace files. Neither the run's
result nor its events show any of it.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from arp_model import TraceLevel
from arp_runtime.records.changes import TraceTold
from arp_service.info import utc_now

if TYPE_CHECKING:
    from arp_runtime.records.chronicle import Chronicle
    from arp_runtime.runs.table import Run

_log = structlog.get_logger(__name__)
_LOG_LEVELS = {
    TraceLevel.DEBUG: logging.DEBUG,
    TraceLevel.INFO: logging.INFO,
    TraceLevel.WARN: logging.WARNING,
    TraceLevel.ERROR: logging.ERROR,
}
# What is kept of a run's trace: the end of it, where most is to be learnt.
MAX_KEPT_BYTES = 256 * 1024
# Of an entry, beside its data.
_ENTRY_BYTES = 100


class Trace(Protocol):
    """Where it goes. Called in the event loop, so it must not block."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """Take one entry of a run's trace; `data` is JSON."""


class LogTrace:
    """A `Trace` that is the log."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        _log.log(_LOG_LEVELS[level], type_, run_id=run_id, **data)


class KeptTrace:
    """A `Trace` of one run that is kept with it until its end, told in the chronicle, and told to another as well."""

    def __init__(self, run: Run, chronicle: Chronicle, also: Trace) -> None:
        self._run = run
        self._chronicle = chronicle
        self._also = also

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        self._also.record(run_id, level, type_, data)
        if not self._run.is_ending:  # what an agent says that resisted its end belongs to the log alone
            told = TraceTold(run_id, utc_now(), level, type_, data)
            self._run.trace.add(told)
            self._chronicle.tell(told)


class RunTrace:
    """What was told of one run, as far back as is kept."""

    __slots__ = ("_entries", "left_out", "size")

    def __init__(self) -> None:
        self._entries: deque[tuple[TraceTold, int]] = deque()
        self.left_out = 0
        """How many entries are no longer kept."""
        self.size = 0
        """In bytes."""

    def add(self, told: TraceTold) -> None:
        """Add an entry; the oldest are left out where there are too many."""
        size = len(msgspec.json.encode(told.data)) + _ENTRY_BYTES
        if size > MAX_KEPT_BYTES:
            told, size = told._replace(data={"left_out_bytes": size}), _ENTRY_BYTES
        self._entries.append((told, size))
        self.size += size
        while self.size > MAX_KEPT_BYTES:
            self.size -= self._entries.popleft()[1]
            self.left_out += 1

    def entries(self) -> list[TraceTold]:
        """The entries, in the order in which they came."""
        return [told for told, _ in self._entries]


def as_utf8(text: str) -> str:
    """An exception's text may hold what no encoding has: half a surrogate pair."""
    return text.encode(errors="backslashreplace").decode()
