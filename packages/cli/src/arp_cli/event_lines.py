"""Run events as lines for people. Pure; whatever a runtime puts into `data`, something readable comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from arp_cli.terminal_text import clean, compact, json_text, one_line
from arp_sdk.models import UNSET, RunEventType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_sdk.models import RunEvent

_STYLES = {
    RunEventType.STEP: "cyan",
    RunEventType.TOOL_CALL: "yellow",
    RunEventType.TOOL_RESULT: "green",
    RunEventType.TOKEN: "magenta",
    RunEventType.FINAL: "green",
    RunEventType.ERROR: "red",
}
LABEL_WIDTH = 15
LAST_TYPES = frozenset({RunEventType.FINAL, RunEventType.ERROR})


def event_line(event: RunEvent) -> Text:
    """An event on one line: its type, and what happened."""
    return Text.assemble(label(event.type_), describe(event))


def label(type_: RunEventType) -> Text:
    """The column that names the type."""
    return Text(f"  {type_.value:<{LABEL_WIDTH - 2}}", _STYLES[type_])


def describe(event: RunEvent) -> str:
    """What happened, on one line."""
    data = _data(event)
    match event.type_, data:
        case RunEventType.TOKEN, {"text": str(text)}:
            return one_line(text)
        case RunEventType.STEP, {"name": str(name), **rest}:
            return one_line(f"{name}  {fields(rest)}".rstrip())
        case RunEventType.TOOL_CALL, {"tool_id": str(tool_id), "args": dict(args)}:
            return one_line(f"{tool_id}({fields(args, ', ')})")
        case RunEventType.TOOL_RESULT, {"tool_id": str(tool_id), "ok": False, **rest}:
            return one_line(f"{tool_id} failed: {_reason(rest.get('error'))}")
        case RunEventType.TOOL_RESULT, {"tool_id": str(tool_id), "result": result}:
            return one_line(f"{tool_id} → {_value(result)}")
        case ((RunEventType.FINAL | RunEventType.ERROR), {"error": dict(error)}):
            return one_line(_reason(error))
        case RunEventType.FINAL, {"output": output}:
            return one_line(answer_text(output))
    return compact(data)


def token_text(event: RunEvent) -> str:
    """The piece of output that a `token` event brings, line ends and all."""
    text = _data(event).get("text")
    return clean(text) if isinstance(text, str) else compact(_data(event))


def answer_text(output: Any, *, indent: int = 0) -> str:
    """What an agent answers: its `answer` where it has one in words, else all of its output as JSON."""
    match output:
        case {"answer": str(answer)}:
            return clean(answer)
    return json_text(output, indent=indent)


def fields(values: Mapping[str, Any], separator: str = " ") -> str:
    """Facts as `name=value`, each value as JSON where it is not a plain word."""
    return separator.join(f"{clean(name)}={_word(value)}" for name, value in values.items())


def _data(event: RunEvent) -> dict[str, Any]:
    return {} if event.data is UNSET else event.data


def _reason(error: Any) -> str:
    match error:
        case {"code": str(code), "message": str(message)}:
            return f"{code}: {message}"
    return compact(error)


def _value(result: Any) -> str:
    """A tool's result; many say it in words."""
    match result:
        case {"text": str(text)}:
            return text
        case str(text):
            return text
    return compact(result)


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value.isidentifier() else compact(value)
