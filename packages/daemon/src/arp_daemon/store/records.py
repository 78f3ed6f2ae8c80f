"""What the store keeps, as values. Times are aware UTC; `request`, `event` and `result` are JSON as bytes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from arp_model import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TOGETHER = 100
"""So many events stand in one row, unless they are larger together than the next."""
_MAX_BYTES_TOGETHER = 32 * 1024


class Claim(msgspec.Struct, frozen=True):
    """The first attempt of a run that is accepted for an instance which has a free slot: the run is running at once.

    `deadline_at` is when the run's time is over.
    """

    instance_id: str
    claimed_at: datetime
    deadline_at: datetime | None = None

    def attempt(self, position: int, run_id: str) -> Attempt:
        """As it is stored of the run at a position."""
        return Attempt(position, 1, run_id, self.instance_id, 0, self.claimed_at, deadline_at=self.deadline_at)


class NewRun(msgspec.Struct, frozen=True):
    """A run to be accepted. `runtime_profile` and `labels` are what it can be found by.

    `claim`: it is accepted and claimed together, and never queued.
    """

    run_id: str
    request: bytes
    created_at: datetime
    runtime_profile: str | None = None
    labels: dict[str, str] = {}
    idempotency_key: str | None = None
    claim: Claim | None = None


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What lists show of a run. `position` is its place in the order of arrival; `created_at` never goes back
    along it.
    """

    position: int
    run_id: str
    state: RunState
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    instance_id: str | None = None


class RunRecord(RunSummary, frozen=True, kw_only=True):
    """A run as stored."""

    request: bytes
    attempt: int = 0
    cancel_requested_at: datetime | None = None
    result: bytes | None = None
    runtime_profile: str | None = None
    idempotency_key: str | None = None


def new_record(run: NewRun, position: int, created_at: datetime) -> RunRecord:
    """A run that has just been accepted, as stored."""
    claim = run.claim
    return RunRecord(
        position=position,
        run_id=run.run_id,
        state=RunState.QUEUED if claim is None else RunState.RUNNING,
        created_at=created_at,
        started_at=None if claim is None else claim.claimed_at,
        instance_id=None if claim is None else claim.instance_id,
        request=run.request,
        attempt=0 if claim is None else 1,
        runtime_profile=run.runtime_profile,
        idempotency_key=run.idempotency_key,
    )


class RunFilter(msgspec.Struct, frozen=True):
    """Which runs are meant: those that fit all that is given.

    `states` is empty where any will do. `created_after` is the first time that counts, `created_before` the first
    that no longer does.
    """

    states: tuple[RunState, ...] = ()
    runtime_profile: str | None = None
    labels: dict[str, str] = {}
    created_after: datetime | None = None
    created_before: datetime | None = None


ALL_RUNS = RunFilter()


class Attempt(msgspec.Struct, frozen=True):
    """One hand-over of a run to an instance.

    `token` is the run id under which the instance knows it: what comes in under an old token is dropped.
    `first_seq` is the daemon's seq of the attempt's first event. `deadline_at` is when the run's time is over, the
    same in all its attempts. `said` is what the instance said that broke the protocol.
    """

    position: int
    attempt: int
    token: str
    instance_id: str
    first_seq: int
    dispatched_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    deadline_at: datetime | None = None
    said: str | None = None


class StoredEvents(msgspec.Struct, frozen=True, gc=False):
    """Consecutive events of one run: `lines` are the RunEvents, one a line, the first with `seq`; `types` their types.

    They are kept together, under one checksum, as they came: a row for each would take the store ten times as long.
    """

    position: int
    seq: int
    types: tuple[str, ...]
    lines: bytes

    @property
    def next_seq(self) -> int:
        """The seq after the last of them."""
        return self.seq + len(self.types)

    def each(self) -> list[bytes]:
        """The events one by one, as JSON."""
        return self.lines.split(b"\n")

    def between(self, first: int, end: int) -> StoredEvents:
        """Those from one seq to before another."""
        if first <= self.seq and end >= self.next_seq:
            return self
        cut = slice(max(first - self.seq, 0), max(end - self.seq, 0))
        return StoredEvents(self.position, max(first, self.seq), self.types[cut], b"\n".join(self.each()[cut]))


def stored_together(position: int, seq: int, types: tuple[str, ...], lines: bytes) -> Iterator[StoredEvents]:
    """Consecutive events as `StoredEvents` has them, in pieces that are small enough to be read at once.

    What is damaged on the disk is lost a piece at a time; that bounds them, too.
    """
    events = StoredEvents(position, seq, types, lines)
    if len(types) == 1 or (len(types) <= MAX_TOGETHER and len(lines) <= _MAX_BYTES_TOGETHER):
        yield events
        return
    half = seq + len(types) // 2
    for part in (events.between(seq, half), events.between(half, events.next_seq)):
        yield from stored_together(position, part.seq, part.types, part.lines)


class RunEnd(msgspec.Struct, frozen=True):
    """The end of a run, recorded together with its last event.

    `said` is what its instance said that broke the protocol.
    """

    position: int
    state: RunState
    ended_at: datetime
    result: bytes
    said: str | None = None


class Cursor(msgspec.Struct, frozen=True):
    """How far the events of an instance have been taken."""

    instance_id: str
    cursor: str


class AttemptEnd(msgspec.Struct, frozen=True):
    """The end of an attempt that did not end its run."""

    position: int
    attempt: int
    ended_at: datetime
    outcome: str


class Append(msgspec.Struct, frozen=True):
    """Events, ends and a cursor that are recorded together or not at all."""

    events: list[StoredEvents]
    ends: list[RunEnd] = []
    cursor: Cursor | None = None
    attempt_ends: list[AttemptEnd] = []


class ProfileRecord(msgspec.Struct, frozen=True):
    """A runtime profile; `body` is the RuntimeProfile, `version` counts its upserts."""

    name: str
    version: int
    body: bytes


class InstanceRecord(msgspec.Struct, frozen=True):
    """An instance; `body` is what the instance manager needs to find it again."""

    instance_id: str
    body: bytes
    cursor: str | None
