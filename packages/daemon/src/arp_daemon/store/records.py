"""What the store keeps, as values. Times are aware UTC; `request`, `event` and `result` are JSON as bytes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from arp_model import RunState


class NewRun(msgspec.Struct, frozen=True):
    """A run to be accepted."""

    run_id: str
    request: bytes
    created_at: datetime


class RunRecord(msgspec.Struct, frozen=True):
    """A run as stored. `position` is its place in the order of arrival."""

    position: int
    run_id: str
    state: RunState
    request: bytes
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    instance_id: str | None
    attempt: int
    cancel_requested_at: datetime | None
    result: bytes | None


class Attempt(msgspec.Struct, frozen=True):
    """One hand-over of a run to an instance.

    `token` is the run id under which the instance knows it: what comes in under an old token is dropped.
    `first_seq` is the daemon's seq of the attempt's first event. `deadline_at` is when the run's time is over, the
    same in all its attempts.
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


class StoredEvent(msgspec.Struct, frozen=True):
    """One run event: `event` is the whole RunEvent, `type` its type."""

    position: int
    seq: int
    type: str
    event: bytes


class RunEnd(msgspec.Struct, frozen=True):
    """The end of a run, recorded together with its last event."""

    position: int
    state: RunState
    ended_at: datetime
    result: bytes


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

    events: list[StoredEvent]
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
