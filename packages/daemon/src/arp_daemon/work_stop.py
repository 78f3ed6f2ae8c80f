"""Stopping an instance's work on single runs.

A run keeps its place at an instance until the work on it has stopped, also where it has ended for its client before
(its time was over, its runtime lied). The instance is told to stop, and has a grace to do so. After that a managed
instance is stuck: it gets no more runs, and is killed as soon as all that it still works on is what it was told to
stop. A registered instance is not ours to kill: a run that is to be canceled ends, and says that its work may go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.failures import canceled
from arp_daemon.questions import TERMINAL
from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.run_queue import RunQueue
    from arp_sdk.runtime import AsyncRuntimeClient

_log = structlog.get_logger(__name__)

# A profile may give its instances no time at all to stop; a run has this.
_LEAST_GRACE_S = 1.0
# Between two tries to tell, and between two looks: doubling.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0


class WorkStop:
    """Owned by the link; its methods run as tasks until the link is cut."""

    def __init__(self, instance: Instance, client: AsyncRuntimeClient, runs: OpenRuns, queue: RunQueue) -> None:
        self._instance = instance
        self._client = client
        self._runs = runs
        self._queue = queue
        self._told: set[str] = set()
        self._grace_s = max(instance.facts.stop_grace_s, _LEAST_GRACE_S)

    async def stop(self, run: OpenRun, token: str) -> None:
        """Have the work on a run stopped, and return when it has, or when nothing more can be done."""
        if token in self._told:
            return
        self._told.add(token)
        with anyio.move_on_after(self._grace_s):
            await self._tell(token)
            await self._until_stopped(run, token)
        if self._has(run):
            _log.warning("work_not_stopped", run_id=run.run_id, instance_id=self._instance.instance_id)
            await self._not_stopped(run, token)
        self._told.discard(token)

    async def _tell(self, token: str) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._client.cancel_run(token)
            except ArpApiError as exc:
                if exc.status_code is not None and exc.status_code < 500:
                    _log.info("cancel_refused", instance_id=self._instance.instance_id, token=token, error=str(exc))
                    return
                await anyio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)
            else:
                return

    async def _until_stopped(self, run: OpenRun, token: str) -> None:
        """An open run ends by its last event. Of one that has ended nothing is followed any more: it is asked about."""
        pause = _FIRST_PAUSE_S
        while self._has(run):
            if not run.ended:
                await run.changed.wait()
            elif await self._is_over(token):
                self._release(run)
            else:
                await anyio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)

    async def _is_over(self, token: str) -> bool:
        try:
            status = await self._client.get_run_status(token)
        except ArpApiError as exc:
            return exc.status_code == 404
        return status.state in TERMINAL

    async def _not_stopped(self, run: OpenRun, token: str) -> None:
        if self._instance.facts.managed:
            self._instance.stick(run)
            await self._until_stopped(run, token)
            return
        if not run.ended:
            await self._runs.fail(run, canceled(proven=False))
        self._release(run)

    def _has(self, run: OpenRun) -> bool:
        return self._instance.assigned.get(run.run_id) is run

    def _release(self, run: OpenRun) -> None:
        self._instance.release(run)
        self._queue.changed.notify()
