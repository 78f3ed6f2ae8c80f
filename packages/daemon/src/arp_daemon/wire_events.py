"""Run events as they pass through. Pure.

What an instance says is checked here, once, so that everything that is stored can also be shown.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from arp_model import ErrorDetail, Extensions, RunEventType, RunResult, RunState
from arp_service.body import nests_too_deep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_daemon.redaction import Redactor
    from arp_service.errors import ServiceError

LAST_TYPES = frozenset({RunEventType.FINAL, RunEventType.ERROR})
CANCELED = "canceled"

_AwareTime = Annotated[datetime, Meta(tz=True)]


class WireEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A RunEvent, strictly; a plain Struct, because it is made tens of thousands of times a second."""

    run_id: str
    seq: Annotated[int, Meta(ge=0)]
    type: RunEventType
    time: _AwareTime
    data: dict[str, Any] | UnsetType = UNSET
    extensions: Extensions | UnsetType = UNSET


_TOKEN = re.compile(rb'"run_id"\s*:\s*"([A-Za-z0-9._-]{1,128})"')
_TOKEN_WITHIN = 4096
_decoder = msgspec.json.Decoder(WireEvent)
_encoder = msgspec.json.Encoder()


class ProtocolError(ValueError):
    """What an instance said breaks the protocol. `token` names the run, where that much could be read."""

    def __init__(self, reason: str, token: str | None = None, said: bytes = b"") -> None:
        super().__init__(reason)
        self.token = token
        self.said = said


def decode_event(line: bytes) -> WireEvent:
    """Decode one RunEvent.

    Raises:
        ProtocolError: it is none, or nests deeper than can be shown again.
    """
    try:
        event = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise ProtocolError(f"an event is no RunEvent: {exc}", _find_token(line), line) from exc
    if nests_too_deep(line):
        raise ProtocolError("an event nests too deep", event.run_id, line)
    return event


def decode_events(lines: Sequence[bytes]) -> list[WireEvent]:
    """Decode many RunEvents at once, in half the time that they take one by one.

    Raises:
        ProtocolError: one of them is none, or nests too deep. Which one is found out one by one.
    """
    try:
        events = _decoder.decode_lines(b"\n".join(lines))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise ProtocolError(f"an event is no RunEvent: {exc}") from exc
    if len(events) != len(lines) or any(map(nests_too_deep, lines)):
        raise ProtocolError("not every line is one RunEvent, or one nests too deep")
    return events


def _find_token(line: bytes) -> str | None:
    """Broken JSON names its run as well, most of the time."""
    found = _TOKEN.search(line, 0, _TOKEN_WITHIN)
    return None if found is None else found[1].decode()


def encode_event(event: WireEvent, run_id: str, seq: int) -> bytes:
    """Encode an event under the daemon's own run id and seq."""
    return _encoder.encode(WireEvent(run_id, seq, event.type, event.time, event.data, event.extensions))


def encode_events(events: Sequence[WireEvent], run_id: str, seq: int) -> bytes:
    """Encode consecutive events of one run, one a line, under the daemon's own run id; seqs count from `seq`."""
    if (events[0].run_id, events[0].seq) != (run_id, seq):
        events = [WireEvent(run_id, n, e.type, e.time, e.data, e.extensions) for n, e in enumerate(events, seq)]
    return _encoder.encode_lines(events)[:-1]


def hide_in_event(event: WireEvent, redactor: Redactor) -> WireEvent:
    """The event without what must not be seen."""
    data, extensions = redactor.value(event.data), redactor.value(event.extensions)
    if data is event.data and extensions is event.extensions:
        return event
    return msgspec.structs.replace(event, data=data, extensions=extensions)


def hide_in_result(result: RunResult, redactor: Redactor) -> RunResult:
    """The result without what must not be seen."""
    return RunResult.from_dict(redactor.value(result.to_dict()))


def new_event(run_id: str, seq: int, type_: RunEventType, time: datetime, data: dict[str, Any]) -> bytes:
    """Encode an event that the daemon itself writes."""
    return _encoder.encode(WireEvent(run_id, seq, type_, time, data))


def read_result(event: WireEvent, run_id: str) -> RunResult:
    """The RunResult that a last event brings; its `data` is the result without `run_id`.

    Raises:
        ProtocolError: the data is no RunResult, or its `ok` does not fit the event's type.
    """
    data = {} if event.data is UNSET else event.data
    try:
        result = RunResult.from_dict({**data, "run_id": run_id})
    except (msgspec.ValidationError, TypeError) as exc:
        raise ProtocolError(f"the data of the {event.type.value} event is no RunResult: {exc}") from exc
    if result.ok is not (event.type is RunEventType.FINAL):
        raise ProtocolError(f"ok is {result.ok} in the data of the {event.type.value} event")
    return result


def state_of(result: RunResult) -> RunState:
    """The state that a run with this result ends in."""
    if result.ok:
        return RunState.SUCCEEDED
    canceled = result.error is not UNSET and result.error.code == CANCELED
    return RunState.CANCELED if canceled else RunState.FAILED


def error_result(run_id: str, error: ServiceError | ErrorDetail) -> RunResult:
    """The result of a run that the daemon itself ends."""
    if not isinstance(error, ErrorDetail):
        from_service = {"code": error.code, "message": error.message}
        details: dict[str, Any] = {} if error.details is None else {"details": error.details}
        retryable = {} if error.retryable is None else {"retryable": error.retryable}
        error = ErrorDetail.from_dict({**from_service, **details, **retryable})
    return RunResult(run_id=run_id, ok=False, error=error)


def last_type(result: RunResult) -> RunEventType:
    """The type of the last event that goes with a result."""
    return RunEventType.FINAL if result.ok else RunEventType.ERROR


def last_event(result: RunResult, seq: int, time: datetime) -> bytes:
    """The last event that goes with a result."""
    data = result.to_dict()
    del data["run_id"]
    return new_event(result.run_id, seq, last_type(result), time, data)
