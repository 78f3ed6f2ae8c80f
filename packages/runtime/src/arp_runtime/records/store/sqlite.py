"""The runtime's runs in one SQLite file: the only module of the runtime that knows SQL (in `queries.sql`).

Changes are written many at a time. At the start all runs are read again, for what is kept is also in memory.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from arp_model import RunState
from arp_runtime.records.changes import EventTold, RunBegan, RunEnded, RunForgotten, RunTaken, TraceTold
from arp_service.rows import checksum, find_time, is_whole, to_microseconds, to_time
from arp_service.sqlite import load_queries, open_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from pathlib import Path

    from arp_runtime.records.changes import Change
    from arp_service.sqlite import Database

_Q = load_queries(files(__package__).joinpath("queries.sql"))
_log = structlog.get_logger(__name__)

_trace_encoder = msgspec.json.Encoder()
_trace_decoder = msgspec.json.Decoder(TraceTold)


class StoredRun(NamedTuple):
    """A run as an earlier process left it; `state` and `result` are None where it had not ended."""

    run_id: str
    digest: bytes
    taken_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    state: RunState | None
    result: bytes | None
    events: list[bytes]
    trace: list[TraceTold]


class _DamagedError(Exception):
    """A row fails its checksum."""


# What no checksum covers may make no sense.
_UNREADABLE = (_DamagedError, TypeError, ValueError, OverflowError, msgspec.DecodeError)


@asynccontextmanager
async def open_run_store(path: Path) -> AsyncIterator[RunStore]:
    """Open the store at `path`, made or brought up to date where needed.

    Raises:
        StoreTooNewError, StoreUnavailableError: it cannot be used.
    """
    async with open_database(path, files(__package__).joinpath("migrations")) as database:
        yield RunStore(database)


class RunStore:
    """Writes changes, and reads what they made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, changes: Iterable[Change]) -> None:
        """Write changes, all or none; when this returns they are on the disk.

        Raises:
            StoreUnavailableError: SQLite refused; none was written.
        """
        statements = [statement for change in changes for statement in _statements(change)]

        def work(db: sqlite3.Connection) -> None:
            for query, values in statements:
                db.execute(_Q[query], values)

        await self._database.write(work)

    async def list_runs(self) -> list[StoredRun]:
        """All runs, those that have ended first, in the order of their ends. What is damaged is left out, and logged.

        Raises:
            StoreUnavailableError: SQLite refused.
        """
        return await self._database.read(_read_runs)


def _statements(change: Change) -> list[tuple[str, tuple[Any, ...]]]:
    match change:
        case RunTaken(run_id, at, digest, _):
            # A run that was left out as damaged may still have the id.
            return [*_forget(run_id), ("take_run", (run_id, digest, to_microseconds(at)))]
        case RunBegan(run_id, at):
            return [("begin_run", (to_microseconds(at), run_id))]
        case EventTold(run_id, event, encoded):
            return [("add_event", (run_id, event.seq, encoded, checksum(f"{run_id}:{event.seq}", encoded)))]
        case RunEnded(run_id, at, state, result, _):
            row = (to_microseconds(at), state.value, result, checksum(f"{run_id}:{state.value}", result), run_id)
            return [("end_run", row)]
        case TraceTold(run_id):
            return [("add_trace_entry", (run_id, _trace_encoder.encode(change)))]
        case RunForgotten(run_id):
            return _forget(run_id)


def _forget(run_id: str) -> list[tuple[str, tuple[Any, ...]]]:
    return [(query, (run_id,)) for query in ("forget_run", "forget_events", "forget_trace")]


def _read_runs(db: sqlite3.Connection) -> list[StoredRun]:
    runs = []
    for row in db.execute(_Q["list_runs"]).fetchall():
        try:
            runs.append(_read_run(db, *row))
        except _UNREADABLE as exc:
            _log.error("damaged_run_left_out", run_id=row[0], what=str(exc))
    return runs


def _read_run(
    db: sqlite3.Connection,
    run_id: str,
    digest: bytes,
    taken: int,
    began: int | None,
    ended: int | None,
    state: str | None,
    result: bytes | None,
    stored_sum: int | None,
) -> StoredRun:
    if result is not None and not is_whole(f"{run_id}:{state}", result, stored_sum):
        raise _DamagedError("result")
    events: list[bytes] = []
    for seq, event, event_sum in db.execute(_Q["list_events"], (run_id,)):
        if seq != len(events) or not is_whole(f"{run_id}:{seq}", event, event_sum):
            raise _DamagedError(f"event {len(events)}")
        events.append(event)
    return StoredRun(
        run_id,
        digest,
        to_time(taken),
        find_time(began),
        find_time(ended),
        None if state is None else RunState(state),
        result,
        events,
        [_trace_decoder.decode(entry) for (entry,) in db.execute(_Q["list_trace"], (run_id,))],
    )
