"""Rows of the database as records, and back.

Rows of runs, events, profiles and instances carry a checksum, verified on read: SQLite itself does not notice a
flipped bit in data. What no checksum covers may make no sense: read rows within `reading`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store.records import Attempt, InstanceRecord, ProfileRecord, RunRecord, RunSummary, StoredEvents
from arp_model import RunState
from arp_service.rows import checksum, find_time, to_microseconds, to_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from arp_daemon.store.records import Claim, NewRun, RunEnd

# Events that are read at once: however large they are, a reader costs no more memory.
_PAGE_BYTES = 128 * 1024
_QUEUED, _RUNNING = RunState.QUEUED.value, RunState.RUNNING.value


@contextmanager
def reading() -> Iterator[None]:
    """Turn what cannot be read into the error that says so.

    Raises:
        CorruptRecordError: a checksum does not fit, or a value makes no sense.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError) as exc:
        message = f"A stored record makes no sense: {exc}."
        raise CorruptRecordError(message, details={"record": "a record"}) from exc


class RunRow(NamedTuple):
    """What `insert_run` takes."""

    position: int
    run_id: str
    state: str
    request: bytes
    request_sum: int
    created_at: int
    started_at: int | None
    instance_id: str | None
    attempt: int
    runtime_profile: str | None
    idempotency_key: str | None
    row_sum: int


def new_run_row(run: NewRun, last: tuple[int, int] | None) -> RunRow:
    """The row of a run that comes after the `last` one, of which position and time are given. It is never older."""
    last_position, latest = last or (0, 0)
    position, created_at = last_position + 1, max(to_microseconds(run.created_at), latest)
    run_id, key, profile = run.run_id, run.idempotency_key, run.runtime_profile
    request_sum = _request_sum(run_id, key, run.request)
    state, started_at, instance_id, attempt = _begun(run.claim)
    own_sum = row_sum(position, run_id, state, created_at, started_at, None, instance_id, attempt, None, profile)
    whole = (position, run_id, state, run.request, request_sum, created_at, started_at, instance_id, attempt)
    return RunRow(*whole, profile, key, own_sum)


def _begun(claim: Claim | None) -> tuple[str, int | None, str | None, int]:
    if claim is None:
        return _QUEUED, None, None, 0
    return _RUNNING, to_microseconds(claim.claimed_at), claim.instance_id, 1


def run_record(row: tuple[Any, ...]) -> RunRecord:
    """A row of `runs`, whole."""
    return RunRecord(
        **_verified(row),
        request=row[3],
        attempt=row[9],
        cancel_requested_at=find_time(row[10]),
        result=row[11],
        runtime_profile=row[13],
        idempotency_key=row[14],
    )


def run_summary(row: tuple[Any, ...]) -> RunSummary:
    """A row of `runs`, verified as a whole, without what may be large."""
    return RunSummary(**_verified(row))


def _verified(row: tuple[Any, ...]) -> dict[str, Any]:
    position, run_id, state, request, request_sum, created, started, ended, instance_id = row[:9]
    result, result_sum, profile, key, stored_sum = row[11:16]
    covered = (position, run_id, state, created, started, ended, instance_id, row[9], row[10], profile)
    if stored_sum is not None and row_sum(*covered) != stored_sum:
        raise _corrupt(f"state of run {run_id!r}")
    if _request_sum(run_id, key, request) != request_sum:
        raise _corrupt(f"request of run {run_id!r}")
    if result is not None and checksum(f"{position}:{state}", result) != result_sum:
        raise _corrupt(f"result of run {run_id!r}")
    return {
        "position": position,
        "run_id": run_id,
        "state": RunState(state),
        "created_at": to_time(created),
        "started_at": find_time(started),
        "ended_at": find_time(ended),
        "instance_id": instance_id,
    }


def row_sum(*covered: object) -> int:
    """The checksum of a run without its request and result; whatever writes a row has it made anew (`queries.sql`)."""
    return crc32(repr(covered).encode())


def end_row(end: RunEnd) -> tuple[Any, ...]:
    """What `end_run` takes."""
    stored_sum = checksum(f"{end.position}:{end.state.value}", end.result)
    return (end.state.value, to_microseconds(end.ended_at), end.result, stored_sum, end.position)


