"""Reads a run's trace: its own part from the store, and what the instances tell that had it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from arp_daemon.instance import RUN_TRACE
from arp_daemon.runtime_trace import read_runtime_trace
from arp_daemon.trace import make_trace
from arp_service.info import utc_now

if TYPE_CHECKING:
    from arp_daemon.instances import InstanceManager
    from arp_daemon.redaction import Redactor
    from arp_daemon.runs import RunManager
    from arp_daemon.store import Attempt, Store
    from arp_daemon.trace import TraceEntry
    from arp_model import TraceResponse

# A trace is one answer: of a longer run it tells the first events; the rest is in the event stream.
_MAX_EVENTS, _MAX_EVENT_BYTES = 10_000, 4 * 1024 * 1024
# Of a run that was lost again and again, the last attempts' instances are asked.
_MAX_ASKED = 4


class RunTraces:
    """Told, not kept."""

    def __init__(self, store: Store, runs: RunManager, instances: InstanceManager, redactor: Redactor) -> None:
        self._store = store
        self._runs = runs
        self._instances = instances
        self._redactor = redactor

    async def read(self, run_id: str) -> TraceResponse:
        """Return the trace of a run, however far it is.

        Raises:
            RunNotFoundError: there is no such run.
        """
        record = await self._runs.record(run_id)
        told = await self._ask(await self._store.list_attempts(record.position))
        # From here on nothing is waited for but the store; what has happened meanwhile belongs to the story.
        record = await self._runs.record(run_id)
        attempts = await self._store.list_attempts(record.position)
        events = await self._first_events(record.position)
        left_out = await self._store.count_events(record.position) - len(events)
        return make_trace(record, attempts, events, told, left_out)

    async def _first_events(self, position: int) -> list[bytes]:
        events: list[bytes] = []
        size = 0
        while len(events) < _MAX_EVENTS and size < _MAX_EVENT_BYTES:
            page = await self._store.list_events(position, len(events), _MAX_EVENTS - len(events))
            if not page:
                break
            events += [event for some in page for event in some.each()]
            size += sum(len(some.lines) for some in page)
        return events

    async def _ask(self, attempts: list[Attempt]) -> list[TraceEntry]:
        """What the instances tell that are still there, all asked at once."""
        told: list[TraceEntry] = []

        async def ask(attempt: Attempt) -> None:
            instance = self._instances.find(attempt.instance_id)
            if instance is not None and RUN_TRACE in instance.features:
                told.extend(await read_runtime_trace(instance, attempt, self._redactor, utc_now()))

        async with anyio.create_task_group() as tasks:
            for attempt in attempts[-_MAX_ASKED:]:
                tasks.start_soon(ask, attempt)
        return told
