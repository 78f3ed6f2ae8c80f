"""What agents say in data instead of calls: the items of a generator, the lines of a command. Pure.

An event is `{"type": ..., "data": {...}}`, as in the standard's RunEvent, without what the runtime adds:

| type | data | what it does |
|---|---|---|
| `token` | `text` | a piece of the answer |
| `step` | `name`, and more | a step begins |
| `tool_call`, `tool_result` | whatever is to be told | a tool of the agent's own was asked, and answered |
| `final` | `output`, `usage`, `artifacts`, each if there is one | the run has succeeded |
| `error` | `error`: `code`, `message` and what else an ErrorDetail has; `usage`, `artifacts` | the run has failed |

Text alone is a token. Without a `final`, the joined tokens are the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from arp_model import UNSET, ErrorDetail, ResourceRef, RunEventType
from arp_runtime.errors import AgentError, InvalidEventError

_LAST = (RunEventType.FINAL, RunEventType.ERROR)
_TEXT_FIELD = {RunEventType.TOKEN: "text", RunEventType.STEP: "name"}
_TYPES = {type_.value: type_ for type_ in RunEventType}
_HOW = 'write {"type": "token", "data": {"text": "..."}}, or another of: ' + ", ".join(_TYPES)


class AgentEvent(NamedTuple):
    """One event, as an agent tells it."""

    type: RunEventType
    data: dict[str, Any]


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """The data of the last event, as in a RunResult. `ok` need not be there.

    An agent may return one too, to have `artifacts` beside its output.
    """

    output: dict[str, Any] | str | None = None
    usage: dict[str, Any] = {}
    artifacts: list[ResourceRef] = []
    error: ErrorDetail | None = None
    ok: bool | None = None

    def agent_error(self) -> AgentError | None:
        """The error that it tells of, to be raised."""
        if self.error is None:
            return None
        details = None if self.error.details is UNSET else self.error.details
        retryable = None if self.error.retryable is UNSET else self.error.retryable
        return AgentError(self.error.code, self.error.message, details=details, retryable=retryable)


class Telling:
    """Follows what one agent tells, item by item, to its last event."""

    def __init__(self) -> None:
        self._ending: Ending | None = None
        self._texts: list[str] = []

    def take(self, item: object) -> AgentEvent | None:
        """Return the event that is to be told now; None for the last one, which the runtime tells.

        Raises:
            InvalidEventError: it is none, or comes after the last one.
        """
        event = read_event(item)
        if self._ending is not None:
            raise InvalidEventError(f"Nothing may follow the last event, and a {event.type.value} event does.")
        if event.type in _LAST:
            self._ending = read_ending(event)
            return None
        check_told(event)
        if event.type is RunEventType.TOKEN:
            self._texts.append(event.data["text"])
        return event

    def ending(self) -> Ending:
        """How the run ends when the agent has no more to tell."""
        ending = self._ending or Ending()
        if ending.output is None and ending.error is None and self._texts:
            return msgspec.structs.replace(ending, output="".join(self._texts))
        return ending


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


def check_told(event: AgentEvent) -> None:
    """Refuse an event that an agent cannot tell in the middle of its run.

    Raises:
        InvalidEventError: it is the last one, or lacks its text.
    """
    if event.type in _LAST:
        raise InvalidEventError(f"A {event.type.value} event is told by the runtime: return the output, or raise.")
    field = _TEXT_FIELD.get(event.type)
    if field is not None and not isinstance(event.data.get(field), str):
        raise InvalidEventError(f"A {event.type.value} event's data has `{field}`, which is text.")


def read_ending(event: AgentEvent) -> Ending:
    """Return what a `final` or `error` event says.

    Raises:
        InvalidEventError: its data makes no sense; the message names the place.
    """
    try:
        ending = msgspec.convert(event.data, Ending)
    except msgspec.ValidationError as exc:
        raise InvalidEventError(f"A {event.type.value} event's data makes no sense: {exc}.") from exc
    failed = event.type is RunEventType.ERROR
    if failed != (ending.error is not None):
        raise InvalidEventError(
            "An error event's data has `error`, with `code` and `message`; a final event's has not."
        )
    if ending.ok is failed:
        raise InvalidEventError(f"A {event.type.value} event's `ok` is {str(not failed).lower()}, or left out.")
    return ending
