"""A run's record, and the table of them."""

from __future__ import annotations

import hashlib
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from arp_model import UNSET, RunState, RunStatus
from arp_runtime.records.trace import RunTrace
from arp_runtime.runs.events import Feed, RunLog
from arp_service.changed import Happened
from arp_service.errors import RunNotFoundError
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_model import RunRequest
    from arp_runtime.records.chronicle import Chronicle
    from arp_runtime.records.store import StoredRun

# How many ended runs can still be asked for, and how much their events and traces may take.
MAX_ENDED_RUNS = 10_000
MAX_ENDED_BYTES = 256 * 1024 * 1024
# And for how long, in seconds: a day.
MAX_ENDED_AGE_S = 86_400.0

_encoder = msgspec.json.Encoder(order="sorted")


class Run:
    """What is known of one run. Only the RunManager changes it."""

    __slots__ = (
        "began_at",
        "digest",
        "ended_at",
        "is_ending",
        "kept",
        "log",
        "result",
        "run_id",
        "state",
        "taken_at",
        "trace",
    )

    def __init__(self, run_id: str, digest: bytes, feed: Feed, chronicle: Chronicle) -> None:
        self.run_id = run_id
        self.digest = digest
        self.state = RunState.QUEUED
        self.taken_at = utc_now()
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.is_ending = False
        """Whether its end is decided; it is shown once it is kept."""
        self.result: bytes | None = None
        """The RunResult as JSON, once the run has ended."""
        self.log = RunLog(run_id, feed, chronicle)
        self.trace = RunTrace()
        self.kept = Happened()
        """Set when the run would survive this process, as far as its runs do."""

    @property
    def size(self) -> int:
        """How much its events and its trace take, in bytes."""
        return self.log.size + self.trace.size

    def begin(self) -> datetime:
        """queued -> running; returns when."""
        assert self.state is RunState.QUEUED
        self.state = RunState.RUNNING
        self.began_at = utc_now()
        return self.began_at

    def end(self, state: RunState, result: bytes, at: datetime) -> None:
        """queued or running -> a final state."""
        assert self.result is None
        self.state = state
        self.ended_at = at
        self.result = result

    def restore(self, stored: StoredRun) -> None:
        """Take over what an earlier process kept of it."""
        self.taken_at = stored.taken_at
        self.kept.set()
        self.log.restore(stored.events)
        for told in stored.trace:
            self.trace.add(told)
        if stored.began_at is not None:
            self.state, self.began_at = RunState.RUNNING, stored.began_at
        if stored.state is not None and stored.result is not None and stored.ended_at is not None:
            self.is_ending = True
            self.end(stored.state, stored.result, stored.ended_at)

    def status(self) -> RunStatus:
        """The run as clients see it."""
        return RunStatus(
            run_id=self.run_id,
            state=self.state,
            started_at=UNSET if self.began_at is None else self.began_at,
            ended_at=UNSET if self.ended_at is None else self.ended_at,
        )


class Limits(NamedTuple):
    """How many ended runs are kept, how much their events and traces may take in bytes, and for how long in seconds."""

    runs: int = MAX_ENDED_RUNS
    size: int = MAX_ENDED_BYTES
    age_s: float = MAX_ENDED_AGE_S


class RunTable:
    """All runs that are known: those under way, and the latest of those that have ended.

    `on_forget` is told the id of each run that is forgotten.
    """

    def __init__(self, limits: Limits, on_forget: Callable[[str], None]) -> None:
        self._limits = limits
        self._longest_kept = timedelta(seconds=limits.age_s)
        self._on_forget = on_forget
        self._runs: dict[str, Run] = {}
        self._ended: deque[Run] = deque()
        self._ended_bytes = 0

    def add(self, run: Run) -> None:
        """Add a run whose id is new."""
        assert run.run_id not in self._runs
        self._runs[run.run_id] = run

    def find(self, run_id: str) -> Run | None:
        """The run with this id, if it is known."""
        self._forget_old()
        return self._runs.get(run_id)

    def get(self, run_id: str) -> Run:
        """The run with this id.

        Raises:
            RunNotFoundError: it was never here, or ended so long ago that it has been forgotten.
        """
        run = self.find(run_id)
        if run is None:
            raise RunNotFoundError(run_id)
        return run

    def note_ended(self, run: Run) -> None:
        """Count a run among the ended ones, and forget the oldest of those where there are too many."""
        self._ended.append(run)
        self._ended_bytes += run.size
        while len(self._ended) > 1 and self._is_full():
            self._forget_oldest()
        self._forget_old()

    def _is_full(self) -> bool:
        return len(self._ended) > self._limits.runs or self._ended_bytes > self._limits.size

    def _forget_old(self) -> None:
        """Runs end in the order of time, so the first one that is young enough is followed by none that is not."""
        if not self._ended:
            return
        too_old = utc_now() - self._longest_kept
        while self._ended and (at := self._ended[0].ended_at) is not None and at < too_old:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._ended.popleft()
        self._ended_bytes -= oldest.size
        del self._runs[oldest.run_id]
        self._on_forget(oldest.run_id)


def digest(request: RunRequest) -> bytes:
    """The same for equal requests, in whatever order their members come."""
    return hashlib.blake2b(_encoder.encode(request), digest_size=16).digest()
