"""Runs as clients see them: accepted durably, and answered for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from arp_daemon.durable import whole
from arp_daemon.open_run import run_status
from arp_daemon.selector import read_selector
from arp_daemon.store import NewRun
from arp_model import RunRequest
from arp_service.errors import RunConflictError, RunNotFinishedError, RunNotFoundError
from arp_service.ids import check_id, new_id
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.selector import Selector
    from arp_daemon.store import RunRecord, Store
    from arp_model import RunStatus


class RunManager:
    """Accepts runs, and answers for them whether they go on or have ended."""

    def __init__(self, store: Store, open_runs: OpenRuns) -> None:
        self._store = store
        self._open_runs = open_runs

    async def submit(self, request: RunRequest, check: Callable[[RunRequest, Selector], None]) -> RunStatus:
        """Accept a run: when this returns, it is on the disk. `check` refuses what cannot be taken.

        The same id with an equal request again returns the same run.

        Raises:
            InvalidRequestError: the id is not well-formed.
            RunConflictError: the id is taken by another request.
        """
        if request.run_id is UNSET:
            request.run_id = new_id("run")
        elif await self._store.find_run(check_id(request.run_id, "$.run_id")) is not None:
            return await self._same_run(request)
        selector = read_selector(request.runtime_selector)
        check(request, selector)
        return await self._accept(request, selector)

    async def status(self, run_id: str) -> RunStatus:
        """Return a run's status.

        Raises:
            RunNotFoundError: there is no such run.
        """
        run = self._open_runs.find(run_id)
        if run is not None:
            return run.status()
        return record_status(await self.record(run_id))

    async def result(self, run_id: str) -> bytes:
        """Return the RunResult as JSON.

        Raises:
            RunNotFoundError: there is no such run.
            RunNotFinishedError: it has not ended.
        """
        run = self._open_runs.find(run_id)
        if run is not None:
            raise RunNotFinishedError(run_id, run.state.value)
        record = await self.record(run_id)
        if record.result is None:
            raise RunNotFinishedError(run_id, record.state.value)
        return record.result

    async def record(self, run_id: str) -> RunRecord:
        """Return a run as stored.

        Raises:
            RunNotFoundError: there is no such run.
        """
        record = await self._store.find_run(run_id)
        if record is None:
            raise RunNotFoundError(run_id)
        return record

    def find_open(self, run_id: str) -> OpenRun | None:
        """Return the run if it has not ended."""
        return self._open_runs.find(run_id)

    async def request_cancel(self, run_id: str) -> OpenRun | None:
        """Remember, on the disk, that a run is to be canceled. None when it has ended already.

        Raises:
            RunNotFoundError: there is no such run.
        """
        run = self._open_runs.find(run_id)
        if run is None:
            await self.record(run_id)
            run = self._open_runs.find(run_id)
        if run is None:
            return None
        await self._open_runs.request_cancel(run)
        return None if run.ended else run

    def wake_watchers(self) -> None:
        """Let streams notice that the process is closing."""
        for run in self._open_runs.all():
            run.changed.notify()

    # ---------------------------------------------------------------------------------------------------------

    @whole
    async def _accept(self, request: RunRequest, selector: Selector) -> RunStatus:
        """Once the store has it, it is queued, whatever becomes of the client."""
        record = await self._store.insert_run(NewRun(str(request.run_id), request.to_json(), utc_now()))
        if record is None:
            return await self._same_run(request)
        return self._open_runs.add(record, selector).status()

    async def _same_run(self, request: RunRequest) -> RunStatus:
        run_id = str(request.run_id)
        record = await self.record(run_id)
        if RunRequest.from_json(record.request) != request:
            raise RunConflictError(run_id)
        return await self.status(run_id)


def record_status(record: RunRecord) -> RunStatus:
    """The status of a stored run."""
    return run_status(record.run_id, record.state, record.started_at, record.ended_at, record.instance_id)
