"""Reading a whole store, damaged or not: what can be read is counted, and kept where there is somewhere to keep it.

A run is kept with its events up to the first that is damaged or missing. Where it had ended, its stored result then
makes its last event anew: a log has no gap, and one last event.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store.records import StoredEvents
from arp_daemon.store.rows import (
    events_row,
    reading,
    run_record,
    stored_attempt,
    stored_events,
    stored_instance,
    stored_profile,
)
from arp_daemon.wire_events import LAST_TYPES, last_event, last_type
from arp_model import RunRequest, RunResult
from arp_service.sqlite import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.store.records import RunRecord

_Q = load_queries(files(__package__).joinpath("salvage.sql"))
_LAST = frozenset(type_.value for type_ in LAST_TYPES)


class CannotKeepError(Exception):
    """What was read cannot be written elsewhere: there is no room, or no right."""


class Report(msgspec.Struct):
    """What was found: how many of each can be read, and what is lost, a sentence each."""

    runs: int = 0
    events: int = 0
    profiles: int = 0
    instances: int = 0
    lost: list[str] = []
    kept_as: Path | None = None
    """Where the damaged file is now."""


class Survey:
    """Reads all of one database, and keeps what is whole in another one."""

    def __init__(self, db: sqlite3.Connection, into: sqlite3.Connection | None = None) -> None:
        self._db = db
        self._into = into
        self._report = Report()

    def run(self) -> Report:
        """Read everything; raises nothing that damage can cause.

        Raises:
            CannotKeepError: there is somewhere to keep it, and it does not take it.
        """
        for row in self._rows("profiles"):
            with self._losing():
                stored_profile(row)
                self._report.profiles += self._keep("keep_profile", row)
        for row in self._rows("instances"):
            with self._losing():
                stored_instance(row)
                self._report.instances += self._keep("keep_instance", row)
        behind = 0
        for row in self._rows("runs"):
            behind = row[0] if isinstance(row[0], int) else behind
            self._read_run(row)
        if self._report.lost:
            for row in self._rows("runs_from_the_end", behind):
                self._read_run(row)
        return self._report

    def _read_run(self, row: tuple[Any, ...]) -> None:
        with self._losing():
            run = run_record(row)
            labels = _labels(run)
            if not self._keep("keep_run", row):
                raise CorruptRecordError(f"Run {run.run_id!r} is there twice; one is kept.")
            self._report.runs += 1
            for label in labels:
                self._keep("keep_label", (*label, run.position))
            for attempt in self._rows("attempts_of", run.position):
                with self._losing():
                    stored_attempt(attempt)
                    self._keep("keep_attempt", attempt)
            self._read_events(run)

    def _read_events(self, run: RunRecord) -> None:
        seq, ended = 0, False
        for row in self._rows("events_of", run.position):
            with self._losing():
                events = stored_events(*row)
                if events.seq == seq:
                    seq, ended = events.next_seq, events.types[-1] in _LAST
                    self._report.events += len(events.types) * self._keep("keep_events", row)
                    continue
            break
        if run.result is not None and not ended:
            self._report.lost.append(f"The events of run {run.run_id!r} from {seq} on.")
            self._end_anew(run, RunResult.from_json(run.result), seq)

    def _end_anew(self, run: RunRecord, result: RunResult, seq: int) -> None:
        assert run.ended_at is not None
        body = last_event(result, seq, run.ended_at)
        self._keep("keep_events", events_row(StoredEvents(run.position, seq, (last_type(result).value,), body)))

    def _rows(self, query: str, *values: Any) -> Iterator[Any]:
        """As many rows as SQLite can still find."""
        try:
            yield from self._db.execute(_Q[query], values)
        except sqlite3.DatabaseError as exc:
            self._report.lost.append(f"Some {query.replace('_', ' ')}: {exc}.")

    def _keep(self, query: str, row: tuple[Any, ...]) -> bool:
        """False where it is there already."""
        if self._into is None:
            return True
        try:
            return self._into.execute(_Q[query], row).rowcount > 0
        except sqlite3.Error as exc:
            raise CannotKeepError(str(exc)) from exc

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            with reading():
                yield
        except (CorruptRecordError, msgspec.DecodeError) as exc:
            self._report.lost.append(str(exc))


def _labels(run: RunRecord) -> list[tuple[str, str]]:
    metadata = RunRequest.from_json(run.request).metadata
    if isinstance(metadata, msgspec.UnsetType) or isinstance(metadata.labels, msgspec.UnsetType):
        return []
    return list(metadata.labels.items())