def events_row(events: StoredEvents) -> tuple[Any, ...]:
    """What `append_events` takes."""
    types = " ".join(events.types)
    stored_sum = checksum(f"{events.position}:{events.seq}:{types}", events.lines)
    return (events.position, events.seq, types, events.lines, stored_sum, len(events.types))


def stored_events(position: int, seq: int, types: str, lines: bytes, stored_sum: int, count: int) -> StoredEvents:
    """A row of `run_events`."""
    if checksum(f"{position}:{seq}:{types}", lines) != stored_sum or types.count(" ") + 1 != count:
        raise _corrupt(f"event {seq} of the run at {position}")
    return StoredEvents(position, seq, tuple(types.split(" ")), lines)


def whole_log(position: int, seq: int, end: int, rows: list[tuple[Any, ...]]) -> list[StoredEvents]:
    """Rows of `run_events` of one run as its events from `seq` to before `end`.

    There are never gaps: a row that is missing was damaged.
    """
    cut = [stored_events(*row).between(seq, end) for row in rows]
    log = [events for events in cut if events.types]
    expected = seq
    for events in log:
        if events.seq != expected:
            what = f"event {expected} of the run at {position}"
            raise CorruptRecordError(f"The stored {what} is missing.", details={"record": what})
        expected = events.next_seq
    return log


def event_page(rows: Iterable[Any], end: int) -> list[Any]:
    """As many rows of `run_events` as may be in memory at once, up to the event before `end`; at least one, if any."""
    page, size = [], 0
    for row in rows:
        page.append(row)
        size += len(row[3])
        if size > _PAGE_BYTES or row[1] + row[5] >= end:
            break
    return page


def attempt_row(attempt: Attempt) -> tuple[Any, ...]:
    """What `insert_attempt` takes."""
    return (
        attempt.position,
        attempt.attempt,
        attempt.token,
        attempt.instance_id,
        attempt.first_seq,
        to_microseconds(attempt.dispatched_at),
        None if attempt.deadline_at is None else to_microseconds(attempt.deadline_at),
    )


def stored_attempt(row: tuple[Any, ...]) -> Attempt:
    """A row of `attempts`."""
    position, attempt, token, instance_id, first_seq, dispatched, ended, outcome, deadline, said = row
    return Attempt(
        position=position,
        attempt=attempt,
        token=token,
        instance_id=instance_id,
        first_seq=first_seq,
        dispatched_at=to_time(dispatched),
        ended_at=find_time(ended),
        outcome=outcome,
        deadline_at=find_time(deadline),
        said=said,
    )


def profile_row(profile: ProfileRecord) -> tuple[Any, ...]:
    """What `put_profile` takes."""
    return (profile.name, profile.version, profile.body, checksum(f"{profile.name}:{profile.version}", profile.body))


def stored_profile(row: tuple[Any, ...]) -> ProfileRecord:
    """A row of `profiles`."""
    name, version, body, stored_sum = row
    if stored_sum is not None and checksum(f"{name}:{version}", body) != stored_sum:
        raise _corrupt(f"runtime profile {name!r}")
    return ProfileRecord(name, version, body)


def instance_row(instance: InstanceRecord) -> tuple[Any, ...]:
    """What `put_instance` takes."""
    return (instance.instance_id, instance.body, instance.cursor, checksum(instance.instance_id, instance.body))


def stored_instance(row: tuple[Any, ...]) -> InstanceRecord:
    """A row of `instances`."""
    instance_id, body, cursor, stored_sum = row
    if stored_sum is not None and checksum(instance_id, body) != stored_sum:
        raise _corrupt(f"record of instance {instance_id!r}")
    return InstanceRecord(instance_id, body, cursor)


def _request_sum(run_id: str, idempotency_key: str | None, request: bytes) -> int:
    """Neither an id nor a key has a line break in it."""
    return checksum(run_id if idempotency_key is None else f"{run_id}\n{idempotency_key}", request)


def _corrupt(what: str) -> CorruptRecordError:
    return CorruptRecordError(f"The stored {what} fails its checksum.", details={"record": what})
