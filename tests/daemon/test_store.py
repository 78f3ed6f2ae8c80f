"""The store's promises, on SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store import (
    Append,
    Attempt,
    AttemptEnd,
    Cursor,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunEnd,
    RunRecord,
    Store,
    StoredEvent,
    open_sqlite_store,
)
from arp_model import RunState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_sqlite_store(path) as opened:
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


async def test_events_and_the_end_are_recorded_together(store: Store) -> None:
    """The run has ended exactly when its last event is there."""
    run = await _add(store)
    await store.put_instance(InstanceRecord("i1", b"{}", None))
    events = [StoredEvent(run.position, seq, "token", b"e%d" % seq) for seq in range(3)]
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
    await store.append(Append([StoredEvent(run.position, 0, "token", b"a")]))
    end = RunEnd(run.position, RunState.FAILED, _NOW, b"{}")
    with pytest.raises(sqlite3.IntegrityError):
        await store.append(
            Append([StoredEvent(run.position, 1, "token", b"b"), StoredEvent(run.position, 0, "token", b"c")], [end])
        )
    assert await store.count_events(run.position) == 1
    found = await store.find_run("r1")
    assert found is not None
    assert found.ended_at is None


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


@pytest.mark.parametrize(
    ("table", "column"), [("runs", "request"), ("runs", "result"), ("runs", "state"), ("run_events", "event")]
)
async def test_a_flipped_bit_is_reported_and_never_served(store: Store, path: Path, table: str, column: str) -> None:
    """A row whose content does not fit its checksum is an error that names it."""
    run = await _add(store)
    end = RunEnd(run.position, RunState.SUCCEEDED, _NOW, b'{"ok":true}')
    await store.append(Append([StoredEvent(run.position, 0, "token", b'{"seq":0}')], [end]))
    changed = "'failed'" if column == "state" else f"CAST(replace({column}, 'o', 'n') || ' ' AS BLOB)"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(f"UPDATE {table} SET {column} = {changed}")
    read = store.list_events(run.position, 0, 10) if table == "run_events" else store.find_run("r1")
    with pytest.raises(CorruptRecordError):
        await read


@pytest.mark.parametrize(
    "change",
    [
        "state = 'queued'",
        "created_at = created_at + 1",
        "started_at = started_at + 1",
        "ended_at = ended_at + 1",
        "instance_id = 'inst_9'",
        "attempt = attempt + 1",
        "cancel_requested_at = cancel_requested_at + 1",
        "runtime_profile = 'other'",
    ],
)
async def test_whatever_of_a_run_is_changed_behind_the_stores_back_is_reported(
    store: Store, path: Path, change: str
) -> None:
    """Its state, its times, its instance: all are covered, however the run came to be as it is."""
    run = await _add(store)
    await store.start_attempts([Attempt(run.position, 1, "r1", "inst_1", 0, _NOW)])
    await store.request_cancel([run.position], _NOW)
    await store.append(Append([], [RunEnd(run.position, RunState.SUCCEEDED, _NOW, b'{"ok":true}')]))
    assert (await store.find_run("r1")) is not None
    _damage(path, f"UPDATE runs SET {change}")
    with pytest.raises(CorruptRecordError):
        await store.find_run("r1")


async def test_an_event_that_is_missing_is_reported(store: Store, path: Path) -> None:
    """A damaged key hides it: what follows it is not shown as if nothing were wrong."""
    run = await _add(store)
    await store.append(Append([StoredEvent(run.position, seq, "token", b"{}") for seq in range(4)], []))
    _damage(path, "DELETE FROM run_events WHERE seq = 1")
    with pytest.raises(CorruptRecordError, match=r"event 1 .* is missing"):
        await store.list_events(run.position, 0, 10)


async def test_the_store_can_be_asked_whether_it_takes_writes(store: Store) -> None:
    """`check` writes for real."""
    await store.check()
    await store.check()


def _damage(path: Path, *statements: str) -> None:
    """Change rows behind the store's back."""
    with closing(sqlite3.connect(path)) as other, other:
        for statement in statements:
            other.execute(statement)


async def test_a_damaged_run_is_left_out_of_lists_and_named(store: Store, path: Path) -> None:
    """The others are listed, full pages of them; who asks for the damaged one is told; each kind of damage counts."""
    for number in range(6):
        await _add(store, f"r{number}")
    _damage(
        path,
        "UPDATE runs SET request = CAST('x' AS BLOB) WHERE run_id = 'r1'",
        "UPDATE runs SET state = 'qveued' WHERE run_id = 'r3'",
        "UPDATE runs SET created_at = 'never' WHERE run_id = 'r4'",
        "UPDATE runs SET run_id = CAST(x'7235ff' AS TEXT) WHERE run_id = 'r5'",
    )
    assert [run.run_id for run in await store.list_open_runs()] == ["r0", "r2"]
    assert [run.run_id for run in await store.list_runs(2, None)] == ["r2", "r0"]
    assert len(store.damaged) == 4
    for run_id in ("r1", "r3", "r4"):
        with pytest.raises(CorruptRecordError):
            await store.find_run(run_id)


async def test_damaged_profiles_instances_and_attempts_are_found(store: Store, path: Path) -> None:
    """The others are listed; what an earlier release has written without a checksum is trusted."""
    run = await _add(store)
    await store.start_attempts([Attempt(run.position, 1, "r1", "i1", 0, _NOW)])
    for name in ("a", "b", "c"):
        await store.put_profile(ProfileRecord(name, 1, b"{}"))
        await store.put_instance(InstanceRecord(name, b"{}", None))
    _damage(
        path,
        "UPDATE profiles SET body = CAST('[]' AS BLOB) WHERE name = 'a'",
        "UPDATE profiles SET sum = NULL WHERE name = 'b'",
        "UPDATE instances SET body = CAST('[]' AS BLOB) WHERE instance_id = 'b'",
        "UPDATE attempts SET dispatched_at = 9e18",
    )
    assert [profile.name for profile in await store.list_profiles()] == ["b", "c"]
    assert [instance.instance_id for instance in await store.list_instances()] == ["a", "c"]
    with pytest.raises(CorruptRecordError):
        await store.list_attempts(run.position)
    assert len(store.damaged) == 3


def test_migrations_are_numbered_without_a_gap_or_a_double() -> None:
    """The number of a file is the schema's version after it."""
    names = sorted(
        f.name for f in files("arp_daemon.store").joinpath("migrations").iterdir() if f.name.endswith(".sql")
    )
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
