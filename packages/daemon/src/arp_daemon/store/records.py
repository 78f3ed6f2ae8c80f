"""What the store keeps, as values. Times are aware UTC; `request`, `event` and `result` are JSON as bytes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from arp_model import RunState


class NewRun(msgspec.Struct, frozen=True):
    """A run to be accepted. `runtime_profile` and `labels` are what it can be found by."""

    run_id: str
    request: bytes
    created_at: datetime
    runtime_profile: str | None = None
    labels: dict[str, str] = {}
    idempotency_key: str | None = None


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


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """One run event: `event` is the whole RunEvent, `type` its type."""

    position: int
    seq: int
    type: str
    event: bytes


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
