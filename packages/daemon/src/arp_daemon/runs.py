"""Runs: accepted durably, followed to their end, each ended exactly once. Owns the state of all open runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anyio
import structlog
from msgspec import UNSET

from arp_daemon.open_run import OpenRun, run_status
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
    from collections.abc import Callable

    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector
    from arp_daemon.store import Store
    from arp_service.errors import ServiceError

_log = structlog.get_logger(__name__)

# While the store refuses (disk full), what happened is kept in memory and tried again this often.
_STORE_RETRY_S = 0.5


class _Ended(NamedTuple):
    run: OpenRun
    state: RunState


class RunManager:
    """Accepts runs, applies what instances say of them, and answers for them."""

    def __init__(self, store: Store, queue: RunQueue) -> None:
        self._store = store
        self._queue = queue
        self.on_end: Callable[[OpenRun], None] = lambda _run: None
        self._open: dict[str, OpenRun] = {}
        self._by_token: dict[str, OpenRun] = {}

    # -- what clients ask ------------------------------------------------------------------------------------

    async def submit(self, request: RunRequest, check: Callable[[Selector], None]) -> RunStatus:
        """Accept a run: when this returns, it is on the disk. `check` refuses selectors that match nothing.

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
        check(selector)
        # Once the store has it, it must be queued, whatever becomes of the client.
        with anyio.CancelScope(shield=True):
            record = await self._store.insert_run(NewRun(request.run_id, request.to_json(), utc_now()))
            if record is None:
                return await self._same_run(request)
            run = OpenRun(record, selector)
            self._add(run)
            status = run.status()
            self._queue.put(run)
        return status

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

    async def request_cancel(self, run_id: str) -> OpenRun | None:
        """Remember, on the disk, that a run is to be canceled. None when it has ended already.

        Raises:
            RunNotFoundError: there is no such run.
        """
        run = self._open.get(run_id)
        if run is None:
            await self.record(run_id)
            return None
        await self._store.request_cancel(run.position, utc_now())
        run.cancel_requested = True
        if self._queue.remove(run):
            await self.end_canceled(run)
        return None if run.ending else run

    # -- what the dispatcher does ----------------------------------------------------------------------------

    async def start_attempts(self, runs: list[OpenRun], instance_id: str) -> None:
        """Record, on the disk, that runs are about to be sent to an instance; they are running from here on."""
        now = utc_now()
        for run in runs:
            run.attempt += 1
            self._by_token.pop(run.token, None)
            run.token = run.run_id if run.attempt == 1 else new_id("run")
            run.expected_seq = 0
            self._by_token[run.token] = run
        await self._retry(
            lambda: self._store.start_attempts(
                [Attempt(r.position, r.attempt, r.token, instance_id, r.next_seq, now) for r in runs]
            )
        )
        for run in runs:
            run.state = RunState.RUNNING
            run.started_at = run.started_at or now
            run.instance_id = instance_id

    async def queue_again(self, run: OpenRun, reason: str) -> None:
        """Put back a run whose attempt was provably not taken up."""
        await self._retry(lambda: self._store.end_attempt(run.position, run.attempt, utc_now(), reason))
        if run.cancel_requested:
            await self.end_canceled(run)
        elif not run.ending:
            self._queue.put(run)

    async def apply(self, events: list[WireEvent], cursor: Cursor | None) -> None:
        """Store what an instance says of its runs, then show it. What has an old token is dropped."""
        stored: list[StoredEvent] = []
        ends: list[RunEnd] = []
        ended: list[_Ended] = []
        shown: dict[OpenRun, list[bytes]] = {}
        for event in events:
            run = self._by_token.get(event.run_id)
            if run is None or run.ending or event.seq < run.expected_seq:
                continue
            type_, body = self._take(run, event, ends, ended)
            stored.append(StoredEvent(run.position, run.next_seq, body))
            shown.setdefault(run, []).append(frame(str(run.next_seq), type_.value, body))
            run.next_seq += 1
            run.expected_seq += 1
        await self._retry(lambda: self._store.append(Append(stored, ends, cursor)))
        for run, frames in shown.items():
            run.add_frames(frames)
        for run, state in ended:
            self._close(run, state)

    async def end(self, run: OpenRun, result: RunResult) -> None:
        """End a run with a result that no event of its instance brought; the daemon writes the last event."""
        if run.ending:
            return
        run.ending = True
        now = utc_now()
        state = state_of(result)
        body = last_event(result, run.next_seq, now)
        end = RunEnd(run.position, state, now, result.to_json())
        await self._retry(lambda: self._store.append(Append([StoredEvent(run.position, run.next_seq, body)], [end])))
        run.add_frames([frame(str(run.next_seq), last_type(result).value, body)])
        self._close(run, state)

    async def fail(self, run: OpenRun, error: ServiceError | ErrorDetail) -> None:
        """End a run as failed."""
        await self.end(run, error_result(run.run_id, error))

    async def end_canceled(self, run: OpenRun) -> None:
        """End a run as canceled that no instance works on."""
        await self.end(run, error_result(run.run_id, ErrorDetail(code=CANCELED, message="The run was canceled.")))

    # -- start and stop --------------------------------------------------------------------------------------

    async def load(self) -> list[OpenRun]:
        """Read the open runs of an earlier daemon. Queued ones are queued; those with an attempt are returned."""
        sent: list[OpenRun] = []
        for record in await self._store.list_open_runs():
            request = RunRequest.from_json(record.request)
            run = OpenRun(record, read_selector(request.runtime_selector))
            run.next_seq = run.tail_start = await self._store.count_events(run.position)
            self._add(run)
            if run.attempt == 0:
                self._queue.put(run)
                continue
            last = (await self._store.list_attempts(run.position))[-1]
            self._by_token.pop(run.token, None)
            run.token, run.expected_seq = last.token, run.next_seq - last.first_seq
            self._by_token[run.token] = run
            if last.outcome is None:
                sent.append(run)
            else:
                self._queue.put(run)
        return sent

    def wake_watchers(self) -> None:
        """Let streams notice that the process is closing."""
        for run in self._open.values():
            run.changed.notify()

    @property
    def open_runs(self) -> list[OpenRun]:
        """All runs that have not ended."""
        return list(self._open.values())

    # ---------------------------------------------------------------------------------------------------------

    def _take(
        self, run: OpenRun, event: WireEvent, ends: list[RunEnd], ended: list[_Ended]
    ) -> tuple[RunEventType, bytes]:
        """Return the event to be stored and its type; a last one also ends the run."""
        try:
            if event.seq != run.expected_seq:
                raise BadEventError(f"event {run.expected_seq} is missing before {event.seq}")
            if event.type not in LAST_TYPES:
                return event.type, encode_event(event, run.run_id, run.next_seq)
            result = read_result(event, run.run_id)
        except BadEventError as exc:
            _log.warning("runtime_error", run_id=run.run_id, instance_id=run.instance_id, reason=str(exc))
            message = f"The runtime broke the protocol: {exc}."
            result = error_result(run.run_id, ErrorDetail(code="runtime_error", message=message, retryable=True))
        now = utc_now()
        run.ending = True
        state = state_of(result)
        ends.append(RunEnd(run.position, state, now, result.to_json()))
        ended.append(_Ended(run, state))
        type_ = last_type(result)
        if type_ is event.type:
            return type_, encode_event(event, run.run_id, run.next_seq)
        return type_, last_event(result, run.next_seq, now)

    def _add(self, run: OpenRun) -> None:
        self._open[run.run_id] = run
        self._by_token[run.token] = run

    def _close(self, run: OpenRun, state: RunState) -> None:
        run.state = state
        del self._open[run.run_id]
        self._by_token.pop(run.token, None)
        self._queue.remove(run)
        run.changed.notify()
        self.on_end(run)

    async def _same_run(self, request: RunRequest) -> RunStatus:
        run_id = str(request.run_id)
        record = await self.record(run_id)
        if RunRequest.from_json(record.request) != request:
            raise RunConflictError(run_id)
        return await self.status(run_id)

    async def _retry(self, write: Callable[[], object]) -> None:
        """Write what has happened; it cannot be taken back, so a store that refuses is asked again."""
        while True:
            try:
                await write()  # type: ignore[misc]
            except StoreUnavailableError as exc:
                _log.error("store_refuses", error=exc.message)
                await anyio.sleep(_STORE_RETRY_S)
            else:
                return


def record_status(record: RunRecord) -> RunStatus:
    """The status of a stored run."""
    return run_status(record.run_id, record.state, record.started_at, record.ended_at, record.instance_id)
