"""Brings queued runs to instances, and their events back. Owns the link to each ready instance.

A link is two loops: one sends what is assigned, in batches; one follows events. A run is recorded as started, on
the disk, before it is sent; so whatever dies, it is known whether an instance may have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from arp_daemon.errors import InstanceStartError
from arp_daemon.exec_spec import find_exec
from arp_daemon.link import Link
from arp_daemon.selector import least_loaded
from arp_model import ErrorDetail

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.instances import InstanceManager
    from arp_daemon.open_run import OpenRun
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.runs import RunManager
    from arp_daemon.selector import Selector
    from arp_model import RunStatus
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Assigns runs to instances; starts instances on demand."""

    def __init__(
        self, runs: RunManager, queue: RunQueue, instances: InstanceManager, tasks: TaskGroup, stop: Stop
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._instances = instances
        self._tasks = tasks
        self._stop = stop
        self._links: dict[str, Link] = {}
        self._starting: dict[Selector, int] = {}

    async def run(self) -> None:
        """Assign for ever. One task."""
        while True:
            for selector in self._queue.selectors():
                self._assign(selector)
            await self._queue.changed.wait()

    async def cancel(self, run_id: str) -> RunStatus:
        """Cancel a run: durable first, then real. A run that has ended stays as it is.

        Raises:
            RunNotFoundError: there is no such run.
        """
        run = await self._runs.request_cancel(run_id)
        if run is not None and run.instance_id is not None and run.instance_id in self._links:
            self._links[run.instance_id].cancel(run)
        return await self._runs.status(run_id)

    def adopt(self, runs: list[OpenRun]) -> None:
        """Take up runs that an earlier daemon had sent: their instance is there again, or they are lost."""
        lost = []
        for run in runs:
            link = self._links.get(run.instance_id or "")
            if link is None:
                lost.append(run)
            else:
                link.adopt(run)
        self._tasks.start_soon(self._lose, lost)

    def on_ready(self, instance: Instance) -> None:
        """An instance takes runs from now on."""
        link = Link(instance, self._runs, self._queue)
        self._links[instance.instance_id] = link
        self._tasks.start_soon(link.run)
        self._queue.changed.notify()

    def on_gone(self, instance: Instance) -> None:
        """An instance is gone for good: what was never sent to it is queued again, the rest is lost."""
        link = self._links.pop(instance.instance_id, None)
        if link is not None:
            link.cut()
            self._tasks.start_soon(self._lose, link.sent())
            self._tasks.start_soon(self._queue_again, link.unsent())
        self._queue.changed.notify()

    def on_end(self, run: OpenRun) -> None:
        """A run has ended: its slot is free."""
        link = self._links.get(run.instance_id or "")
        if link is not None:
            link.forget(run)
        self._queue.changed.notify()

    def _assign(self, selector: Selector) -> None:
        admitted = [link.instance for link in self._links.values() if selector.admits(link.instance)]
        while self._queue.waiting(selector):
            instance = least_loaded(admitted)
            if instance is None:
                self._start_on_demand(selector)
                return
            self._links[instance.instance_id].give(self._queue.take(selector))

    def _start_on_demand(self, selector: Selector) -> None:
        """Start one more instance where the profile has room and those that start are too few for the queue."""
        profile = self._instances.profile_to_start(selector)
        if profile is None or self._stop.requested.is_set():
            return
        details = find_exec(profile.extensions)
        starting = self._starting.get(selector, 0)
        present = len(self._instances.of_profile(profile.runtime_profile))
        if (
            details is None
            or present >= details.max
            or starting * (details.concurrency or 1) >= self._queue.waiting(selector)
        ):
            return
        self._starting[selector] = starting + 1
        self._tasks.start_soon(self._start, selector)

    async def _start(self, selector: Selector) -> None:
        profile = self._instances.profile_to_start(selector)
        try:
            if profile is not None:
                await self._instances.start(profile)
        except InstanceStartError as exc:
            _log.warning("instance_start_failed", error=exc.message, **(exc.details or {}))
            if not any(selector.admits(link.instance) for link in self._links.values()):
                await self._fail_queued(selector, exc)
        finally:
            self._starting[selector] -= 1
            self._queue.changed.notify()

    async def _fail_queued(self, selector: Selector, error: InstanceStartError) -> None:
        """Nothing can serve them: runs that wait in vain are told why."""
        for run in list(self._queue.drain(selector)):
            await self._runs.fail(run, error)

    async def _lose(self, runs: list[OpenRun]) -> None:
        message = "The instance that had the run is gone; whether it finished the work is not known."
        for run in runs:
            await self._runs.fail(run, ErrorDetail(code="instance_lost", message=message, retryable=True))

    async def _queue_again(self, runs: list[OpenRun]) -> None:
        for run in runs:
            self._queue.put(run)
