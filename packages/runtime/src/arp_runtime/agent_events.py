"""What agents say in data instead of calls: the items of a generator, the lines of a command. Pure.

An event is `{"type": ..., "data": {...}}`, as in the standard's RunEvent, without what the runtime adds:

| type | data | what it does |
|---|---|---|
| `token` | `text` | a piece of the answer |
| `step` | `name`, and more | a step begins |
| `tool_call`, `tool_result` | whatever is to be told | a tool of the agent's own was asked, and answered |
| `final` | `output`, `usage`, `artifacts`, each if there is one | the run has succeeded |
| `error` | `error`: `code`, `message`, `details`, `retryable` | the run has failed |

Text alone is a token. Without a `final`, the joined tokens are the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from arp_model import UNSET, ErrorDetail, ResourceRef, RunEventType
from arp_runtime.errors import AgentError, InvalidEventError

T = TypeVar("T")
_TYPES = {type_.value: type_ for type_ in RunEventType}
_HOW = 'write {"type": "token", "data": {"text": "..."}}, or another of: ' + ", ".join(_TYPES)


class AgentEvent(NamedTuple):
    """One event, as an agent tells it."""

    type: RunEventType
    data: dict[str, Any]


class Final(msgspec.Struct, forbid_unknown_fields=True):
    """The data of a `final` event. `ok`, as in a RunResult, may be there and must be true.

    An agent may return one too, to have `artifacts` beside its output.
    """

    output: dict[str, Any] | str | None = None
    usage: dict[str, Any] = {}
    artifacts: list[ResourceRef] = []
    ok: bool = True

    def __post_init__(self) -> None:
        if not self.ok:
            raise ValueError("ok: a final event says that the run succeeded; for a failure, write an error event")


class _Failure(msgspec.Struct):
    error: ErrorDetail


class Telling:
    """Follows what one agent tells, item by item, to its last event."""

    def __init__(self) -> None:
        self._final: Final | None = None
        self._texts: list[str] = []

    def take(self, item: object) -> AgentEvent | None:
        """Return the event that is to be told now; None for the `final` one, which the runtime tells.

        Raises:
            InvalidEventError: it is none, or comes after the last one.
            AgentError: it is an `error` event; this is the error.
        """
        if self._final is not None:
            raise InvalidEventError("Nothing may follow the final event.")
        event = read_event(item)
        if event.type is RunEventType.ERROR:
            raise read_error(event.data)
        if event.type is RunEventType.FINAL:
            self._final = read_final(event.data)
            return None
        if event.type is RunEventType.TOKEN:
            self._texts.append(event.data.get("text", ""))
        return event

    def outcome(self) -> Final:
        """How the run ends when the agent has no more to tell."""
        final = self._final or Final()
        if final.output is None and self._texts:
            return msgspec.structs.replace(final, output="".join(self._texts))
        return final


def read_event(item: object) -> AgentEvent:
    """Return the event that an agent has told.

    Raises:
        InvalidEventError: it is none; the message says what to write.
    """
    if isinstance(item, str):
        return AgentEvent(RunEventType.TOKEN, {"text": item})
    if not isinstance(item, Mapping):
        raise InvalidEventError(f"{type(item).__name__} is no event: {_HOW}.")
    type_, data = item.get("type"), item.get("data", {})
    if not isinstance(data, dict):
        raise InvalidEventError(f"An event's data is an object, not {type(data).__name__}.")
    if more := [str(key) for key in item if key not in {"type", "data"}]:
        raise InvalidEventError(f"An event has `type` and `data`, and no `{more[0]}`.")
    return AgentEvent(event_type(type_), data)


def event_type(name: object) -> RunEventType:
    """Return the type with this name.

    Raises:
        InvalidEventError: there is none; the message lists them.
    """
    found = _TYPES.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidEventError(f"{name!r} is no type of event: {_HOW}.")
    return found


def read_final(data: dict[str, Any]) -> Final:
    """Return what a `final` event says.

    Raises:
        InvalidEventError: its data makes no sense; the message names the place.
    """
    return _convert(data, Final)


def read_error(data: dict[str, Any]) -> AgentError:
    """Return what an `error` event says, to be raised.

    Raises:
        InvalidEventError: its data makes no sense; the message names the place.
    """
    error = _convert(data, _Failure).error
    details = None if error.details is UNSET else error.details
    retryable = None if error.retryable is UNSET else error.retryable
    return AgentError(error.code, error.message, details=details, retryable=retryable)


def _convert(data: dict[str, Any], type_: type[T]) -> T:
    try:
        return msgspec.convert(data, type_)
    except msgspec.ValidationError as exc:
        raise InvalidEventError(f"The run's last event makes no sense: {exc}.") from exc
