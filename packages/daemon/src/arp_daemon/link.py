"""The link to one ready instance: sends it runs, follows their events, cancels them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog
from arp_sdk.runtime import AsyncRuntimeClient

from arp_daemon.follower import Follower
from arp_daemon.instance import BATCH, EVENTS
from arp_daemon.relay import Accepted, Refused, Relay, Unknown
from arp_model import RunRequest
from arp_sdk.errors import ArpApiError
from arp_service.changed import Changed

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.relay import Outcome
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.runs import RunManager
    from arp_model import ErrorDetail

_log = structlog.get_logger(__name__)

_MAX_BATCH = 128
# A run that instances keep refusing is not for them.
_MAX_REFUSALS = 3
# After an instance said that it is busy, or could not be asked.
_PAUSE_S = 0.25


class Link:
    """Owned by the dispatcher; lives while the instance is ready."""

    def __init__(self, instance: Instance, runs: RunManager, queue: RunQueue) -> None:
        self.instance = instance
        self._runs = runs
        self._queue = queue
        self._relay = Relay(instance.endpoint)
        self._client = AsyncRuntimeClient(base_url=instance.endpoint)
        self._follower = Follower(instance, self._relay, self._client, runs)
        self._tasks: TaskGroup | None = None
        self._scope = anyio.CancelScope()
        self._given = Changed()
        # A run goes from the outbox over claiming (its attempt is being recorded) to sent; there it is doubtful,
        # where nobody knows whether it arrived, or accepted.
        self._outbox: list[OpenRun] = []
        self._claiming: list[OpenRun] = []
        self._sent: set[OpenRun] = set()
        self._doubtful: list[OpenRun] = []
        self._accepted: set[OpenRun] = set()

    # -- what the dispatcher asks ----------------------------------------------------------------------------

    def give(self, run: OpenRun) -> None:
        """Take a run into the outbox."""
        self.instance.assign(run)
        self._outbox.append(run)
        self._given.notify()

    def adopt(self, run: OpenRun) -> None:
        """Go on with a run that an earlier daemon had sent; whether it arrived is asked."""
        self.instance.assign(run)
        self._sent.add(run)
        self._doubtful.append(run)
        self._given.notify()

    def cancel(self, run: OpenRun) -> None:
        """Ask the instance to cancel a run that it has; one that is not sent yet is looked at before it is."""
        if run in self._accepted and self._tasks is not None:
            self._tasks.start_soon(self._cancel, run)

    def forget(self, run: OpenRun) -> None:
        """A run has ended."""
        self.instance.release(run)
        self._sent.discard(run)
        self._accepted.discard(run)

    def cut(self) -> None:
        """The instance is gone: stop both loops."""
        self._scope.cancel()

    def sent(self) -> list[OpenRun]:
        """The runs that the instance may have."""
        return list(self._sent)

    def unsent(self) -> list[OpenRun]:
        """The runs that it certainly does not have."""
        return [run for run in (*self._claiming, *self._outbox) if not run.ending]

    # -- the two loops ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send and follow until cut."""
        with self._scope:
            async with self._relay, self._client, anyio.create_task_group() as tasks:
                self._tasks = tasks
                if EVENTS in self.instance.features:
                    tasks.start_soon(self._follower.follow_instance)
                await self._send_for_ever()

    async def _send_for_ever(self) -> None:
        while True:
            doubtful, self._doubtful = self._doubtful, []
            for run in doubtful:
                await self._ask(run)
            self._claiming, self._outbox = self._outbox[:_MAX_BATCH], self._outbox[_MAX_BATCH:]
            if self._claiming:
                await self._send()
            elif not self._doubtful:
                await self._given.wait()

    async def _send(self) -> None:
        """Claim the batch on the disk, then send it."""
        for run in [run for run in self._claiming if run.cancel_requested or run.ending]:
            self._claiming.remove(run)
            self.instance.release(run)
            await self._runs.end_canceled(run)
        await self._runs.start_attempts(self._claiming, self.instance.instance_id)
        batch, self._claiming = self._claiming, []
        self._sent.update(batch)
        outcomes = await self._hand_over([_request_of(run) for run in batch])
        for run, outcome in zip(batch, outcomes, strict=True):
            await self._take_outcome(run, outcome)

    async def _hand_over(self, requests: list[bytes]) -> list[Outcome]:
        if BATCH in self.instance.features:
            return await self._relay.hand_over_batch(requests)
        return [await self._relay.hand_over(request) for request in requests]

    async def _take_outcome(self, run: OpenRun, outcome: Outcome) -> None:
        match outcome:
            case Accepted():
                self._has(run)
            case Refused(error, busy):
                await self._take_back(run, error, busy=busy)
            case Unknown(reason):
                _log.warning("hand_over_doubtful", run_id=run.run_id, reason=reason)
                self._doubtful.append(run)

    def _has(self, run: OpenRun) -> None:
        """The instance has the run."""
        if run not in self._sent or self._tasks is None:  # it has ended meanwhile
            return
        self._accepted.add(run)
        if EVENTS not in self.instance.features:
            self._tasks.start_soon(self._follower.follow_run, run)
        if run.cancel_requested:
            self._tasks.start_soon(self._cancel, run)

    async def _take_back(self, run: OpenRun, error: ErrorDetail, *, busy: bool) -> None:
        """The instance provably does not have the run."""
        self.forget(run)
        run.refusals += 0 if busy else 1
        if run.refusals >= _MAX_REFUSALS:
            await self._runs.fail(run, error)
            return
        if busy:
            self._pause()
        await self._runs.queue_again(run, error.code)

    def _pause(self) -> None:
        """Give it nothing for a moment."""
        if self._tasks is not None and not self.instance.paused:
            self.instance.paused = True
            self._tasks.start_soon(self._unpause)

    async def _unpause(self) -> None:
        await anyio.sleep(_PAUSE_S)
        self.instance.paused = False
        self._queue.changed.notify()

    async def _ask(self, run: OpenRun) -> None:
        """Ask until it is known whether the instance has the run; when the instance is gone, the link is cut."""
        while not run.ending:
            try:
                await self._client.get_run_status(run.token)
            except ArpApiError as exc:
                if exc.status_code == 404:
                    self.forget(run)
                    await self._runs.queue_again(run, "never_arrived")
                    return
                await anyio.sleep(_PAUSE_S)
            else:
                self._has(run)
                return

    async def _cancel(self, run: OpenRun) -> None:
        """The relay brings the end; a runtime that cannot cancel goes on to its own end."""
        try:
            await self._client.cancel_run(run.token)
        except ArpApiError as exc:
            _log.warning("cancel_failed", run_id=run.run_id, instance_id=run.instance_id, error=str(exc))


def _request_of(run: OpenRun) -> bytes:
    """The request as stored; a later attempt goes under its token."""
    if run.token == run.run_id:
        return run.request
    request = RunRequest.from_json(run.request)
    request.run_id = run.token
    return request.to_json()
