"""The daemon's traffic with an instance that must be fast: handing runs over, and following their events.

The only module that speaks through the HTTP client, which `transport` makes; runs are handed over, and events followed,
by lighter ones (`kept_connections`, `stream_connection`). A runtime with the additions gets batches and is followed by
one stream; one that knows only the standard gets runs one by one and is followed run by run (`follow_run`).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import httpx
import msgspec
from msgspec import UNSET, UnsetType

from arp_daemon.bounded_http import MAX_ANSWER_BYTES
from arp_daemon.kept_connections import KeptConnections, NoAnswerError
from arp_daemon.plain_http import NotConnectedError
from arp_daemon.sse_frames import FrameReader, FrameTooLongError, Heard
from arp_daemon.stream_connection import BrokenStreamError, EventConnection, NotReachedError, open_stream
from arp_daemon.transport import http_client
from arp_daemon.wire_events import CANCELED, ProtocolError, WireEvent, decode_event, decode_events
from arp_model import ErrorDetail, ErrorEnvelope, RunBatchResponse, RunStatus, decode_lenient
from arp_service.body import nests_too_deep
from arp_service.ids import check_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from arp_daemon.address import Address

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_MESSAGE, _MAX_DETAILS_BYTES = 2000, 16 * 1024
_MAX_CURSOR = 256
# So many events are decoded together: what is much larger than that is out of the processor's cache when it is read.
_AT_ONCE = 256
_SUCCESS, _REDIRECT, _CLIENT_ERROR = 2, 3, 4
_BUSY = frozenset({429, 503})


class RelayError(Exception):
    """The stream cannot be had now, or broke off."""


class UnreachableError(RelayError):
    """Nobody answers in time, which is no fault of what is said there."""


class StreamExpiredError(RelayError):
    """The events after our cursor are no longer kept."""


class NoStreamError(RelayError):
    """The runtime has no such stream."""


@dataclass(frozen=True)
class Accepted:
    """The instance has the run."""


@dataclass(frozen=True)
class Refused:
    """The instance provably does not have the run; `busy` when it may take it later."""

    error: ErrorDetail
    busy: bool


@dataclass(frozen=True)
class Unknown:
    """Nobody can say whether the instance has the run: it has to be asked. `said` is what it answered, if it did."""

    reason: str
    said: bytes = b""


Outcome = Accepted | Refused | Unknown


class Delivery(NamedTuple):
    """Some events of an instance, those that were none, and the cursor after them."""

    events: list[WireEvent]
    bad: list[ProtocolError]
    cursor: str | None


class Relay:
    """One instance's connections, for `async with`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = http_client(address)
        self._calls = KeptConnections(address)

    async def __aenter__(self) -> Relay:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._calls.close()
        await self._client.aclose()

    async def hand_over_batch(self, requests: list[bytes], tokens: list[str]) -> list[Outcome]:
        """Send RunRequests in one call (`POST /v1/runs:batch`), known there by these tokens; one outcome each."""
        body = b'{"runs":[' + b",".join(requests) + b"]}"
        answer = await self._post("/v1/runs:batch", body)
        if not isinstance(answer, bytes):
            return [answer] * len(requests)
        try:
            results = decode_lenient(answer, RunBatchResponse).results
        except msgspec.DecodeError as exc:
            return [Unknown(f"the answer to a batch makes no sense: {exc}", answer)] * len(requests)
        if len(results) != len(requests):
            return [Unknown(f"{len(results)} answers to {len(requests)} runs", answer)] * len(requests)
        return [
            _refused(item.error) if item.error is not UNSET else _accepted(item.status, token, answer)
            for item, token in zip(results, tokens, strict=True)
        ]

    async def hand_over(self, request: bytes, token: str) -> Outcome:
        """Send one RunRequest (`POST /v1/runs`), known there by this token."""
        answer = await self._post("/v1/runs", request)
        if not isinstance(answer, bytes):
            return answer
        try:
            return _accepted(decode_lenient(answer, RunStatus), token, answer)
        except msgspec.DecodeError as exc:
            return Unknown(f"the answer makes no sense: {exc}", answer)

    async def follow(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Yield the events of all runs as they come, some at a time, with the cursor after them.

        Raises:
            StreamExpiredError, NoStreamError, RelayError: the stream cannot be had, or broke.
            ProtocolError: what came is no event stream.
        """
        async for heard in self._stream("/v1/events", cursor):
            yield Delivery(*_decode(heard.data), _cursor(heard.last_id))

    async def follow_run(self, token: str, seq: int) -> AsyncIterator[list[WireEvent]]:
        """Yield the events of one run from `seq` on; see `follow` for the errors, any bad event among them."""
        async for heard in self._stream(f"/v1/runs/{check_id(token, 'run_id')}/events", str(seq - 1) if seq else None):
            yield [decode_event(line) for line in heard.data]

    async def read_trace(self, token: str, max_bytes: int) -> bytes:
        """Return what the instance answers for a run's trace (`GET /v1/runs/{run_id}/trace`).

        Raises:
            RelayError: it cannot be had, or is longer than `max_bytes`.
        """
        path, body = f"/v1/runs/{check_id(token, 'run_id')}/trace", b""
        with _translated():
            async with self._client.stream("GET", path, headers={"Accept": "application/json"}) as response:
                if not response.is_success:
                    raise RelayError(f"status {response.status_code}")
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > max_bytes:
                        raise RelayError(f"more than {max_bytes} bytes")
        return body

    async def _stream(self, path: str, last_id: str | None) -> AsyncIterator[Heard]:
        reader = FrameReader(MAX_ANSWER_BYTES)
        with _translated():
            async with open_stream(self._address, path, last_id) as stream:
                _check_stream(path, stream)
                async for piece in stream.pieces():
                    if (heard := reader.feed(piece)) is not None:
                        yield heard

    async def _post(self, path: str, body: bytes) -> bytes | Refused | Unknown:
        """Return what a 2xx answer says, or what to make of anything else."""
        try:
            status, said = await self._calls.post(path, body)
        except NotConnectedError as exc:
            return Refused(ErrorDetail(code="instance_unreachable", message=str(exc)), busy=True)
        except NoAnswerError as exc:
            return Unknown(str(exc))
        if status // 100 == _SUCCESS:
            return said
        if status in _BUSY or status // 100 == _CLIENT_ERROR:
            return _refused(_error_of(status, said), busy=status in _BUSY)
        return Unknown(f"status {status}", said)


def _decode(lines: list[bytes]) -> tuple[list[WireEvent], list[ProtocolError]]:
    """Many together; where one of them is bad, those one by one."""
    events: list[WireEvent] = []
    bad: list[ProtocolError] = []
    for at in range(0, len(lines), _AT_ONCE):
        some = lines[at : at + _AT_ONCE]
        try:
            events += decode_events(some)
        except ProtocolError:
            for line in some:
                try:
                    events.append(decode_event(line))
                except ProtocolError as exc:
                    bad.append(exc)
    return events, bad


def _cursor(id_: bytes) -> str | None:
    """A cursor that can be sent back as a header."""
    if len(id_) > _MAX_CURSOR or not id_.isascii() or any(byte < 0x21 or byte == 0x7F for byte in id_):
        raise ProtocolError("an event id is no cursor")
    return id_.decode() or None


def _accepted(status: RunStatus | UnsetType, token: str, said: bytes) -> Outcome:
    named = None if status is UNSET else status.run_id
    return Accepted() if named == token else Unknown("the answer is of another run", said)


def _refused(error: ErrorDetail, *, busy: bool | None = None) -> Refused:
    retryable = error.retryable is True if busy is None else busy
    return Refused(_shown(error), busy=retryable)


def _shown(error: ErrorDetail) -> ErrorDetail:
    """A runtime's error as a run may end with it: of bounded size, and no cancel that nobody asked for."""
    code = error.code if _CODE.fullmatch(error.code) and error.code != CANCELED else "runtime_error"
    kept = ErrorDetail(code=code, message=error.message[:_MAX_MESSAGE], retryable=error.retryable)
    if error.details is not UNSET:
        details = msgspec.json.encode(error.details)
        if len(details) <= _MAX_DETAILS_BYTES and not nests_too_deep(details):
            kept.details = error.details
    return kept


def _error_of(status: int, said: bytes) -> ErrorDetail:
    try:
        return decode_lenient(said, ErrorEnvelope).error
    except msgspec.DecodeError:
        return ErrorDetail(code="runtime_error", message=f"The runtime answered with status {status}.")


def _check_stream(path: str, stream: EventConnection) -> None:
    if stream.status == 410:
        raise StreamExpiredError(f"{path} no longer has what follows the cursor")
    gone = stream.status in {404, 405, 501} or stream.status // 100 == _REDIRECT
    if gone or (stream.status // 100 == _SUCCESS and stream.media_type != "text/event-stream"):
        raise NoStreamError(f"{path} is no event stream")
    if stream.status // 100 != _SUCCESS:
        raise RelayError(f"{path} answered {stream.status}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (NotReachedError, httpx.ConnectError, httpx.TimeoutException) as exc:
        raise UnreachableError(repr(exc)) from exc
    except (BrokenStreamError, httpx.HTTPError) as exc:
        raise RelayError(repr(exc)) from exc
    except FrameTooLongError as exc:
        raise ProtocolError(str(exc)) from exc
