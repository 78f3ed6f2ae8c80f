"""Runs as clients see them, whether they go on or have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.open_run import run_status
from arp_service.errors import RunNotFinishedError, RunNotFoundError

if TYPE_CHECKING:
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.store import RunRecord, RunSummary, Store
    from arp_model import RunStatus


class RunManager:
    """Answers for runs."""

    def __init__(self, store: Store, open_runs: OpenRuns) -> None:
        self._store = store
        self._open_runs = open_runs

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

    def wake_watchers(self) -> None:
        """Let streams notice that the process is closing."""
        for run in self._open_runs.all():
            run.changed.notify()


def record_status(record: RunSummary) -> RunStatus:
    """The status of a stored run."""
    return run_status(record.run_id, record.state, record.started_at, record.ended_at, record.instance_id)
