"""The link to one ready instance: sends it runs, follows their events, cancels them.

All that a link remembers of a run is its phase: `assigned` until it is sent, `sent` until the instance has answered
for it, then `accepted`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio.lowlevel import checkpoint_if_cancelled
from msgspec import UNSET

from arp_daemon.ceilings import ceilings_of
from arp_daemon.exec_spec import retries_of
from arp_daemon.failures import instance_lost
from arp_daemon.follower import Follower
from arp_daemon.instance import BATCH, EVENTS
from arp_daemon.open_run import Phase
from arp_daemon.outbox import Outbox
from arp_daemon.questions import Questions, UnknownRunError
from arp_daemon.relay import Accepted, Refused, Relay, Unknown
from arp_daemon.store import Claim
from arp_daemon.transport import runtime_client
from arp_daemon.wire_events import ProtocolError
from arp_daemon.work_stop import WorkStop
from arp_model import RunRequest, RunRequestLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from anyio.abc import TaskGroup
    from msgspec import UnsetType

    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.relay import Outcome
    from arp_daemon.run_queue import RunQueue
    from arp_model import ErrorDetail

_log = structlog.get_logger(__name__)

# A run that instances keep refusing, or that never arrives, is not for them.
_MAX_REFUSALS = 3
# After an instance said that it is busy, or could not be asked: doubling.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 15.0
# A hung instance is noticed before this.
_ASK_FOR_S = 20.0
_NO_TIME = timedelta(0)


class Link:
    """Owned by the dispatcher; lives while the instance is ready."""

    def __init__(
        self,
        instance: Instance,
        runs: OpenRuns,
        queue: RunQueue,
        spec: Callable[[], AnyExec | None],
        kill: Callable[[Instance], None],
    ) -> None:
        self.instance = instance
        self._runs = runs
        self._queue = queue
        self._spec = spec
        self._kill = kill
        self._relay = Relay(instance.address)
        self._client = runtime_client(instance.address)
        self._follower = Follower(instance, self._relay, self._client, runs, self._lose)
        self._work_stop = WorkStop(instance, self._client, runs, queue)
        self._tasks: TaskGroup | None = None
        self._scope = anyio.CancelScope()
        self._outbox = Outbox(instance, runs)
        self._doubtful: list[OpenRun] = []
        self._to_stop: list[OpenRun] = []
        """To be stopped when the link has begun, and when the instance has answered for them."""
        self._unanswered: set[OpenRun] = set()
        """Sent, and the instance has not answered for them."""
        self._pause_s = _FIRST_PAUSE_S

    # -- what the dispatcher asks ----------------------------------------------------------------------------

    def claim(self, limits: RunRequestLimits | UnsetType, now: datetime) -> Claim:
        """What is stored of a run that is accepted for this instance."""
        return Claim(self.instance.instance_id, now, ceilings_of(self._spec()).deadline(limits, now))

    @property
    def is_about_to_send(self) -> bool:
        """Whether it has been given a run, and nothing else is on its way to the instance, or being stored for it."""
        return len(self._outbox) > 0 and not (self._unanswered or self.instance.held_slots)

    def give_slot_back(self) -> None:
        """A slot that was held for a run is held no longer."""
        self._outbox.give_slot_back()

    def give(self, run: OpenRun) -> None:
        """Take a run into the outbox; one that was accepted for this instance has its token already."""
        run.phase = Phase.ASSIGNED
        run.instance_id = self.instance.instance_id
        self.instance.assign(run)
        self._outbox.put(run)

    def adopt(self, run: OpenRun) -> None:
        """Go on with a run that an earlier daemon had sent; whether it arrived is asked."""
        self.instance.assign(run)
        self._doubtful.append(run)

    def cancel(self, run: OpenRun) -> None:
        """Cancel a run: now where the instance has it, or when that is known; one that was not sent is not."""
        if run.phase is Phase.ACCEPTED:
            self.stop_work(run)

    def stop_work(self, run: OpenRun) -> None:
        """See to it that the instance stops working on a run.

        One that is being handed over is not looked for yet: it could arrive just after it was not found. Nothing is
        done by a link that has ended, whose instance is being ended, too.
        """
        if self._tasks is None or run in self._unanswered:
            self._to_stop.append(run)
        else:
            self._tasks.start_soon(self._work_stop.stop, run, str(run.token))

    def cut(self) -> None:
        """The instance is gone: stop both loops. Its runs are no longer this link's."""
        self._scope.cancel()
        self._outbox.clear()

    # -- the two loops ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send and follow until cut."""
        try:
            with self._scope:
                async with self._relay, self._client, anyio.create_task_group() as self._tasks:
                    self._begin(self._tasks)
                    await self._send_for_ever()
        finally:
            self._tasks = None

    def _begin(self, tasks: TaskGroup) -> None:
        for run in self._doubtful:
            tasks.start_soon(self._ask, run, "an earlier daemon died")
        to_stop, self._to_stop = self._to_stop, []
        for run in to_stop:
            self.stop_work(run)
        tasks.start_soon(self._watch_stuck)
        if EVENTS in self.instance.features:
            tasks.start_soon(self._follower.follow_instance)

    async def _send_for_ever(self) -> None:
        while True:
            await self._send(await self._outbox.next_batch())

    async def _send(self, batch: list[OpenRun]) -> None:
        """Claim on the disk what was not claimed when it was accepted, then send the batch. A run that is sent again
        keeps its token.

        Where the instance has gone meanwhile, it has been decided what becomes of its runs: nothing here moves them on.
        """
        await checkpoint_if_cancelled()
        await self._claim([run for run in batch if run.phase is Phase.ASSIGNED and run.token is None])
        await self._end_timed_out([run for run in batch if run.phase is Phase.ASSIGNED])
        await checkpoint_if_cancelled()
        batch = [run for run in batch if not run.ended]
        if BATCH in self.instance.features and len(batch) > 1:
            self._take_outcomes(batch, await self._hand_over_batch(batch))
            return
        assert self._tasks is not None
        for run in batch:
            if BATCH in self.instance.features:
                await self._hand_over(run)
            else:  # one that is slow to take a run does not keep the others waiting
                self._tasks.start_soon(self._hand_over, run)

    async def _claim(self, runs: list[OpenRun]) -> None:
        if runs:
            await self._runs.start_attempts(runs, self.instance.instance_id, ceilings_of(self._spec()))

    async def _end_timed_out(self, runs: list[OpenRun]) -> None:
        for run in [run for run in runs if run.time_left == _NO_TIME]:
            await self._runs.end_timed_out(run)

    async def _hand_over(self, run: OpenRun) -> None:
        await checkpoint_if_cancelled()
        if run.ended:  # its time was over before it was its turn
            return
        run.phase = Phase.SENT
        self._unanswered.add(run)
        self._take_outcomes([run], [await self._relay.hand_over(self._request_of(run), str(run.token))])

    async def _hand_over_batch(self, batch: list[OpenRun]) -> list[Outcome]:
        for run in batch:
            run.phase = Phase.SENT
        self._unanswered.update(batch)
        requests, tokens = [self._request_of(run) for run in batch], [str(run.token) for run in batch]
        return await self._relay.hand_over_batch(requests, tokens)

    def _take_outcomes(self, batch: list[OpenRun], outcomes: list[Outcome]) -> None:
        """All at once, without a wait in between: when the instance dies now, it is known what it had."""
        assert self._tasks is not None
        self._unanswered.difference_update(batch)
        to_stop = [run for run in self._to_stop if run in batch]
        self._to_stop = [run for run in self._to_stop if run not in batch]
        for run, outcome in zip(batch, outcomes, strict=True):
            match outcome:
                case Refused() if run.ended:
                    self.instance.release(run)
                    self._queue.changed.notify()
                case _ if run in to_stop:
                    self.stop_work(run)
                case _ if run.ended:
                    pass  # a quick agent: its last event came before the answer
                case Accepted():
                    self._has(run)
                case Refused(error, busy):
                    run.phase = Phase.ASSIGNED
                    self.instance.release(run)
                    self._tasks.start_soon(self._take_back, run, error, busy)
                case Unknown(reason, said):
                    _log.warning("hand_over_doubtful", run_id=run.run_id, reason=reason)
                    self._tasks.start_soon(self._ask, run, reason, said)

    def _has(self, run: OpenRun) -> None:
        """The instance has the run."""
        assert self._tasks is not None
        run.phase = Phase.ACCEPTED
        self._pause_s = _FIRST_PAUSE_S
        if EVENTS not in self.instance.features:
            self._tasks.start_soon(self._follower.follow_run, run)
        if run.cancel_requested:
            self.stop_work(run)

    async def _take_back(self, run: OpenRun, error: ErrorDetail, busy: bool) -> None:
        """The instance provably does not have the run."""
        run.refusals += not busy
        if run.refusals >= _MAX_REFUSALS:
            await self._runs.fail(run, error)
            return
        self._pause()
        await self._runs.queue_again(run, error.code)

    def _pause(self) -> None:
        """Give it nothing for a while."""
        if self._tasks is not None and not self.instance.paused:
            self.instance.paused = True
            self._tasks.start_soon(self._unpause)

    async def _unpause(self) -> None:
        await anyio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, _LAST_PAUSE_S)
        self.instance.paused = False
        self._queue.changed.notify()

    async def _ask(self, run: OpenRun, why: str, said: bytes = b"") -> None:
        """Ask until it is known whether the instance has the run. When it dies meanwhile, the link is cut.

        `why` it is not known: by what the instance `said` when the run was handed over, perhaps.
        """
        try:
            with anyio.move_on_after(_ASK_FOR_S):
                await self._until_known(run)
        except UnknownRunError:
            reason = f"it takes a run, and then does not know it ({why})"
            await self._never_arrived(run, ProtocolError(reason, said=said))
        except ProtocolError as lie:
            await self._runs.fail_lying(run, lie)
        else:
            if _is_doubtful(run):
                await self._runs.fail(run, instance_lost("The instance does not say whether it has the run"))

    async def _until_known(self, run: OpenRun) -> None:
        questions = Questions(self._client, str(run.token))
        pause = _FIRST_PAUSE_S
        while _is_doubtful(run):
            status = await questions.find_status()
            if status is None:
                await anyio.sleep(pause)
                pause *= 2
            elif _is_doubtful(run):
                self._has(run)

    async def _lose(self, run: OpenRun) -> None:
        """The instance had the run, and no longer knows it: as if it were gone."""
        self.instance.release(run)
        await self._runs.lose(run, retries_of(self._spec()), proven=True)

    async def _never_arrived(self, run: OpenRun, lie: ProtocolError) -> None:
        """It is sent again under the same token: should the first try still arrive, it is the same run.

        `lie` is what to make of it where that happens again and again.
        """
        run.refusals += 1
        if run.ended:
            return
        if run.cancel_requested:
            await self._runs.end_canceled(run)
        elif run.refusals >= _MAX_REFUSALS:
            await self._runs.fail_lying(run, lie)
        else:
            self._outbox.put(run)

    async def _watch_stuck(self) -> None:
        """Have the instance killed, once nothing is lost by it."""
        while not self.instance.only_stuck:
            await self.instance.changed.wait()
        self._kill(self.instance)

    def _request_of(self, run: OpenRun) -> bytes:
        """The request as stored, under the profile's ceilings; a later attempt has its token and the time that is left.

        The same at each try to hand an attempt over, so that it stays one run.
        """
        stored = ceilings_of(self._spec()).put_on(run.request)
        if run.token == run.run_id:
            return stored
        request = RunRequest.from_json(stored)
        request.run_id = str(run.token)
        if run.time_left is not None:
            limits = RunRequestLimits() if request.limits is UNSET else request.limits
            limits.timeout_ms = run.time_left // timedelta(milliseconds=1)
            request.limits = limits
        return request.to_json()


def _is_doubtful(run: OpenRun) -> bool:
    """Whether it is not known yet if the instance has the run."""
    return run.phase is Phase.SENT
