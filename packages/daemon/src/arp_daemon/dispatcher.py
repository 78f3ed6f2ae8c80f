"""Brings queued runs to instances, and their events back. Owns the link to each ready instance.

A link is two loops: one sends what is assigned, in batches; one follows events. A run is recorded as started, on the
disk, before it is sent; so whatever dies, it is known whether an instance may have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.exec_spec import retries_of
from arp_daemon.link import Link
from arp_daemon.open_run import WITH_INSTANCE
from arp_daemon.selector import by_load, least_loaded
from arp_service.errors import ServiceError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.instances import InstanceManager
    from arp_daemon.matching import Matcher
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.runs import RunManager
    from arp_daemon.selector import Selector
    from arp_model import RunStatus
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)

# At the latest, the queue is looked over this often: a profile that waiting runs name may be gone.
_LOOK_OVER_S = 5.0


class Dispatcher:
    """Assigns runs to instances."""

    def __init__(
        self,
        runs: RunManager,
        open_runs: OpenRuns,
        queue: RunQueue,
        instances: InstanceManager,
        profiles: ProfileManager,
        matcher: Matcher,
        tasks: TaskGroup,
        stop: Stop,
    ) -> None:
        self._runs = runs
        self._open_runs = open_runs
        self._queue = queue
        self._instances = instances
        self._profiles = profiles
        self._matcher = matcher
        self._tasks = tasks
        self._stop = stop
        self._links: dict[str, Link] = {}
        self._to_adopt: dict[str, list[OpenRun]] = {}
        self._settling = 0

    # -- start -----------------------------------------------------------------------------------------------

    def expect(self, sent: list[OpenRun]) -> None:
        """These runs were sent by an earlier daemon; each goes on when its instance is found again."""
        for run in sent:
            self._to_adopt.setdefault(run.instance_id or "", []).append(run)

    async def lose_unfound(self) -> None:
        """All instances that could be found again have been: what others had is lost."""
        for runs in self._to_adopt.values():
            for run in runs:
                spec = self._profiles.exec_of(run.selector.runtime_profile)
                await self._open_runs.lose(run, retries_of(spec), proven=False)
        self._to_adopt.clear()

    async def run(self) -> None:
        """Assign for ever. One task. When the daemon stops, what is queued stays queued."""
        while not self._stop.requested.is_set():
            for selector in self._queue.selectors():
                self._assign(selector)
            with anyio.move_on_after(_LOOK_OVER_S):
                await self._queue.changed.wait()

    # -- what others ask and tell ----------------------------------------------------------------------------

    async def cancel(self, run_id: str) -> RunStatus:
        """Cancel a run: durable first, then real. A run that has ended stays as it is.

        Raises:
            RunNotFoundError: there is no such run.
        """
        if self._open_runs.find(run_id) is None:
            await self._runs.record(run_id)
        await self.cancel_all([run_id])
        return await self._runs.status(run_id)

    async def cancel_all(self, run_ids: list[str]) -> None:
        """Cancel those of the runs that have not ended, together: in one commit, and one more for those that wait."""
        await self._open_runs.arrivals.until_here(run_ids)
        runs = [run for run_id in run_ids if (run := self._open_runs.find(run_id)) is not None]
        if runs:
            await self._open_runs.request_cancel(runs)
        for run in runs:
            link = self._links.get(run.instance_id or "")
            if link is not None and not run.ended:
                link.cancel(run)

    def on_ready(self, instance: Instance) -> None:
        """An instance takes runs from now on."""
        link = Link(
            instance,
            self._open_runs,
            self._queue,
            lambda: self._profiles.exec_of(instance.runtime_profile),
            self._kill,
        )
        for run in self._to_adopt.pop(instance.instance_id, []):
            link.adopt(run)
        self._links[instance.instance_id] = link
        self._tasks.start_soon(self._keep_link, link)
        self._queue.changed.notify()

    def on_gone(self, instance: Instance) -> None:
        """An instance is gone for good: what was never sent to it is queued again, the rest is lost."""
        link = self._links.pop(instance.instance_id, None)
        if link is not None:
            link.cut()
            runs = list(instance.assigned.values())
            instance.assigned.clear()
            self._settle_soon(instance, runs)
        self._queue.changed.notify()

    async def wait_settled(self) -> None:
        """Return when the runs of all instances that are gone have been queued again or ended."""
        while self._settling:
            await self._queue.changed.wait()

    def next_link(self, selector: Selector) -> Link | None:
        """The link of the instance that a run which is just being accepted may go to at once, if there is one.

        None where the run has to wait, or where another one, that came before it, waits for the same slot.
        """
        if self._stop.requested.is_set():
            return None
        instance = least_loaded(link.instance for link in self._admitted(selector))
        if instance is None or self._queue.has_any_for(instance):
            return None
        return self._links[instance.instance_id]

    def begin(self, run: OpenRun, link: Link) -> None:
        """Have a run sent that was claimed when it was accepted; where the instance has gone meanwhile, queue it."""
        if self._links.get(link.instance.instance_id) is link:
            link.give(run)
        else:
            self._settle_soon(link.instance, [run])

    def on_end(self, run: OpenRun, at_instance: bool) -> None:
        """A run has ended: its slot is free. Where its instance may still work on it, that is stopped first."""
        link = self._links.get(run.instance_id or "")
        if link is not None:
            if at_instance:
                link.stop_work(run)
            else:
                link.instance.release(run)
            self.on_slot(link.instance)
        else:
            self._queue.changed.notify()

    def on_slot(self, instance: Instance) -> None:
        """An instance has another number of free slots: that matters to those who wait, and where it is or was idle."""
        if len(self._queue) or instance.load <= 1:
            self._queue.changed.notify()

    # ---------------------------------------------------------------------------------------------------------

    def _assign(self, selector: Selector) -> None:
        """Never waits: what is slow for one selector keeps no other waiting."""
        admitted = self._admitted(selector)
        if not admitted:
            self._check_hope(selector)
        # Where they end before the queue does, the pool keeper starts another one, if there may be one.
        for instance in by_load([link.instance for link in admitted]):
            if not self._queue.waiting(selector):
                return
            self._links[instance.instance_id].give(self._queue.take(selector))

    def _admitted(self, selector: Selector) -> list[Link]:
        staying = [link for link in self._links.values() if not link.instance.leaving]
        return [link for link in staying if selector.admits(link.instance)]

    def _check_hope(self, selector: Selector) -> None:
        """Runs that wait for what can never come are told so: their instance or profile has been deleted."""
        try:
            self._matcher.check(selector)
        except ServiceError as error:
            self._tasks.start_soon(self._open_runs.fail_all, list(self._queue.drain(selector)), error)

    async def _keep_link(self, link: Link) -> None:
        """The outermost boundary of a link: what goes wrong in it costs its instance, and nothing else."""
        try:
            await link.run()
        except Exception as exc:  # noqa: BLE001 - logged, and its instance replaced
            _log.exception("link_broke", instance_id=link.instance.instance_id)
            await self._instances.drop(link.instance, f"could not be followed: {exc!r}")

    def _kill(self, instance: Instance) -> None:
        self._tasks.start_soon(self._instances.kill, instance, "it does not stop its work on runs")

    def _settle_soon(self, instance: Instance, runs: list[OpenRun]) -> None:
        self._settling += 1
        self._tasks.start_soon(self._settle, instance, runs)

    async def _settle(self, instance: Instance, runs: list[OpenRun]) -> None:
        retries = retries_of(self._profiles.exec_of(instance.runtime_profile))
        try:
            for run in runs:
                if run.phase in WITH_INSTANCE:
                    await self._open_runs.lose(run, retries, proven=instance.facts.managed)
                else:
                    await self._open_runs.queue_again(run, "instance_gone")
        finally:
            self._settling -= 1
            self._queue.changed.notify()
