"""Following the runs of one instance: by its one stream of all events, or run by run, or by asking.

Whatever the runtime offers, what comes out are RunEvents with a seq that counts, ended by one that brings the
RunResult; `OpenRuns` applies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import structlog

from arp_daemon.failures import runtime_error
from arp_daemon.instance import RUN_EVENTS
from arp_daemon.open_run import Phase
from arp_daemon.relay import NoStreamError, RelayError, StreamExpiredError
from arp_daemon.wire_events import CANCELED, LAST_TYPES, BadEventError, WireEvent
from arp_daemon.work_stop import TERMINAL
from arp_model import RunEventType, RunState
from arp_sdk.errors import ArpApiError
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.relay import Relay
    from arp_model import RunResult
    from arp_sdk.runtime import AsyncRuntimeClient

_log = structlog.get_logger(__name__)

# Before a broken stream is opened again: doubling.
_FIRST_RECONNECT_S, _LAST_RECONNECT_S = 0.05, 2.0
# A runtime without streams is asked, first soon, then less often.
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 1.0


class Follower:
    """Owned by the link; its methods run as tasks until the link is cut."""

    def __init__(
        self,
        instance: Instance,
        relay: Relay,
        client: AsyncRuntimeClient,
        runs: OpenRuns,
        lose: Callable[[OpenRun], Awaitable[None]],
    ) -> None:
        self._instance = instance
        self._relay = relay
        self._client = client
        self._runs = runs
        self._lose = lose
        self._singly: set[str] = set()
        """Tokens of runs that are followed one by one, because the stream of all no longer has all of theirs."""

    async def follow_instance(self) -> None:
        """Follow all runs by one stream; it is opened again where it broke."""
        pause = _FIRST_RECONNECT_S
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    async for delivery in self._relay.follow(self._instance.cursor):
                        if delivery.events:
                            pause = _FIRST_RECONNECT_S
                        events = [event for event in delivery.events if event.run_id not in self._singly]
                        await self._runs.apply(self._instance.instance_id, events, delivery.cursor)
                        self._instance.cursor = delivery.cursor or self._instance.cursor
                        await self._refuse(delivery.bad)
                except StreamExpiredError as exc:
                    _log.warning("event_stream_expired", instance_id=self._instance.instance_id, reason=str(exc))
                    self._instance.cursor = None
                    self._follow_singly(tasks)
                except RelayError as exc:
                    _log.info("event_stream_broke", instance_id=self._instance.instance_id, reason=str(exc))
                await anyio.sleep(pause)
                pause = min(pause * 2, _LAST_RECONNECT_S)

    async def follow_run(self, run: OpenRun) -> None:
        """Follow one run to its end."""
        token = str(run.token)
        pause = _FIRST_RECONNECT_S
        while not run.ended and run.token == token:
            try:
                await self._follow_run_stream(run, token)
                await self._poll(run, token, _FIRST_POLL_S)
            except NoStreamError:
                await self._poll_to_end(run, token)
            except BadEventError as exc:
                await self._runs.fail(run, runtime_error(str(exc)))
            except RelayError as exc:
                _log.info("run_stream_broke", run_id=run.run_id, reason=str(exc))
                await anyio.sleep(pause)
                pause = min(pause * 2, _LAST_RECONNECT_S)
        self._singly.discard(token)

    def _follow_singly(self, tasks: TaskGroup) -> None:
        for run in self._instance.assigned.values():
            if run.phase is Phase.ACCEPTED and run.token is not None and run.token not in self._singly:
                self._singly.add(run.token)
                tasks.start_soon(self.follow_run, run)

    async def _refuse(self, bad: list[BadEventError]) -> None:
        """What is no event ends its run, and is otherwise passed over."""
        for error in bad:
            _log.warning("bad_event", instance_id=self._instance.instance_id, run_id=error.token, reason=str(error))
            if error.token is not None:
                await self._runs.fail_token(self._instance.instance_id, error.token, str(error))

    async def _follow_run_stream(self, run: OpenRun, token: str) -> None:
        """A runtime that does not promise more than the standard is renumbered, and asked for its result."""
        promises = RUN_EVENTS in self._instance.features
        skip = 0 if promises else run.expected_seq
        async for events in self._relay.follow_run(token, run.expected_seq if promises else 0):
            if promises:
                await self._runs.apply(self._instance.instance_id, events, None)
                continue
            middle = [event for event in events if event.type not in LAST_TYPES]
            fresh, skip = middle[skip:], max(0, skip - len(middle))
            await self._runs.apply(
                self._instance.instance_id,
                [msgspec.structs.replace(e, run_id=token, seq=n) for n, e in enumerate(fresh, run.expected_seq)],
                None,
            )

    async def _poll_to_end(self, run: OpenRun, token: str) -> None:
        pause = _FIRST_POLL_S
        while not run.ended and run.token == token:
            await self._poll(run, token, pause)
            pause = min(pause * 1.5, _LAST_POLL_S)

    async def _poll(self, run: OpenRun, token: str, pause: float) -> None:
        """Look once whether the run has ended, and take its result; otherwise wait a moment."""
        if run.ended:
            return
        try:
            status = await self._client.get_run_status(token)
            if status.state in TERMINAL:
                result = await self._client.get_run_result(token)
                last = _last_event(token, run.expected_seq, status.state, result)
                await self._runs.apply(self._instance.instance_id, [last], None)
                return
        except ArpApiError as exc:
            if exc.status_code == 404:
                await self._lose(run)
                return
            _log.info("poll_failed", run_id=run.run_id, error=str(exc))
        await anyio.sleep(pause)


def _last_event(token: str, seq: int, state: RunState, result: RunResult) -> WireEvent:
    """The last event that a runtime without our promises would have sent."""
    data: dict[str, Any] = result.to_dict()
    del data["run_id"]
    if state is RunState.CANCELED:
        data["error"] = {**data.get("error", {"message": "The run was canceled."}), "code": CANCELED}
    type_ = RunEventType.FINAL if state is RunState.SUCCEEDED else RunEventType.ERROR
    return WireEvent(token, seq, type_, utc_now(), data)
