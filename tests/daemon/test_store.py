"""The store's promises: one suite for the real one, and for the one that the simulation crashes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.store import (
    Append,
    Attempt,
    AttemptEnd,
    Claim,
    Cursor,
    InstanceRecord,
    NewRun,
    OutOfOrderError,
    ProfileRecord,
    RunEnd,
    RunFilter,
    RunRecord,
    Store,
    StoredEvents,
    open_sqlite_store,
    stored_together,
)
from arp_model import RunState
from daemon.simulation.memory_store import Disk, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(Disk())
        return
    async with open_sqlite_store(tmp_path / "store.sqlite3") as opened:
        yield opened


async def _add(store: Store, run_id: str = "r1") -> RunRecord:
    [record] = await store.insert_runs([NewRun(run_id, b'{"input":{"goal":"x"}}', _NOW)])
    assert record is not None
    return record


async def test_a_run_comes_back_as_it_went_in(store: Store) -> None:
    """Times to the microsecond, bytes untouched."""
    record = await _add(store)
    assert await store.find_run("r1") == record
    assert record.state is RunState.QUEUED
    assert await store.find_run("other") is None


async def test_an_id_is_taken_once(store: Store) -> None:
    """Of many inserts of one id at once, one gets a record."""
    taken: list[RunRecord | None] = []

    async def insert() -> None:
        taken.extend(await store.insert_runs([NewRun("same", b"{}", _NOW)]))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(insert)
    assert len([record for record in taken if record is not None]) == 1


async def test_an_attempt_sets_the_run_running_and_keeps_its_first_start(store: Store) -> None:
    """A second attempt does not start the run anew."""
    run = await _add(store)
    later = _NOW + timedelta(seconds=1)
    first = Attempt(run.position, 1, "r1", "i1", 0, _NOW)
    second = Attempt(run.position, 2, "t2", "i2", 5, later, deadline_at=later)
    await store.start_attempts([first])
    await store.append(Append([], attempt_ends=[AttemptEnd(run.position, 1, later, "refused")]))
    await store.start_attempts([second])
    found = await store.find_run("r1")
    assert found is not None
    assert (found.state, found.started_at, found.instance_id, found.attempt) == (RunState.RUNNING, _NOW, "i2", 2)
    ended = Attempt(run.position, 1, "r1", "i1", 0, _NOW, later, "refused")
    assert await store.list_attempts(run.position) == [ended, second]


async def test_a_run_can_come_in_claimed(store: Store) -> None:
    """It is running from the first, with its first attempt; where its id is taken there is no attempt either."""
    claim = Claim("i1", _NOW + timedelta(seconds=1), _NOW + timedelta(seconds=9))
    new = NewRun("r1", b"{}", _NOW, claim=claim)
    assert (await _add(store, "r0")).state is RunState.QUEUED
    [record, none] = await store.insert_runs([new, new])
    assert none is None
    assert record is not None
    assert (record.state, record.instance_id, record.attempt) == (RunState.RUNNING, "i1", 1)
    assert (record.created_at, record.started_at) == (_NOW, claim.claimed_at)
    assert await store.find_run("r1") == record
    attempt = Attempt(record.position, 1, "r1", "i1", 0, claim.claimed_at, deadline_at=claim.deadline_at)
    assert await store.list_attempts(record.position) == [attempt]
    assert [run.run_id for run in await store.list_runs(9, None, RunFilter((RunState.RUNNING,)))] == ["r1"]


async def test_events_and_the_end_are_recorded_together(store: Store) -> None:
    """The run has ended exactly when its last event is there."""
    run = await _add(store)
    await store.put_instance(InstanceRecord("i1", b"{}", None))
    events = [StoredEvents(run.position, seq, ("token",), b"e%d" % seq) for seq in range(3)]
    end = RunEnd(run.position, RunState.SUCCEEDED, _NOW, b'{"ok":true}')
    await store.append(Append(events, [end], Cursor("i1", "c7")))
    found = await store.find_run("r1")
    assert found is not None
    assert (found.state, found.result) == (RunState.SUCCEEDED, b'{"ok":true}')
    assert await store.list_events(run.position, 1, 10) == events[1:]
    assert await store.count_events(run.position) == 3
    assert (await store.list_instances())[0].cursor == "c7"
    assert await store.list_open_runs() == []


async def test_an_append_that_fails_leaves_nothing(store: Store) -> None:
    """A seq that is taken refuses the whole batch, the end and the cursor with it."""
    run = await _add(store)
    await store.append(Append([StoredEvents(run.position, 0, ("token",), b"a")]))
    end = RunEnd(run.position, RunState.FAILED, _NOW, b"{}")
    with pytest.raises(OutOfOrderError):
        await store.append(
            Append(
                [StoredEvents(run.position, 1, ("token",), b"b"), StoredEvents(run.position, 0, ("token",), b"c")],
                [end],
            )
        )
    assert await store.count_events(run.position) == 1
    found = await store.find_run("r1")
    assert found is not None
    assert found.ended_at is None


@pytest.mark.parametrize("seq", [0, 1, 3])
async def test_events_that_are_not_the_next_ones_are_refused(store: Store, seq: int) -> None:
    """Neither what is there, nor a part of it, nor what would leave a gap."""
    run = await _add(store)
    await store.append(Append([StoredEvents(run.position, 0, ("token", "step"), b"a\nb")]))
    with pytest.raises(OutOfOrderError):
        await store.append(Append([StoredEvents(run.position, seq, ("token",), b"c")]))
    assert await store.count_events(run.position) == 2


async def test_events_that_are_kept_together_are_read_from_any_of_them_on(store: Store) -> None:
    """A reader gets what it asks for, and no more than that, wherever one piece ends and the next begins."""
    run = await _add(store)
    types = [("token", "step", "final")[seq % 3] for seq in range(20)]
    for first, end in [(0, 1), (1, 8), (8, 20)]:
        lines = b"\n".join(b"e%d" % seq for seq in range(first, end))
        await store.append(Append([StoredEvents(run.position, first, tuple(types[first:end]), lines)]))
    for seq in range(21):
        for limit in (1, 5, 100):
            found = await store.list_events(run.position, seq, limit)
            read = [pair for some in found for pair in zip(some.types, some.each(), strict=True)]
            asked = range(seq, min(seq + limit, 20))
            assert read == [(types[n], b"e%d" % n) for n in asked]
            assert [some.seq for some in found][:1] == [*asked][:1]
    assert await store.count_events(run.position) == 20


def test_what_is_kept_together_is_bounded_in_number_and_bytes() -> None:
    """Many small events, or a few that are large; one that is larger than all bounds is alone."""
    events = [b"x" * size for size in [10] * 500 + [20_000] * 5 + [100_000, 10]]
    pieces = [*stored_together(1, 7, ("token",) * len(events), b"\n".join(events))]
    assert [event for piece in pieces for event in piece.each()] == events
    assert [piece.seq for piece in pieces] == [7, *(piece.next_seq for piece in pieces[:-1])]
    assert pieces[-1].next_seq == 7 + len(events)
    assert 50 < max(len(piece.types) for piece in pieces) <= 100
    assert max(len(piece.lines) for piece in pieces if len(piece.types) > 1) <= 32 * 1024
    assert len(pieces) < 20


async def test_a_run_ends_once(store: Store) -> None:
    """A second end changes nothing."""
    run = await _add(store)
    await store.append(Append([], [RunEnd(run.position, RunState.CANCELED, _NOW, b"1")]))
    await store.append(Append([], [RunEnd(run.position, RunState.SUCCEEDED, _NOW, b"2")]))
    found = await store.find_run("r1")
    assert found is not None
    assert (found.state, found.result) == (RunState.CANCELED, b"1")


async def test_open_runs_come_in_order_of_arrival_and_lists_newest_first(store: Store) -> None:
    """The order of the queue, and the order that people read."""
    records = [await _add(store, f"r{n}") for n in range(5)]
    await store.append(Append([], [RunEnd(records[1].position, RunState.FAILED, _NOW, b"{}")]))
    assert [r.run_id for r in await store.list_open_runs()] == ["r0", "r2", "r3", "r4"]
    assert [r.run_id for r in await store.list_runs(2, None)] == ["r4", "r3"]
    assert [r.run_id for r in await store.list_runs(9, records[3].position)] == ["r2", "r1", "r0"]


async def test_a_wish_to_cancel_is_remembered_from_the_first_time(store: Store) -> None:
    """Asking again does not move it."""
    run = await _add(store)
    await store.request_cancel([run.position], _NOW)
    await store.request_cancel([run.position], _NOW + timedelta(seconds=9))
    found = await store.find_run("r1")
    assert found is not None
    assert found.cancel_requested_at == _NOW


async def test_profiles_and_instances_are_replaced_and_forgotten(store: Store) -> None:
    """An instance keeps its cursor when its facts are written again."""
    await store.put_profile(ProfileRecord("p", 1, b"1"))
    await store.put_profile(ProfileRecord("p", 2, b"2"))
    assert await store.list_profiles() == [ProfileRecord("p", 2, b"2")]
    await store.delete_profile("p")
    assert await store.list_profiles() == []
    await store.put_instance(InstanceRecord("i", b"1", "c1"))
    await store.put_instance(InstanceRecord("i", b"2", None))
    assert await store.list_instances() == [InstanceRecord("i", b"2", "c1")]
    await store.delete_instance("i")
    assert await store.list_instances() == []


async def test_the_store_can_be_asked_whether_it_takes_writes(store: Store) -> None:
    """`check` writes for real."""
    await store.check()
    await store.check()
