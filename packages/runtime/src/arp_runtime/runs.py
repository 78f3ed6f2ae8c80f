"""A run's record, and the table of them."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from arp_model import UNSET, RunState, RunStatus, TraceLevel, UnsetType
from arp_runtime.events import Feed, RunLog
from arp_runtime.trace import RunTrace
from arp_service.errors import RunNotFoundError
from arp_service.info import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from arp_model import RunRequest

# How many ended runs can still be asked for, and how much their events and traces may take.
MAX_ENDED_RUNS = 10_000
MAX_ENDED_BYTES = 256 * 1024 * 1024

_encoder = msgspec.json.Encoder(order="sorted")


class Run:
    """What is known of one run. Only the RunManager changes it."""

    __slots__ = ("digest", "ended_at", "log", "result", "run_id", "started_at", "state", "trace")

    def __init__(self, run_id: str, digest: bytes, feed: Feed) -> None:
        self.run_id = run_id
        self.digest = digest
        self.state = RunState.QUEUED
        self.started_at: datetime | UnsetType = UNSET
        self.ended_at: datetime | UnsetType = UNSET
        self.result: bytes | None = None
        """The RunResult as JSON, once the run has ended."""
        self.log = RunLog(run_id, feed)
        self.trace = RunTrace(run_id)
        self.trace.add(TraceLevel.INFO, "run.taken", {"pid": os.getpid()})

    @property
    def size(self) -> int:
        """How much its events and its trace take, in bytes."""
        return self.log.size + self.trace.size

    def begin(self) -> None:
        """queued -> running."""
        assert self.state is RunState.QUEUED
        self.state = RunState.RUNNING
        self.started_at = utc_now()
        self.trace.add(TraceLevel.INFO, "run.started", {})

    def end(self, state: RunState, result: bytes) -> None:
        """queued or running -> a final state."""
        assert self.result is None
        self.state = state
        self.ended_at = utc_now()
        self.result = result
        self.trace.add(TraceLevel.INFO, "run.ended", {"state": state.value})
        self.trace.close()

    def status(self) -> RunStatus:
        """The run as clients see it."""
        return RunStatus(run_id=self.run_id, state=self.state, started_at=self.started_at, ended_at=self.ended_at)


class RunTable:
    """All runs that are known: those under way, and the latest of those that have ended."""

    def __init__(self, max_ended: int = MAX_ENDED_RUNS, max_ended_bytes: int = MAX_ENDED_BYTES) -> None:
        self._max_ended = max_ended
        self._max_ended_bytes = max_ended_bytes
        self._runs: dict[str, Run] = {}
        self._ended: deque[Run] = deque()
        self._ended_bytes = 0

    def add(self, run: Run) -> None:
        """Add a run whose id is new."""
        assert run.run_id not in self._runs
        self._runs[run.run_id] = run

    def find(self, run_id: str) -> Run | None:
        """The run with this id, if it is known."""
        return self._runs.get(run_id)

    def get(self, run_id: str) -> Run:
        """The run with this id.

        Raises:
            RunNotFoundError: it was never here, or ended so long ago that it has been forgotten.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFoundError(run_id)
        return run

    def note_ended(self, run: Run) -> None:
        """Count a run among the ended ones, and forget the oldest of those where there are too many."""
        self._ended.append(run)
        self._ended_bytes += run.size
        while len(self._ended) > 1 and self._is_full():
            oldest = self._ended.popleft()
            self._ended_bytes -= oldest.size
            del self._runs[oldest.run_id]

    def _is_full(self) -> bool:
        return len(self._ended) > self._max_ended or self._ended_bytes > self._max_ended_bytes


def digest(request: RunRequest) -> bytes:
    """The same for equal requests, in whatever order their members come."""
    return hashlib.blake2b(_encoder.encode(request), digest_size=16).digest()
