"""All runs that have not ended. Owns their state, and moves them on as dispatcher and links report.

Whatever changes the state in memory is written to the store in the same breath, and cannot be cancelled in
between: who is cancelled (a link whose instance died, a client that left) leaves no run half moved. Each run is ended
exactly once.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import UNSET

from arp_daemon.arrivals import Arrivals
from arp_daemon.ceilings import limits_of
from arp_daemon.deadlines import Deadlines
from arp_daemon.done_so_far import read_done_so_far
from arp_daemon.durable import Ledger, whole
from arp_daemon.errors import CorruptRecordError
from arp_daemon.failures import canceled, instance_lost, runtime_error, time_over
from arp_daemon.intake import Taken, take, take_end
from arp_daemon.open_run import WITH_INSTANCE, OpenRun, Phase
from arp_daemon.redaction import Redactor
from arp_daemon.selector import read_selector
from arp_daemon.store import Append, Attempt, AttemptEnd, Cursor, StoredEvents
from arp_daemon.wire_events import error_result, hide_in_result, new_event
from arp_model import RunEventType, RunRequest, RunResult, RunState
from arp_service.errors import ServiceError
from arp_service.ids import new_id
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from arp_daemon.ceilings import Ceilings
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector
    from arp_daemon.store import Claim, RunRecord, Store
    from arp_daemon.wire_events import ProtocolError, WireEvent
    from arp_model import ErrorDetail
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)

# When a run's time is over, its runtime ends it, and says more of it than the daemon knows; one that does not is given
# up after this.
_OWN_ENDING_S = 1.0
_NO_TIME = timedelta(0)
_AT_ONCE = 500
# The outcome of an attempt whose instance was gone.
_LOST = "instance_lost"


class OpenRuns:
    """Applies what instances say of runs."""

    def __init__(self, store: Store, queue: RunQueue, stop: Stop) -> None:
        self._store = store
        self._queue = queue
        self._open: dict[str, OpenRun] = {}
        self._by_token: dict[str, OpenRun] = {}
        self._deadlines = Deadlines()
        self.arrivals = Arrivals()
        self._ledger = Ledger(stop)
        self.on_end: Callable[[OpenRun, bool], None] = lambda _run, _at_instance: None
        """Called when a run has ended; True when its instance may still be working on it."""
        self.redactor = Redactor()
        """Takes out of all that is said what must not be seen."""

    def all(self) -> Iterable[OpenRun]:
        """All of them."""
        return self._open.values()

    def find(self, run_id: str) -> OpenRun | None:
        """Return the run if it has not ended."""
        return self._open.get(run_id)

    async def load(self) -> list[OpenRun]:
        """Read the open runs of an earlier daemon. Queued ones are queued; those that were sent are returned."""
        sent: list[OpenRun] = []
        for record in await self._store.list_open_runs():
            with suppress(CorruptRecordError):  # the store reports it; the others go on
                run = await self._load_one(record)
                if run.phase is Phase.SENT:
                    sent.append(run)
        return sent

    async def _load_one(self, record: RunRecord) -> OpenRun:
        request = RunRequest.from_json(record.request)
        run = OpenRun(record, read_selector(request.runtime_selector))
        attempts: list[Attempt] = []
        if run.attempt:  # a run that was never handed over has no events: ten thousand of them are read at once
            run.begin_at(await self._store.count_events(run.position))
            attempts = await self._store.list_attempts(run.position)
        self._open[run.run_id] = run
        if attempts:
            self._set_time(run, attempts[-1])
            run.losses = sum(attempt.outcome == _LOST for attempt in attempts)
        if attempts and attempts[-1].outcome is None:
            run.phase = Phase.SENT
            run.token, run.expected_seq = attempts[-1].token, run.next_seq - run.first_seq
            self._by_token[run.token] = run
        elif run.cancel_requested:
            await self.end_canceled(run)
        else:
            self._queue.put(run)
        return run

    def add(self, record: RunRecord, selector: Selector, claim: Claim | None = None) -> OpenRun:
        """Take in a run that has just been stored. It is queued, or, where it was claimed, to be given to its link."""
        run = self._open[record.run_id] = OpenRun(record, selector)
        if claim is None:
            self._queue.put(run)
        else:
            run.phase, run.token = Phase.ASSIGNED, run.run_id
            self._by_token[run.run_id] = run
            self._set_time(run, claim.attempt(run.position, run.run_id))
        return run

    @whole
    async def request_cancel(self, runs: list[OpenRun]) -> None:
        """Remember, on the disk, that runs are to be canceled; those that wait end at once, together."""
        await self._store.request_cancel([run.position for run in runs], utc_now())
        for run in runs:
            run.cancel_requested = True
        waiting = [run for run in runs if self._queue.remove(run)]
        ends = [take_end(run, _canceled(run), at_instance=False) for run in waiting]
        if ends:
            await self._put(list(zip(waiting, ends, strict=True)))

    @whole
    async def start_attempts(self, runs: list[OpenRun], instance_id: str, ceilings: Ceilings) -> None:
        """Record, on the disk, that runs are about to be sent to an instance; they are running from here on.

        At its first attempt it is decided until when a run may take, with all its attempts.
        """
        now = utc_now()
        for run in runs:
            self._forget_token(run)
            run.attempt += 1
            run.token = run.run_id if run.attempt == 1 else new_id("run")
            if run.attempt == 1:
                run.deadline_at = ceilings.deadline(limits_of(run.request), now)
            run.instance_id = instance_id
            run.expected_seq, run.last_sum = 0, None
            self._by_token[run.token] = run
        attempts = [
            Attempt(r.position, r.attempt, str(r.token), instance_id, r.next_seq, now, deadline_at=r.deadline_at)
            for r in runs
        ]
        await self._ledger.write(lambda: self._store.start_attempts(attempts))
        for run, attempt in zip(runs, attempts, strict=True):
            run.state = RunState.RUNNING
            run.started_at = run.started_at or now
            self._set_time(run, attempt)

    @whole
    async def queue_again(self, run: OpenRun, reason: str) -> None:
        """Put back a run whose instance certainly does not have it."""
        if run.phase is not Phase.ASSIGNED:
            return
        run.phase = Phase.QUEUED
        self._forget_token(run)
        if run.attempt:
            end = AttemptEnd(run.position, run.attempt, utc_now(), reason)
            await self._ledger.write(lambda: self._store.append(Append([], attempt_ends=[end])))
        if run.cancel_requested:
            await self.end_canceled(run)
        elif not run.ended:
            self._queue.put(run)

    async def lose(self, run: OpenRun, retries: int, *, proven: bool) -> None:
        """The instance that had a run is gone. A run is executed once, unless its profile allows retries.

        `proven` where its work has certainly stopped, too.
        """
        if run.cancel_requested:
            await self.fail(run, canceled(proven=proven))
        elif run.losses < retries:
            await self.try_again(run)
        else:
            await self.fail(run, instance_lost())

    @whole
    async def try_again(self, run: OpenRun) -> None:
        """Queue a run for another attempt whose instance is gone; a step event closes the lost one."""
        if run.phase not in WITH_INSTANCE:
            return
        run.phase = Phase.QUEUED
        run.losses += 1
        self._forget_token(run)
        now = utc_now()
        seq, type_ = run.next_seq, RunEventType.STEP
        run.next_seq += 1
        data = {"name": "attempt_lost", "attempt": run.attempt, "instance_id": run.instance_id, "reason": _LOST}
        body = new_event(run.run_id, seq, type_, now, data)
        lost = StoredEvents(run.position, seq, (type_.value,), body)
        batch = Append(
            [lost],
            attempt_ends=[AttemptEnd(run.position, run.attempt, now, _LOST)],
        )
        if not await self._ledger.write(lambda: self._store.append(batch)):
            return
        run.show([lost])
        if run.cancel_requested:
            await self.end_canceled(run)
        elif not run.ended:
            self._queue.put(run)

    @whole
    async def apply(self, instance_id: str, events: list[WireEvent], cursor: str | None) -> None:
        """Store what an instance says of its runs, then show it.

        What comes from another instance than the run's, or under an old token, is dropped.
        """
        by_token: defaultdict[str, list[WireEvent]] = defaultdict(list)
        for event in events:
            by_token[event.run_id].append(event)
        taken: list[tuple[OpenRun, Taken]] = []
        for token, said in by_token.items():
            run = self._by_token.get(token)
            if run is not None and not run.ended and run.instance_id == instance_id:
                taken += [(run, one) for one in take(run, said, self.redactor)]
        if taken or cursor is not None:
            await self._put(taken, None if cursor is None else Cursor(instance_id, cursor))

    @whole
    async def end(self, run: OpenRun, result: RunResult, said: str | None = None) -> None:
        """End a run with a result that no event of its instance brought; `said` is what it said instead."""
        if not run.ended:
            await self._put([(run, self._end(run, result, said))])

    async def fail(self, run: OpenRun, error: ServiceError | ErrorDetail) -> None:
        """End a run with an error."""
        await self.end(run, error_result(run.run_id, error))

    @whole
    async def fail_all(self, runs: list[OpenRun], error: ServiceError | ErrorDetail) -> None:
        """End runs with one error, many in one write."""
        for start in range(0, len(runs), _AT_ONCE):
            some = [run for run in runs[start : start + _AT_ONCE] if not run.ended]
            await self._put([(run, self._end(run, error_result(run.run_id, error))) for run in some])

    async def fail_lying(self, run: OpenRun, lie: ProtocolError) -> None:
        """End a run whose runtime broke the protocol."""
        error = runtime_error(str(lie))
        await self.end(run, error_result(run.run_id, error), self.redactor.quote(lie.said) if lie.said else None)

    async def fail_token(self, instance_id: str, lie: ProtocolError) -> None:
        """End the run that an instance said something senseless of, where it is one of its runs."""
        run = None if lie.token is None else self._by_token.get(lie.token)
        if run is not None and run.instance_id == instance_id:
            await self.fail_lying(run, lie)

    async def end_canceled(self, run: OpenRun) -> None:
        """End a run as canceled that no instance works on."""
        await self.end(run, _canceled(run))

    # -- time ------------------------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """End runs whose time is over, for ever. One task."""
        async with anyio.create_task_group() as tasks:
            while True:
                run = self.find(await self._deadlines.next_due())
                if run is not None:
                    tasks.start_soon(self.end_timed_out, run)

    async def end_timed_out(self, run: OpenRun) -> None:
        """End a run whose time is over, with what was done so far."""
        if run.ended or run.deadline_at is None or run.started_at is None:
            return
        result = RunResult(run_id=run.run_id, ok=False, error=time_over(run.started_at, run.deadline_at))
        try:
            output, result.usage = await read_done_so_far(self._store, run.position, run.first_seq)
        except ServiceError as exc:  # its end is told without
            _log.warning("done_so_far_unread", run_id=run.run_id, reason=exc.message)
        else:
            result.output = UNSET if output is None else output
        await self.end(run, result)

    # ---------------------------------------------------------------------------------------------------------

    def _set_time(self, run: OpenRun, attempt: Attempt) -> None:
        run.first_seq, run.deadline_at = attempt.first_seq, attempt.deadline_at
        if run.deadline_at is not None:
            run.time_left = max(run.deadline_at - attempt.dispatched_at, _NO_TIME)
            left = max(run.deadline_at - utc_now(), _NO_TIME)
            self._deadlines.set(run.run_id, left.total_seconds() + _OWN_ENDING_S)

    def _end(self, run: OpenRun, result: RunResult, said: str | None = None) -> Taken:
        at_instance = run.phase in WITH_INSTANCE
        self._queue.remove(run)
        return take_end(run, hide_in_result(result, self.redactor), said=said, at_instance=at_instance)

    async def _put(self, taken: list[tuple[OpenRun, Taken]], cursor: Cursor | None = None) -> None:
        """Store what was taken in, then show it."""
        batch = Append([one.events for _, one in taken], [one.end for _, one in taken if one.end is not None], cursor)
        if not await self._ledger.write(lambda: self._store.append(batch)):
            return
        shown: dict[OpenRun, list[StoredEvents]] = {}
        for run, one in taken:
            shown.setdefault(run, []).append(one.events)
        for run, stored in shown.items():
            run.show(stored)
        for run, one in taken:
            if one.end is not None:
                self._close(run, one.end.state, at_instance=one.at_instance)

    def _forget_token(self, run: OpenRun) -> None:
        if run.token is not None:
            self._by_token.pop(run.token, None)
            run.token = None

    def _close(self, run: OpenRun, state: RunState, *, at_instance: bool) -> None:
        run.state = state
        del self._open[run.run_id]
        self._deadlines.forget(run.run_id)
        self.on_end(run, at_instance)
        if run.token is not None:
            self._by_token.pop(run.token, None)
        run.changed.notify()


def _canceled(run: OpenRun) -> RunResult:
    return error_result(run.run_id, canceled(proven=True))
