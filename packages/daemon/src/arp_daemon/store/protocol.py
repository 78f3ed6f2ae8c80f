"""The store's promises. Nothing outside this package knows which implementation it speaks to.

A method that changes something returns when the change is on the disk. All of them may raise
`StoreUnavailableError`; those that read may raise `CorruptRecordError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from arp_daemon.store.records import ALL_RUNS

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from arp_daemon.store.records import (
        Append,
        Attempt,
        InstanceRecord,
        NewRun,
        ProfileRecord,
        RunFilter,
        RunRecord,
        RunSummary,
        StoredEvents,
    )


class OutOfOrderError(Exception):
    """Events are not the next ones of their run. Those before them may have been refused, and not be stored yet."""


class Store(Protocol):
    """Runs, their events and attempts, profiles and instances."""

    @property
    def damaged(self) -> Collection[str]:
        """What has been found damaged since the store was opened, a sentence each. Called by health.

        Lists leave such records out; who asks for one gets CorruptRecordError.
        """

    async def insert_runs(self, runs: list[NewRun]) -> list[RunRecord | None]:
        """Accept runs, each or not: None where an id or a key is taken. Called before a submission is answered."""

    async def start_attempts(self, attempts: list[Attempt]) -> None:
        """Record hand-overs and set their runs running. Called before anything is sent to an instance."""

    async def append(self, batch: Append) -> None:
        """Add events, end runs and attempts, and move a relay's cursor, all or nothing.

        Raises:
            OutOfOrderError: the events of a run do not go on where those that are stored end.
        """

    async def request_cancel(self, positions: list[int], at: datetime) -> None:
        """Remember that runs are to be canceled."""

    async def find_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None."""

    async def find_runs(self, run_ids: list[str]) -> list[RunRecord]:
        """Return those of the runs that are there, in any order."""

    async def find_run_by_key(self, idempotency_key: str) -> RunRecord | None:
        """Return the run that was accepted with a key, or None."""

    async def list_runs(self, limit: int, before: int | None, wanted: RunFilter = ALL_RUNS) -> list[RunSummary]:
        """Return up to `limit` of the runs that are wanted, newest first, that arrived before position `before`."""

    async def list_open_runs(self) -> list[RunRecord]:
        """Return all runs that have not ended, in order of arrival. Called once, at start."""

    async def list_attempts(self, position: int) -> list[Attempt]:
        """Return the attempts of a run, first to last."""

    async def list_events(self, position: int, seq: int, limit: int) -> list[StoredEvents]:
        """Return events of a run from `seq` on, in order: at most `limit`, fewer where they are large.

        An empty list means that there are none (yet).
        """

    async def count_events(self, position: int) -> int:
        """Return how many events a run has, which is the seq of its next one."""

    async def put_profile(self, profile: ProfileRecord) -> None:
        """Add or replace a profile."""

    async def delete_profile(self, name: str) -> None:
        """Forget a profile."""

    async def list_profiles(self) -> list[ProfileRecord]:
        """Return all profiles, by name."""

    async def put_instance(self, instance: InstanceRecord) -> None:
        """Add or replace an instance; its cursor is kept where the record has none."""

    async def delete_instance(self, instance_id: str) -> None:
        """Forget an instance."""

    async def list_instances(self) -> list[InstanceRecord]:
        """Return all instances."""

    async def check(self) -> None:
        """Write something and return; raises when the store does not take writes."""
