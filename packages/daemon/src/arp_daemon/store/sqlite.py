"""The store on SQLite: with `listing.py` the only modules of the daemon that run SQL, which is in `queries.sql`."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import structlog

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store.listing import Listing
from arp_daemon.store.presence import cannot_open, check_file, marked_open
from arp_daemon.store.protocol import OutOfOrderError
from arp_daemon.store.records import (
    ALL_RUNS,
    Append,
    Attempt,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunFilter,
    RunRecord,
    RunSummary,
    StoredEvents,
    new_record,
)
from arp_daemon.store.rows import (
    attempt_row,
    end_row,
    event_page,
    events_row,
    instance_row,
    new_run_row,
    profile_row,
    reading,
    row_sum,
    run_record,
    run_summary,
    stored_attempt,
    stored_instance,
    stored_profile,
    whole_log,
)
from arp_service.rows import to_microseconds, to_time
from arp_service.sqlite import StoreUnavailableError, load_queries, open_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from arp_daemon.store.protocol import Store
    from arp_service.sqlite import Database

T = TypeVar("T")

_log = structlog.get_logger(__name__)

MIGRATIONS = files(__package__).joinpath("migrations")
_Q = load_queries(files(__package__).joinpath("queries.sql"))


@asynccontextmanager
async def open_sqlite_store(path: Path) -> AsyncIterator[Store]:
    """Open the store at `path`, made or brought up to date where needed.

    Raises:
        StoreDamagedError: there has been a store, and it is not what was left there.
        StoreTooNewError: a later release has written it.
        StoreUnavailableError: it cannot be written.
    """
    await anyio.to_thread.run_sync(check_file, path)
    try:
        async with open_database(path, MIGRATIONS, {"row_sum": row_sum}) as database:
            store = SqliteStore(database)
            await store.check()
            async with marked_open(path):
                yield store
    except StoreUnavailableError as exc:
        raise cannot_open(path, exc) from exc


class SqliteStore:
    """`Store` on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._damaged: set[str] = set()

    @property
    def damaged(self) -> frozenset[str]:
        """See `Store`."""
        return frozenset(self._damaged)

    async def insert_runs(self, runs: list[NewRun]) -> list[RunRecord | None]:
        """See `Store`."""
        return await self._database.write(lambda db: [_insert_run(db, run) for run in runs])

    async def start_attempts(self, attempts: list[Attempt]) -> None:
        """See `Store`."""
        starts = [(to_microseconds(a.dispatched_at), a.instance_id, a.attempt, a.position) for a in attempts]
        rows = [attempt_row(attempt) for attempt in attempts]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_Q["start_run"], starts)
            db.executemany(_Q["insert_attempt"], rows)

        await self._database.write(work)

    async def append(self, batch: Append) -> None:
        """See `Store`."""
        events, firsts = [events_row(some) for some in batch.events], _first_seqs(batch.events)
        ends = [end_row(end) for end in batch.ends]
        last_attempts = [
            (to_microseconds(e.ended_at), e.state.value, e.said, e.position, e.position) for e in batch.ends
        ]
        attempt_ends = [(to_microseconds(e.ended_at), e.outcome, e.position, e.attempt) for e in batch.attempt_ends]

        def work(db: sqlite3.Connection) -> None:
            for position, seq in firsts.items():
                if _count_events(db, position) != seq:
                    raise OutOfOrderError(f"event {seq} of the run at {position} is not the next one")
            db.executemany(_Q["append_events"], events)
            db.executemany(_Q["end_run"], ends)
            db.executemany(_Q["end_last_attempt"], last_attempts)
            db.executemany(_Q["end_attempt"], attempt_ends)
            if batch.cursor is not None:
                db.execute(_Q["move_cursor"], (batch.cursor.cursor, batch.cursor.instance_id))

        await self._database.write(work)

    async def request_cancel(self, positions: list[int], at: datetime) -> None:
        """See `Store`."""
        rows = [(to_microseconds(at), position) for position in positions]
        await self._database.write(lambda db: db.executemany(_Q["request_cancel"], rows))

    async def find_run(self, run_id: str) -> RunRecord | None:
        """See `Store`."""
        return next(iter(await self.find_runs([run_id])), None)

    async def find_runs(self, run_ids: list[str]) -> list[RunRecord]:
        """See `Store`."""
        rows = await self._rows("find_runs", json.dumps(run_ids))
        with self._noting():
            return [run_record(row) for row in rows]

    async def find_run_by_key(self, idempotency_key: str) -> RunRecord | None:
        """See `Store`."""
        rows = await self._rows("find_run_by_key", idempotency_key)
        with self._noting():
            return run_record(rows[0]) if rows else None

    async def list_runs(self, limit: int, before: int | None, wanted: RunFilter = ALL_RUNS) -> list[RunSummary]:
        """See `Store`."""

        def work(db: sqlite3.Connection) -> list[RunSummary]:
            found: list[RunSummary] = []
            end = before
            with _snapshot(db):
                while len(found) < limit and (positions := Listing(db, _Q, wanted, end).positions(limit - len(found))):
                    found += self._readable(db.execute(_Q["list_runs"], (json.dumps(positions),)), run_summary)
                    end = positions[-1]
            return found

        return await self._database.read(work)

    async def list_open_runs(self) -> list[RunRecord]:
        """See `Store`."""
        return self._readable(await self._rows("list_open_runs"), run_record)

    async def list_attempts(self, position: int) -> list[Attempt]:
        """See `Store`."""
        rows = await self._rows("list_attempts", position)
        with self._noting():
            return [stored_attempt(row) for row in rows]

    async def list_events(self, position: int, seq: int, limit: int) -> list[StoredEvents]:
        """See `Store`."""
        asked, end = {"position": position, "seq": seq}, seq + limit
        with self._noting():
            rows = await self._database.read(lambda db: event_page(db.execute(_Q["list_events"], asked), end))
            return whole_log(position, seq, end, rows)

    async def count_events(self, position: int) -> int:
        """See `Store`."""
        return await self._database.read(lambda db: _count_events(db, position))

    async def put_profile(self, profile: ProfileRecord) -> None:
        """See `Store`."""
        row = profile_row(profile)
        await self._database.write(lambda db: db.execute(_Q["put_profile"], row))

    async def delete_profile(self, name: str) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["delete_profile"], (name,)))

    async def list_profiles(self) -> list[ProfileRecord]:
        """See `Store`."""
        return self._readable(await self._rows("list_profiles"), stored_profile)

    async def put_instance(self, instance: InstanceRecord) -> None:
        """See `Store`."""
        row = instance_row(instance)
        await self._database.write(lambda db: db.execute(_Q["put_instance"], row))

    async def delete_instance(self, instance_id: str) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["delete_instance"], (instance_id,)))

    async def list_instances(self) -> list[InstanceRecord]:
        """See `Store`."""
        return self._readable(await self._rows("list_instances"), stored_instance)

    async def check(self) -> None:
        """See `Store`."""
        await self._database.write(lambda db: db.execute(_Q["beat"]))

    async def _rows(self, query: str, *values: Any) -> list[Any]:
        return await self._database.read(lambda db: db.execute(_Q[query], values).fetchall())

    def _readable(self, rows: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
        """What is not damaged: a list of others does not break with one that is."""
        found: list[T] = []
        for row in rows:
            with suppress(CorruptRecordError), self._noting():
                found.append(read(row))
        return found

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """What is damaged is remembered, and logged once."""
        try:
            with reading():
                yield
        except CorruptRecordError as exc:
            if exc.message not in self._damaged:
                _log.error("record_damaged", error=exc.message)
                self._damaged.add(exc.message)
            raise


def _first_seqs(batch: list[StoredEvents]) -> dict[int, int]:
    """The seq with which the events of each run begin, by the run's position; they go on from there."""
    first: dict[int, int] = {}
    after: dict[int, int] = {}
    for events in batch:
        first.setdefault(events.position, events.seq)
        if after.get(events.position, events.seq) != events.seq:
            raise OutOfOrderError(f"event {events.seq} of the run at {events.position} is not the next one")
        after[events.position] = events.next_seq
    return first


def _count_events(db: sqlite3.Connection, position: int) -> int:
    return int(db.execute(_Q["count_events"], (position,)).fetchone()[0])


def _insert_run(db: sqlite3.Connection, run: NewRun) -> RunRecord | None:
    row = new_run_row(run, db.execute(_Q["last_run"]).fetchone())
    if not db.execute(_Q["insert_run"], row).rowcount:
        return None
    position, created_at = row.position, to_time(row.created_at)
    if run.labels:
        db.executemany(_Q["insert_label"], [(name, value, position) for name, value in run.labels.items()])
    if run.claim is not None:
        db.execute(_Q["insert_attempt"], attempt_row(run.claim.attempt(position, run.run_id)))
    return new_record(run, position, created_at)


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let several reads see the same state."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("COMMIT")
