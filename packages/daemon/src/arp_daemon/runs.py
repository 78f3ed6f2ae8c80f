"""Runs: accepted durably, followed to their end, each ended exactly once. Owns the state of all open runs.

Whatever changes the state in memory is written to the store in the same breath, and cannot be cancelled in
between: who is cancelled (a link whose instance died, a client that left) leaves no run half moved.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import anyio
import structlog
from msgspec import UNSET

from arp_daemon.open_run import WITH_INSTANCE, OpenRun, Phase, run_status
from arp_daemon.selector import read_selector
from arp_daemon.store import Append, Attempt, Cursor, NewRun, RunEnd, RunRecord, StoredEvent
from arp_daemon.wire_events import (
    CANCELED,
    LAST_TYPES,
    BadEventError,
    WireEvent,
    encode_event,
    error_result,
    last_event,
    last_type,
    new_event,
    read_result,
    state_of,
)
from arp_model import ErrorDetail, RunEventType, RunRequest, RunResult, RunState, RunStatus
from arp_service.errors import RunConflictError, RunNotFinishedError, RunNotFoundError
from arp_service.ids import check_id, new_id
from arp_service.info import utc_now
from arp_service.sqlite import StoreUnavailableError
from arp_service.sse import frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector
    from arp_daemon.store import Store
    from arp_service.errors import ServiceError
    from arp_service.stopping import Stop

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger(__name__)

# While the store refuses (disk full), what happened is kept in memory and tried again this often.
_STORE_RETRY_S = 0.5


def _whole(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A method that, once begun, is not cancelled. Its waits are those for the store, which end with the process."""

    @wraps(method)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        scope = anyio.CancelScope(shield=True)
        with scope:
            result = await method(*args, **kwargs)
        return result  # noqa: RET504 - a scope may, by its type, swallow what is raised in it

    return shielded


class _Last(NamedTuple):
    """A run that ends with a batch of events."""

    run: OpenRun
    state: RunState
    end: RunEnd


