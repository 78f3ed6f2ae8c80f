"""`python -m arp_runtime.agents.isolated NAME`: one run of the plain function NAME, as a command agent.

Started by the runtime (`arp_runtime.agents.isolation`) with what every command agent gets. What the function prints
goes to stderr, and so into the run's trace.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import ResourceRef, RunEventType, RunRequest, ToolDefinition
from arp_runtime.agents.artifacts import ArtifactFolder, make_artifact
from arp_runtime.agents.events import AgentEvent, Ending, check_told, event_type
from arp_runtime.agents.kinds import find_function
from arp_runtime.agents.loading import load_target
from arp_runtime.agents.returned import as_agent_error, encode_output, error_detail
from arp_runtime.agents.sync_context import SyncAgentContext
from arp_runtime.agents.threads import call_plain
from arp_runtime.agents.variables import ARTIFACTS_VARIABLE, TOOLS_VARIABLE
from arp_runtime.errors import InvalidEventError, RunCanceledError, ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from io import BufferedWriter


class _Extensions(msgspec.Struct):
    """What the runtime adds to the request."""

    tools: list[ToolDefinition] = msgspec.field(name="arp.tools")
    deadline: datetime | None = msgspec.field(name="arp.deadline", default=None)


class PipePort:
    """An `AgentPort` from a process that the runtime started. Events go out at once, and nothing waits for them."""

    def __init__(self, run_id: str, extensions: _Extensions, events: BufferedWriter, tools: socket.socket) -> None:
        self.usage: dict[str, Any] = {}
        self.artifacts: dict[str, ResourceRef] = {}
        self.canceled = False
        """Set when SIGTERM has come; SIGKILL follows."""
        self.deadline = extensions.deadline
        self._run_id = run_id
        self._tools = extensions.tools
        self._events = events
        self._calls = tools.makefile("rwb")

    def emit(self, type_: RunEventType | str, data: Mapping[str, Any] | None) -> None:
        """See `AgentPort`."""
        self._check()
        event = AgentEvent(event_type(type_), dict(data or {}))
        check_told(event)
        self.write(event.type, event.data)

    def artifact(self, name: str, content: str | bytes | None, uri: str | None) -> ResourceRef:
        """See `AgentPort`."""
        self._check()
        folder = ArtifactFolder(Path(os.environ[ARTIFACTS_VARIABLE]))
        self.artifacts[name] = ref = make_artifact(folder, self._run_id, name, content, uri)
        return ref

    def list_tools(self) -> Sequence[ToolDefinition]:
        """See `AgentPort`."""
        return self._tools

    def call_tool(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """See `AgentPort`; every failure of a tool is a plain ToolError, with its code."""
        self._check()
        self._calls.write(msgspec.json.encode({"tool_id": tool_id, "args": args}) + b"\n")
        self._calls.flush()
        line = self._calls.readline()
        if not line:
            raise RunCanceledError
        answer = msgspec.json.decode(line)
        if answer["ok"]:
            return answer["result"]
        raise ToolError(answer["error"]["message"], code=answer["error"]["code"])

    def write(self, type_: RunEventType, data: dict[str, Any]) -> None:
        """Tell an event, whichever.

        Raises:
            InvalidEventError: its data is no JSON.
        """
        try:
            line = msgspec.json.encode({"type": type_, "data": data})
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidEventError(f"The data of a {type_.value} event is no JSON: {exc}.") from exc
        self._events.write(line + b"\n")
        self._events.flush()

    def _check(self) -> None:
        if self.canceled:
            raise RunCanceledError


def main() -> None:
    """Call the function, and tell what comes of it."""
    request = RunRequest.from_json(sys.stdin.buffer.read())
    extensions = msgspec.convert(request.extensions, _Extensions)
    run_id = str(request.run_id)
    with _take_stdout() as events, socket.socket(fileno=int(os.environ[TOOLS_VARIABLE])) as tools:
        port = PipePort(run_id, extensions, events, tools)
        signal.signal(signal.SIGTERM, lambda *_: setattr(port, "canceled", True))
        try:
            function = find_function(load_target(sys.argv[1]))
            _tell_result(port, call_plain(function, SyncAgentContext(request, run_id, port)))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - an agent may raise anything
            traceback.print_exc()
            _tell_error(port, exc)


def _take_stdout() -> BufferedWriter:
    """Keep stdout for events alone; what the function prints goes to stderr."""
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return events


def _tell_result(port: PipePort, value: Any) -> None:
    ending = value if isinstance(value, Ending) else Ending(output=value)
    output, _ = encode_output(ending.output)
    data: dict[str, Any] = {} if output is None else {"output": output}
    data["usage"] = {**port.usage, **ending.usage}
    data["artifacts"] = [*port.artifacts.values(), *ending.artifacts]
    if ending.error is not None:
        data["error"] = ending.error
    port.write(RunEventType.FINAL if ending.error is None else RunEventType.ERROR, data)


def _tell_error(port: PipePort, exc: BaseException) -> None:
    data = {"error": error_detail(as_agent_error(exc)), "artifacts": [*port.artifacts.values()], "usage": port.usage}
    port.write(RunEventType.ERROR, data)


if __name__ == "__main__":
    main()
