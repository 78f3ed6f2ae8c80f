"""A store in memory that keeps the promises of the real one (tests/daemon/test_store.py runs over both).

What is kept is a `Disk`, which outlives every store that is opened on it. A method changes it in one step, between two
waits: whoever is cut off in the first has changed nothing, in the second everything, and cannot tell which.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from msgspec.structs import asdict, replace

from arp_daemon.store import (
    Append,
    Attempt,
    InstanceRecord,
    NewRun,
    OutOfOrderError,
    ProfileRecord,
    RunEnd,
    RunFilter,
    RunRecord,
    RunSummary,
    StoredEvents,
    new_record,
)
from arp_daemon.store.records import ALL_RUNS
from arp_model import RunState
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime


T = TypeVar("T")


class Disk:
    """What has been committed."""

    def __init__(self) -> None:
        self.runs: dict[int, RunRecord] = {}
        self.labels: dict[int, dict[str, str]] = {}
        self.attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        self.events: defaultdict[int, list[StoredEvents]] = defaultdict(list)
        self.profiles: dict[str, ProfileRecord] = {}
        self.instances: dict[str, InstanceRecord] = {}
        self.on_change: Callable[[RunRecord], None] = lambda _run: None
        """Called with each run that a commit has changed."""

    def put(self, run: RunRecord) -> None:
        """Change a run."""
        self.runs[run.position] = run
        self.on_change(run)


class MemoryStore:
    """`Store` on a `Disk`; `pace` is waited for before and after each change and before each read.

    What is appended is refused where `refuses` says so.
    """

    damaged: frozenset[str] = frozenset()

    def __init__(
        self,
        disk: Disk,
        pace: Callable[[], Awaitable[None]] = checkpoint,
        refuses: Callable[[], bool] = lambda: False,
    ) -> None:
        self._disk = disk
        self._pace = pace
        self._refuses = refuses
        self._writer = anyio.Lock()

    async def _write(self, change: Callable[[], T]) -> T:
        """Changes are made, and answered, in the order in which they were asked for, as by the real store's writer."""
        async with self._writer:
            await self._pace()
            changed = change()
            await self._pace()
            return changed

    async def insert_runs(self, runs: list[NewRun]) -> list[RunRecord | None]:
        """See `Store`."""
        return await self._write(lambda: [self._insert(run) for run in runs])

    def _insert(self, run: NewRun) -> RunRecord | None:
        disk = self._disk
        ids = {r.run_id for r in disk.runs.values()}
        keys = {r.idempotency_key for r in disk.runs.values()} - {None}
        if run.run_id in ids or run.idempotency_key in keys:
            return None
        latest = max((r.created_at for r in disk.runs.values()), default=run.created_at)
        record = new_record(run, len(disk.runs) + 1, max(run.created_at, latest))
        if run.claim is not None:
            disk.attempts[record.position].append(run.claim.attempt(record.position, record.run_id))
        disk.labels[record.position] = run.labels
        disk.put(record)
        return record

    async def start_attempts(self, attempts: list[Attempt]) -> None:
        """See `Store`."""
        await self._write(lambda: self._start_attempts(attempts))

    def _start_attempts(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            self._disk.attempts[attempt.position].append(attempt)
            run = self._disk.runs[attempt.position]
            if run.ended_at is None:
                self._disk.put(
                    replace(
                        run,
                        state=RunState.RUNNING,
                        started_at=run.started_at or attempt.dispatched_at,
                        instance_id=attempt.instance_id,
                        attempt=attempt.attempt,
                    )
                )

    async def append(self, batch: Append) -> None:
        """See `Store`."""
        await self._write(lambda: self._append(batch))

    def _append(self, batch: Append) -> None:
        if self._refuses():
            raise StoreUnavailableError("full")
        after = {position: self._next_seq(position) for position in {events.position for events in batch.events}}
        for events in batch.events:
            if events.seq != after[events.position]:
                raise OutOfOrderError(str(events))
            after[events.position] = events.next_seq
        for events in batch.events:
            self._disk.events[events.position].append(events)
        for end in batch.ends:
            self._end(end)
        for attempt_end in batch.attempt_ends:
            self._end_attempt(attempt_end.position, attempt_end.attempt, attempt_end.ended_at, attempt_end.outcome)
        if batch.cursor is not None and batch.cursor.instance_id in self._disk.instances:
            instance = self._disk.instances[batch.cursor.instance_id]
            self._disk.instances[instance.instance_id] = replace(instance, cursor=batch.cursor.cursor)

    def _end(self, end: RunEnd) -> None:
        run = self._disk.runs[end.position]
        if run.ended_at is None:
            self._end_attempt(end.position, run.attempt, end.ended_at, end.state.value)
            self._disk.put(replace(run, state=end.state, ended_at=end.ended_at, result=end.result))

    def _end_attempt(self, position: int, number: int, ended_at: datetime, outcome: str) -> None:
        self._disk.attempts[position] = [
            replace(a, ended_at=ended_at, outcome=outcome) if a.attempt == number and a.ended_at is None else a
            for a in self._disk.attempts[position]
        ]

    async def request_cancel(self, positions: list[int], at: datetime) -> None:
        """See `Store`."""
        await self._write(lambda: self._request_cancel(positions, at))

    def _request_cancel(self, positions: list[int], at: datetime) -> None:
        for position in positions:
            run = self._disk.runs[position]
            if run.ended_at is None:
                self._disk.put(replace(run, cancel_requested_at=run.cancel_requested_at or at))

    async def find_run(self, run_id: str) -> RunRecord | None:
        """See `Store`."""
        return next(iter(await self.find_runs([run_id])), None)

    async def find_runs(self, run_ids: list[str]) -> list[RunRecord]:
        """See `Store`."""
        await self._pace()
        return [run for run in self._disk.runs.values() if run.run_id in run_ids]

    async def find_run_by_key(self, idempotency_key: str) -> RunRecord | None:
        """See `Store`."""
        await self._pace()
        return next((run for run in self._disk.runs.values() if run.idempotency_key == idempotency_key), None)

    async def list_runs(self, limit: int, before: int | None, wanted: RunFilter = ALL_RUNS) -> list[RunSummary]:
        """See `Store`."""
        await self._pace()
        found = [
            run
            for position, run in sorted(self._disk.runs.items(), reverse=True)
            if (before is None or position < before) and self._is_wanted(run, wanted)
        ]
        return [
            RunSummary(**{name: asdict(run)[name] for name in RunSummary.__struct_fields__}) for run in found[:limit]
        ]

    def _is_wanted(self, run: RunRecord, wanted: RunFilter) -> bool:
        return (
            (not wanted.states or run.state in wanted.states)
            and (wanted.runtime_profile is None or wanted.runtime_profile == run.runtime_profile)
            and wanted.labels.items() <= self._disk.labels[run.position].items()
            and (wanted.created_after is None or run.created_at >= wanted.created_after)
            and (wanted.created_before is None or run.created_at < wanted.created_before)
        )

    async def list_open_runs(self) -> list[RunRecord]:
        """See `Store`."""
        await self._pace()
        return [run for _, run in sorted(self._disk.runs.items()) if run.ended_at is None]

    async def list_attempts(self, position: int) -> list[Attempt]:
        """See `Store`."""
        await self._pace()
        return sorted(self._disk.attempts[position], key=lambda attempt: attempt.attempt)

    async def list_events(self, position: int, seq: int, limit: int) -> list[StoredEvents]:
        """See `Store`."""
        await self._pace()
        found = [events.between(seq, seq + limit) for events in self._disk.events[position]]
        return [events for events in found if events.types]

    async def count_events(self, position: int) -> int:
        """See `Store`."""
        await self._pace()
        return self._next_seq(position)

    def _next_seq(self, position: int) -> int:
        return max((events.next_seq for events in self._disk.events[position]), default=0)

    async def put_profile(self, profile: ProfileRecord) -> None:
        """See `Store`."""
        await self._write(lambda: self._put_profile(profile))

    def _put_profile(self, profile: ProfileRecord) -> None:
        self._disk.profiles[profile.name] = profile

    async def delete_profile(self, name: str) -> None:
        """See `Store`."""
        await self._write(lambda: self._delete_profile(name))

    def _delete_profile(self, name: str) -> None:
        self._disk.profiles.pop(name, None)

    async def list_profiles(self) -> list[ProfileRecord]:
        """See `Store`."""
        await self._pace()
        return [profile for _, profile in sorted(self._disk.profiles.items())]

    async def put_instance(self, instance: InstanceRecord) -> None:
        """See `Store`."""
        await self._write(lambda: self._put_instance(instance))

    def _put_instance(self, instance: InstanceRecord) -> None:
        before = self._disk.instances.get(instance.instance_id)
        cursor = instance.cursor or (None if before is None else before.cursor)
        self._disk.instances[instance.instance_id] = replace(instance, cursor=cursor)

    async def delete_instance(self, instance_id: str) -> None:
        """See `Store`."""
        await self._write(lambda: self._delete_instance(instance_id))

    def _delete_instance(self, instance_id: str) -> None:
        self._disk.instances.pop(instance_id, None)

    async def list_instances(self) -> list[InstanceRecord]:
        """See `Store`."""
        await self._pace()
        return [instance for _, instance in sorted(self._disk.instances.items())]

    async def check(self) -> None:
        """See `Store`."""
        await self._pace()


def _summary(run: RunRecord) -> RunSummary:
    return RunSummary(**{name: value for name, value in asdict(run).items() if name in RunSummary.__struct_fields__})
