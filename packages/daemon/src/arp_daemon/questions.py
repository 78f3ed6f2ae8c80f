"""Asking a runtime how one of its runs is, and checking what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from arp_daemon.wire_events import CANCELED, ProtocolError, WireEvent
from arp_model import RunEventType, RunState
from arp_sdk.errors import ArpApiError, ArpResponseError
from arp_service.body import nests_too_deep
from arp_service.info import utc_now

if TYPE_CHECKING:
    from arp_model import RunResult, RunStatus
    from arp_sdk.runtime import AsyncRuntimeClient

TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED})
_ORDER = {RunState.QUEUED: 0, RunState.RUNNING: 1, **dict.fromkeys(TERMINAL, 2)}
# Who answers nonsense may be in trouble for a moment; who says that it is busy, for longer.
_NONSENSE_S, _BUSY_S = 3.0, 30.0
_BUSY = frozenset({429, 503})


class UnknownRunError(Exception):
    """The runtime does not know the run."""


class Questions:
    """About one attempt of a run, known to the runtime by its token."""

    def __init__(self, client: AsyncRuntimeClient, token: str) -> None:
        self._client = client
        self._token = token
        self._reached = 0
        self._nonsense_since: float | None = None

    async def find_status(self) -> RunStatus | None:
        """Return how the run is, or None where that cannot be told now.

        Raises:
            UnknownRunError: the runtime does not know the run.
            ProtocolError: what it answers breaks the protocol, or makes no sense for seconds.
        """
        try:
            status = await self._client.get_run_status(self._token)
        except ArpApiError as exc:
            self._take_error(exc)
            return None
        if status.run_id != self._token:
            raise ProtocolError("asked about a run, it answers about another one", self._token, status.to_json())
        if _ORDER[status.state] < self._reached:
            raise ProtocolError(f"a run went back to {status.state.value}", self._token, status.to_json())
        self._reached = _ORDER[status.state]
        return status

    async def find_end(self, seq: int) -> WireEvent | None:
        """Return the last event, which a runtime without our promises does not send, or None before the end.

        `seq` is the one that it gets. See `find_status` for the errors.
        """
        status = await self.find_status()
        if status is None:
            return None
        if status.state not in TERMINAL:
            self._nonsense_since = None
            return None
        try:
            result = await self._client.get_run_result(self._token)
        except ArpApiError as exc:
            self._take_error(exc)
            return None
        if result.run_id != self._token:
            raise ProtocolError("asked for a result, it answers with another run's", self._token, result.to_json())
        return _last_event(self._token, seq, status.state, result)

    def _take_error(self, exc: ArpApiError) -> None:
        if exc.status_code == 404:
            raise UnknownRunError from exc
        if exc.status_code is None and not isinstance(exc, ArpResponseError) and exc.code != "connection_lost":
            self._nonsense_since = None  # nobody answered; whether anybody is there is looked at elsewhere
            return
        now = anyio.current_time()
        self._nonsense_since = self._nonsense_since or now
        if now - self._nonsense_since >= (_BUSY_S if exc.status_code in _BUSY else _NONSENSE_S):
            said = exc.raw.encode() if isinstance(exc.raw, str) else msgspec.json.encode(exc.raw)
            raise ProtocolError(f"asked about a run, it answers {exc}", self._token, said) from exc


def _last_event(token: str, seq: int, state: RunState, result: RunResult) -> WireEvent:
    data: dict[str, Any] = result.to_dict()
    del data["run_id"]
    if nests_too_deep(said := msgspec.json.encode(data)):
        raise ProtocolError("a result nests too deep", token, said)
    if state is RunState.CANCELED:
        data["error"] = {**data.get("error", {"message": "The run was canceled."}), "code": CANCELED}
    type_ = RunEventType.FINAL if state is RunState.SUCCEEDED else RunEventType.ERROR
    return WireEvent(token, seq, type_, utc_now(), data)
