"""Damaged rows of the real store: reported, never served, and no hindrance to others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store import (
    Append,
    Attempt,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunEnd,
    RunRecord,
    Store,
    StoredEvents,
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


@pytest.mark.parametrize(
    ("table", "column", "changed"),
    [
        ("runs", "request", None),
        ("runs", "result", None),
        ("runs", "state", "'failed'"),
        ("run_events", "event", None),
        ("run_events", "type", "'step token'"),
        ("run_events", "type", "CAST(type AS BLOB)"),
        ("run_events", "type", "7"),
        ("run_events", "count", "1"),
        ("run_events", "count", "X'02'"),
    ],
)
async def test_a_flipped_bit_is_reported_and_never_served(
    store: Store, path: Path, table: str, column: str, changed: str | None
) -> None:
    """A row whose content does not fit its checksum is an error that names it."""
    run = await _add(store)
    end = RunEnd(run.position, RunState.SUCCEEDED, _NOW, b'{"ok":true}')
    await store.append(Append([StoredEvents(run.position, 0, ("token", "step"), b'{"seq":0}\n{"seq":1}')], [end]))
    changed = changed or f"CAST(replace({column}, 'o', 'n') || ' ' AS BLOB)"
    _damage(path, f"UPDATE {table} SET {column} = {changed}")
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
    await store.append(Append([StoredEvents(run.position, seq, ("token",), b"{}") for seq in range(4)], []))
    _damage(path, "DELETE FROM run_events WHERE seq = 1")
    with pytest.raises(CorruptRecordError, match=r"event 1 .* is missing"):
        await store.list_events(run.position, 0, 10)


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
