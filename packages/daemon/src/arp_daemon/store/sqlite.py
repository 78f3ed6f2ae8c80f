"""The store on SQLite: the only module of the daemon that knows SQL (in `queries.sql`).

Every run and event row carries a checksum, verified on read: SQLite itself does not notice a flipped bit in data.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from zlib import crc32

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store.records import (
    Append,
    Attempt,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunRecord,
    StoredEvent,
)
from arp_model import RunState
from arp_service.sqlite import load_queries, open_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arp_daemon.store.protocol import Store
    from arp_service.sqlite import Database

_Q = load_queries(files(__package__).joinpath("queries.sql"))
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_AFTER_ALL = 2**63 - 1
# Events that are read at once: however large they are, a reader costs no more memory.
_PAGE_BYTES = 1024 * 1024


@asynccontextmanager
async def open_sqlite_store(path: Path) -> AsyncIterator[Store]:
    """Open the store at `path`, made or brought up to date where needed."""
    async with open_database(path, files(__package__).joinpath("migrations")) as database:
        yield SqliteStore(database)


class SqliteStore:
    """`Store` on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_run(self, run: NewRun) -> RunRecord | None:
        """See `Store`."""
        row = (run.run_id, run.request, _sum(run.run_id, run.request), _to_us(run.created_at))

        def work(db: sqlite3.Connection) -> int | None:
            found = db.execute(_Q["insert_run"], row).fetchone()
            return None if found is None else int(found[0])

        position = await self._database.write(work)
        if position is None:
            return None
        return RunRecord(
            position,
            run.run_id,
            RunState.QUEUED,
            run.request,
            run.created_at,
            None,
            None,
            None,
            0,
            None,
            None,
        )

    async def start_attempts(self, attempts: list[Attempt]) -> None:
        """See `Store`."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                _Q["start_run"],
                [(_to_us(a.dispatched_at), a.instance_id, a.attempt, a.position) for a in attempts],
            )
            db.executemany(
                _Q["insert_attempt"],
                [
                    (
                        a.position,
                        a.attempt,
                        a.token,
                        a.instance_id,
                        a.first_seq,
                        _to_us(a.dispatched_at),
                        None if a.deadline_at is None else _to_us(a.deadline_at),
                    )
                    for a in attempts
                ],
            )

        await self._database.write(work)

    async def append(self, batch: Append) -> None:
        """See `Store`."""
        events = [
            (e.position, e.seq, e.type, e.event, _sum(f"{e.position}:{e.seq}:{e.type}", e.event)) for e in batch.events
        ]
        ends = [
            (
                e.state.value,
                _to_us(e.ended_at),
                e.result,
                _sum(f"{e.position}:{e.state.value}", e.result),
                e.position,
            )
            for e in batch.ends
        ]
        last_attempts = [(_to_us(e.ended_at), e.state.value, e.position, e.position) for e in batch.ends]
        attempt_ends = [(_to_us(e.ended_at), e.outcome, e.position, e.attempt) for e in batch.attempt_ends]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_Q["append_event"], events)
            db.executemany(_Q["end_run"], ends)
            db.executemany(_Q["end_last_attempt"], last_attempts)
            db.executemany(_Q["end_attempt"], attempt_ends)
            if batch.cursor is not None:
                db.execute(_Q["move_cursor"], (batch.cursor.cursor, batch.cursor.instance_id))

        await self._database.write(work)

    async def request_cancel(self, position: int, at: datetime) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["request_cancel"], (_to_us(at), position)))

    async def find_run(self, run_id: str) -> RunRecord | None:
        """See `Store`."""
        rows = await self._rows("find_run", run_id)
        return _run(rows[0]) if rows else None

    async def list_runs(self, limit: int, before: int | None) -> list[RunRecord]:
        """See `Store`."""
        return [_run(row) for row in await self._rows("list_runs", before or _AFTER_ALL, limit)]

    async def list_open_runs(self) -> list[RunRecord]:
        """See `Store`."""
        return [_run(row) for row in await self._rows("list_open_runs")]

    async def list_attempts(self, position: int) -> list[Attempt]:
        """See `Store`."""
        return [_attempt(row) for row in await self._rows("list_attempts", position)]

    async def list_events(self, position: int, seq: int, limit: int) -> list[StoredEvent]:
        """See `Store`."""
        rows = await self._database.read(lambda db: _page(db.execute(_Q["list_events"], (position, seq, limit))))
        return [_event(*row) for row in rows]

    async def count_events(self, position: int) -> int:
        """See `Store`."""
        return int((await self._rows("count_events", position))[0][0])

    async def put_profile(self, profile: ProfileRecord) -> None:
        """See `Store`."""
        row = (profile.name, profile.version, profile.body)
        await self._database.write(lambda db: db.execute(_Q["put_profile"], row))

    async def delete_profile(self, name: str) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["delete_profile"], (name,)))

    async def list_profiles(self) -> list[ProfileRecord]:
        """See `Store`."""
        return [ProfileRecord(*row) for row in await self._rows("list_profiles")]

    async def put_instance(self, instance: InstanceRecord) -> None:
        """See `Store`."""
        row = (instance.instance_id, instance.body, instance.cursor)
        await self._database.write(lambda db: db.execute(_Q["put_instance"], row))

    async def delete_instance(self, instance_id: str) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["delete_instance"], (instance_id,)))

    async def list_instances(self) -> list[InstanceRecord]:
        """See `Store`."""
        return [InstanceRecord(*row) for row in await self._rows("list_instances")]

    async def check(self) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["beat"]))

    async def _rows(self, query: str, *values: Any) -> list[Any]:
        return await self._database.read(lambda db: db.execute(_Q[query], values).fetchall())


def _run(row: tuple[Any, ...]) -> RunRecord:
    (
        position,
        run_id,
        state,
        request,
        request_sum,
        created,
        started,
        ended,
        instance,
        attempt,
        cancel,
        result,
        rsum,
    ) = row
    _verify(request_sum, run_id, request, f"request of run {run_id!r}")
    if result is not None:
        _verify(rsum, f"{position}:{state}", result, f"result of run {run_id!r}")
    return RunRecord(
        position=position,
        run_id=run_id,
        state=RunState(state),
        request=request,
        created_at=_to_time(created),
        started_at=_find_time(started),
        ended_at=_find_time(ended),
        instance_id=instance,
        attempt=attempt,
        cancel_requested_at=_find_time(cancel),
        result=result,
    )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    position, attempt, token, instance_id, first_seq, dispatched, ended, outcome, deadline = row
    return Attempt(
        position=position,
        attempt=attempt,
        token=token,
        instance_id=instance_id,
        first_seq=first_seq,
        dispatched_at=_to_time(dispatched),
        ended_at=_find_time(ended),
        outcome=outcome,
        deadline_at=_find_time(deadline),
    )


def _event(position: int, seq: int, type_: str, event: bytes, stored_sum: int) -> StoredEvent:
    _verify(stored_sum, f"{position}:{seq}:{type_}", event, f"event {seq} of the run at {position}")
    return StoredEvent(position, seq, type_, event)


def _page(rows: sqlite3.Cursor) -> list[Any]:
    """As many rows as may be in memory at once; at least one, where there is one."""
    page, size = [], 0
    for row in rows:
        page.append(row)
        size += len(row[3])
        if size > _PAGE_BYTES:
            break
    return page


def _sum(key: str, content: bytes) -> int:
    return crc32(content, crc32(key.encode()))


def _verify(stored: int, key: str, content: bytes, what: str) -> None:
    if _sum(key, content) != stored:
        raise CorruptRecordError(f"The stored {what} fails its checksum.", details={"record": what})


def _to_us(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _to_time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _find_time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _to_time(microseconds)
