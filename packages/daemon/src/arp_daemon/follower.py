"""Following the runs of one instance: by its one stream of all events, or run by run, or by asking.

Whatever the runtime offers, what comes out are RunEvents with a seq that counts, ended by one that brings the
RunResult; the run manager applies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import structlog
from msgspec import Raw

from arp_daemon.instance import RUN_EVENTS
from arp_daemon.relay import NoStreamError, RelayError, StreamExpiredError
from arp_daemon.store import Cursor
from arp_daemon.wire_events import CANCELED, LAST_TYPES, BadEventError, WireEvent
from arp_model import ErrorDetail, RunEventType, RunState
from arp_sdk.errors import ArpApiError
from arp_service.info import utc_now

if TYPE_CHECKING:
    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.relay import Relay
    from arp_daemon.runs import RunManager
    from arp_model import RunResult
    from arp_sdk.runtime import AsyncRuntimeClient

_log = structlog.get_logger(__name__)

# Before a broken stream is opened again.
_RECONNECT_S = 0.1
# A runtime without streams is asked, first soon, then less often.
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 1.0
_TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED})


class Follower:
    """Owned by the link; its methods run as tasks until the link is cut."""

    def __init__(self, instance: Instance, relay: Relay, client: AsyncRuntimeClient, runs: RunManager) -> None:
        self._instance = instance
        self._relay = relay
        self._client = client
        self._runs = runs

    async def follow_instance(self) -> None:
        """Follow all runs by one stream; it is opened again where it broke."""
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    await self._follow_stream()
                except (StreamExpiredError, BadEventError) as exc:
                    _log.warning("event_stream_lost", instance_id=self._instance.instance_id, reason=str(exc))
                    self._instance.cursor = None
                    for run in list(self._instance.assigned.values()):
                        tasks.start_soon(self.follow_run, run)
                except RelayError as exc:
                    _log.info("event_stream_broke", instance_id=self._instance.instance_id, reason=str(exc))
                await anyio.sleep(_RECONNECT_S)

    async def follow_run(self, run: OpenRun) -> None:
        """Follow one run to its end."""
        token = run.token
        while not run.ending and run.token == token:
            try:
                await self._follow_run_stream(run)
                await self._poll(run, _FIRST_POLL_S)
            except NoStreamError:
                await self._poll_to_end(run)
            except BadEventError as exc:
                await self._runs.fail(run, ErrorDetail(code="runtime_error", message=str(exc), retryable=True))
            except RelayError as exc:
                _log.info("run_stream_broke", run_id=run.run_id, reason=str(exc))
                await anyio.sleep(_RECONNECT_S)

    async def _follow_stream(self) -> None:
        async for events, cursor in self._relay.follow(self._instance.cursor):
            position = None if cursor is None else Cursor(self._instance.instance_id, cursor)
            await self._runs.apply(events, position)
            self._instance.cursor = cursor or self._instance.cursor

    async def _follow_run_stream(self, run: OpenRun) -> None:
        """A runtime that does not promise more than the standard is renumbered, and asked for its result."""
        promises = RUN_EVENTS in self._instance.features
        async for events in self._relay.follow_run(run.token, run.expected_seq):
            if promises:
                await self._runs.apply(events, None)
                continue
            middle = [event for event in events if event.type not in LAST_TYPES and event.seq >= run.expected_seq]
            await self._runs.apply(
                [msgspec.structs.replace(e, run_id=run.token, seq=n) for n, e in enumerate(middle, run.expected_seq)],
                None,
            )

    async def _poll_to_end(self, run: OpenRun) -> None:
        pause = _FIRST_POLL_S
        while not run.ending:
            await self._poll(run, pause)
            pause = min(pause * 1.5, _LAST_POLL_S)

    async def _poll(self, run: OpenRun, pause: float) -> None:
        """Look once whether the run has ended, and take its result; otherwise wait a moment."""
        if run.ending:
            return
        try:
            status = await self._client.get_run_status(run.token)
            if status.state in _TERMINAL:
                result = await self._client.get_run_result(run.token)
                await self._runs.apply([_last_event(run, status.state, result)], None)
                return
        except ArpApiError as exc:
            if exc.status_code == 404:
                message = "The runtime no longer knows the run."
                await self._runs.fail(run, ErrorDetail(code="instance_lost", message=message, retryable=True))
                return
            _log.info("poll_failed", run_id=run.run_id, error=str(exc))
        await anyio.sleep(pause)


def _last_event(run: OpenRun, state: RunState, result: RunResult) -> WireEvent:
    """The last event that a runtime without our promises would have sent."""
    data: dict[str, Any] = result.to_dict()
    del data["run_id"]
    if state is RunState.CANCELED:
        data["error"] = {**data.get("error", {"message": "The run was canceled."}), "code": CANCELED}
    type_ = RunEventType.FINAL if state is RunState.SUCCEEDED else RunEventType.ERROR
    return WireEvent(run.token, run.expected_seq, type_, utc_now(), Raw(msgspec.json.encode(data)))
