"""A run on a terminal: what happens goes to stderr as it comes, and the answer to stdout."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from rich.console import Console
from rich.text import Text

from arp_model import UNSET, RunEventType, RunState, TraceLevel

if TYPE_CHECKING:
    from arp_model import RunEvent, RunResult

# Controls, and the marks that make a terminal show text in another order than it has.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STYLES = {RunState.SUCCEEDED: "bold green", RunState.FAILED: "bold red", RunState.CANCELED: "bold yellow"}
_LABEL_WIDTH = 13
_MAX_LINE = 500


class View(Protocol):
    """Shows one run. Is its `Trace` too."""

    def show(self, event: RunEvent) -> None:
        """Show an event; called for each, in order."""

    def tell_canceling(self) -> None:
        """Say that the run is being canceled, and how not to wait for it."""

    def end(self, state: RunState, result: RunResult) -> None:
        """Show how it ended; called after the last event."""

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""


class TerminalView:
    """For people. Tokens follow each other on one line."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._in_tokens = False

    def show(self, event: RunEvent) -> None:
        """See `View`. The last event is the result's business."""
        data = event.data or {}
        match event.type_:
            case RunEventType.TOKEN:
                self._show_token(str(data.get("text", "")))
            case RunEventType.STEP:
                name = data.pop("name", "")
                self._line("step", "cyan", f"{name}  {_fields(data)}".rstrip())
            case RunEventType.TOOL_CALL:
                self._line("tool call", "yellow", f"{data.get('tool_id')}({_fields(data.get('args') or {})})")
            case RunEventType.TOOL_RESULT:
                said = data.get("error") if data.get("ok") is False else data.get("result")
                self._line("tool result", "green", f"{data.get('tool_id')} -> {_json(said)}")

    def tell_canceling(self) -> None:
        """See `View`."""
        self._line("canceling", "yellow", "Ctrl-C again does not wait for the agent")

    def end(self, state: RunState, result: RunResult) -> None:
        """See `View`. The answer of one that failed is only part of one."""
        self._end_tokens()
        self._err.print(Text(state.value, _STYLES[state]))
        if result.error is not UNSET:
            self._err.print(Text(f"  {result.error.code}: {_clean(result.error.message)}"))
        for ref in result.artifacts or ():
            self._err.print(Text(f"  artifact {ref.id}: {ref.uri or ''}"))
        self._err.print(Text(f"  {_fields(result.usage or {})}", "dim"))
        if result.ok and result.output is not UNSET:
            self._out.print(Text(_answer(result.output)))

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `View`. What an agent meant to say is in the result; a traceback only of its mistakes."""
        if level is TraceLevel.DEBUG:
            return
        for line in str(data.get("traceback") or data.get("text") or _fields(data)).splitlines():
            self._line("traceback" if "traceback" in data else type_, "dim", line)

    def _show_token(self, text: str) -> None:
        if not self._in_tokens:
            self._err.print(Text(f"{'token':<{_LABEL_WIDTH}}", "magenta"), end="")
        self._in_tokens = True
        self._err.print(Text(_clean(text).replace("\n", "\n" + " " * _LABEL_WIDTH)), end="")

    def _end_tokens(self) -> None:
        if self._in_tokens:
            self._err.print()
        self._in_tokens = False

    def _line(self, label: str, style: str, text: str) -> None:
        self._end_tokens()
        cut = text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}..."
        self._err.print(Text.assemble((f"{label:<{_LABEL_WIDTH}}", style), _clean(cut)))


class JsonView:
    """For programs: events as lines of JSON on stderr, the result as one on stdout."""

    def show(self, event: RunEvent) -> None:
        """See `View`."""
        sys.stderr.write(event.to_json().decode() + "\n")

    def tell_canceling(self) -> None:
        """See `View`. The last event says it."""

    def end(self, state: RunState, result: RunResult) -> None:
        """See `View`."""
        sys.stdout.write(result.to_json().decode() + "\n")

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `View`. Events alone are told."""


def _answer(output: dict[str, Any]) -> str:
    """The answer where there is one in words, else all of the output as JSON."""
    match output:
        case {"answer": str(answer)}:
            return _clean(answer)
    return msgspec.json.format(msgspec.json.encode(output), indent=2).decode()


def _fields(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={_json(value)}" for name, value in values.items())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _clean(text: str) -> str:
    """Text, and nothing that a terminal would obey."""
    return _OBEYED.sub("", text)