class RunManager:
    """Accepts runs, applies what instances say of them, and answers for them."""

    def __init__(self, store: Store, queue: RunQueue, stop: Stop) -> None:
        self._store = store
        self._queue = queue
        self._stop = stop
        self._open: dict[str, OpenRun] = {}
        self._by_token: dict[str, OpenRun] = {}
        self.on_end: Callable[[OpenRun, bool], None] = lambda _run, _at_instance: None
        self.hide: Callable[[WireEvent], WireEvent] = lambda event: event
        """Takes out of an event what must not be seen."""
        """Called when a run has ended; True when its instance may still be working on it."""

    # -- what clients ask ------------------------------------------------------------------------------------

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
        run = self._open.get(run_id)
        if run is not None:
            return run.status()
        return record_status(await self.record(run_id))

    async def result(self, run_id: str) -> bytes:
        """Return the RunResult as JSON.

        Raises:
            RunNotFoundError: there is no such run.
            RunNotFinishedError: it has not ended.
        """
        run = self._open.get(run_id)
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
        return self._open.get(run_id)

    @_whole
    async def request_cancel(self, run_id: str) -> OpenRun | None:
        """Remember, on the disk, that a run is to be canceled. None when it has ended already.

        Raises:
            RunNotFoundError: there is no such run.
        """
        if run_id not in self._open:
            await self.record(run_id)
        run = self._open.get(run_id)
        if run is None:
            return None
        await self._store.request_cancel(run.position, utc_now())
        run.cancel_requested = True
        if self._queue.remove(run):
            await self.end_canceled(run)
        return None if run.ended else run

    # -- what the dispatcher and the links do ----------------------------------------------------------------

    @_whole
    async def start_attempts(self, runs: list[OpenRun], instance_id: str) -> None:
        """Record, on the disk, that runs are about to be sent to an instance; they are running from here on."""
        now = utc_now()
        for run in runs:
            self._forget_token(run)
            run.attempt += 1
            run.token = run.run_id if run.attempt == 1 else new_id("run")
            run.instance_id = instance_id
            run.expected_seq = 0
            self._by_token[run.token] = run
        attempts = [Attempt(r.position, r.attempt, str(r.token), instance_id, r.next_seq, now) for r in runs]
        await self._keep_trying(lambda: self._store.start_attempts(attempts))
        for run in runs:
            run.state = RunState.RUNNING
            run.started_at = run.started_at or now

    @_whole
    async def queue_again(self, run: OpenRun, reason: str) -> None:
        """Put back a run whose instance certainly does not have it."""
        if run.phase is not Phase.ASSIGNED:
            return
        run.phase = Phase.QUEUED
        self._forget_token(run)
        if run.attempt:
            await self._keep_trying(lambda: self._store.end_attempt(run.position, run.attempt, utc_now(), reason))
        if run.cancel_requested:
            await self.end_canceled(run)
        elif not run.ended:
            self._queue.put(run)

    @_whole
    async def try_again(self, run: OpenRun, reason: str) -> None:
        """Queue a run for another attempt whose instance is gone; a step event closes the lost one."""
        if run.phase not in WITH_INSTANCE:
            return
        run.phase = Phase.QUEUED
        self._forget_token(run)
        now = utc_now()
        seq, type_ = run.next_seq, RunEventType.STEP
        run.next_seq += 1
        data = {"name": "attempt_lost", "attempt": run.attempt, "instance_id": run.instance_id, "reason": reason}
        body = new_event(run.run_id, seq, type_, now, data)
        batch = Append([StoredEvent(run.position, seq, type_.value, body)])
        await self._keep_trying(lambda: self._store.append(batch))
        await self._keep_trying(lambda: self._store.end_attempt(run.position, run.attempt, now, reason))
        run.add_frames([frame(str(seq), type_.value, body)])
        if run.cancel_requested:
            await self.end_canceled(run)
        elif not run.ended:
            self._queue.put(run)

    @_whole
    async def apply(self, instance_id: str, events: list[WireEvent], cursor: str | None) -> None:
        """Store what an instance says of its runs, then show it.

        What comes from another instance than the run's, or under an old token, is dropped.
        """
        stored: list[StoredEvent] = []
        lasts: list[_Last] = []
        shown: dict[OpenRun, list[bytes]] = {}
        for event in events:
            run = self._by_token.get(event.run_id)
            if run is None or run.ended or run.instance_id != instance_id or event.seq < run.expected_seq:
                continue
            taken = self._take(run, self.hide(event), lasts)
            stored.append(taken)
            shown.setdefault(run, []).append(frame(str(taken.seq), taken.type, taken.event))
        position = None if cursor is None else Cursor(instance_id, cursor)
        if not stored and position is None:
            return
        batch = Append(stored, [last.end for last in lasts], position)
        await self._keep_trying(lambda: self._store.append(batch))
        for run, frames in shown.items():
            run.add_frames(frames)
        for run, state, _end in lasts:
            self._close(run, state, at_instance=False)

    @_whole
    async def end(self, run: OpenRun, result: RunResult) -> None:
        """End a run with a result that no event of its instance brought; the daemon writes the last event."""
        if run.ended:
            return
        at_instance = run.phase in WITH_INSTANCE
        run.phase = Phase.ENDED
        self._queue.remove(run)
        now = utc_now()
        state = state_of(result)
        body, type_ = last_event(result, run.next_seq, now), last_type(result).value
        event = StoredEvent(run.position, run.next_seq, type_, body)
        batch = Append([event], [RunEnd(run.position, state, now, result.to_json())])
        await self._keep_trying(lambda: self._store.append(batch))
        run.add_frames([frame(str(event.seq), type_, body)])
        self._close(run, state, at_instance=at_instance)

    async def fail(self, run: OpenRun, error: ServiceError | ErrorDetail) -> None:
        """End a run as failed."""
        await self.end(run, error_result(run.run_id, error))

    async def fail_token(self, instance_id: str, token: str, reason: str) -> None:
        """End the run that an instance said something senseless of."""
        run = self._by_token.get(token)
        if run is not None and run.instance_id == instance_id:
            await self.fail(run, runtime_error(reason))

    async def end_canceled(self, run: OpenRun) -> None:
        """End a run as canceled that no instance works on."""
        await self.end(run, error_result(run.run_id, ErrorDetail(code=CANCELED, message="The run was canceled.")))

    # -- start and stop --------------------------------------------------------------------------------------

    async def load(self) -> list[OpenRun]:
        """Read the open runs of an earlier daemon. Queued ones are queued; those that were sent are returned."""
        sent: list[OpenRun] = []
        for record in await self._store.list_open_runs():
            request = RunRequest.from_json(record.request)
            run = OpenRun(record, read_selector(request.runtime_selector))
            run.next_seq = run.tail_start = await self._store.count_events(run.position)
            self._open[run.run_id] = run
            attempts = await self._store.list_attempts(run.position)
            if attempts and attempts[-1].outcome is None:
                run.phase = Phase.SENT
                run.token, run.expected_seq = attempts[-1].token, run.next_seq - attempts[-1].first_seq
                self._by_token[run.token] = run
                sent.append(run)
            elif run.cancel_requested:
                await self.end_canceled(run)
            else:
                self._queue.put(run)
        return sent

    def wake_watchers(self) -> None:
        """Let streams notice that the process is closing."""
        for run in self._open.values():
            run.changed.notify()

    # ---------------------------------------------------------------------------------------------------------

    @_whole
    async def _accept(self, request: RunRequest, selector: Selector) -> RunStatus:
        """Once the store has it, it is queued, whatever becomes of the client."""
        record = await self._store.insert_run(NewRun(str(request.run_id), request.to_json(), utc_now()))
        if record is None:
            return await self._same_run(request)
        run = self._open[record.run_id] = OpenRun(record, selector)
        status = run.status()
        self._queue.put(run)
        return status

    def _take(self, run: OpenRun, event: WireEvent, lasts: list[_Last]) -> StoredEvent:
        """Return the event to be stored, and move the run on; a last one also ends it."""
        seq = run.next_seq
        run.next_seq += 1
        try:
            if event.seq != run.expected_seq:
                raise BadEventError(f"event {run.expected_seq} is missing before {event.seq}")
            run.expected_seq += 1
            if event.type not in LAST_TYPES:
                return StoredEvent(run.position, seq, event.type.value, encode_event(event, run.run_id, seq))
            result = read_result(event, run.run_id)
        except BadEventError as exc:
            _log.warning("runtime_error", run_id=run.run_id, instance_id=run.instance_id, reason=str(exc))
            result = error_result(run.run_id, runtime_error(str(exc)))
        now = utc_now()
        run.phase = Phase.ENDED
        lasts.append(_Last(run, state_of(result), RunEnd(run.position, state_of(result), now, result.to_json())))
        type_ = last_type(result)
        body = encode_event(event, run.run_id, seq) if type_ is event.type else last_event(result, seq, now)
        return StoredEvent(run.position, seq, type_.value, body)

    def _forget_token(self, run: OpenRun) -> None:
        if run.token is not None:
            self._by_token.pop(run.token, None)
            run.token = None

    def _close(self, run: OpenRun, state: RunState, *, at_instance: bool) -> None:
        run.state = state
        del self._open[run.run_id]
        self.on_end(run, at_instance)
        self._forget_token(run)
        run.changed.notify()

    async def _same_run(self, request: RunRequest) -> RunStatus:
        run_id = str(request.run_id)
        record = await self.record(run_id)
        if RunRequest.from_json(record.request) != request:
            raise RunConflictError(run_id)
        return await self.status(run_id)

    async def _keep_trying(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write what has happened; it cannot be taken back, so a store that refuses is asked again.

        When the process closes meanwhile, the next daemon finds the store as it was, and asks the instances.
        """
        while True:
            try:
                await write()
            except StoreUnavailableError as exc:
                _log.error("store_refuses", error=exc.message)
                if self._stop.closing.is_set():
                    return
                await anyio.sleep(_STORE_RETRY_S)
            else:
                return


def runtime_error(reason: str) -> ErrorDetail:
    """What a run fails with whose runtime broke the protocol."""
    return ErrorDetail(code="runtime_error", message=f"The runtime broke the protocol: {reason[:500]}.", retryable=True)


def record_status(record: RunRecord) -> RunStatus:
    """The status of a stored run."""
    return run_status(record.run_id, record.state, record.started_at, record.ended_at, record.instance_id)
