"""What a plain function is given: the same context, whose methods wait instead of being awaited.

Such an agent runs beside the event loop, in a thread or in a process of its own; its context reaches the runtime
through an `AgentPort`. Once the run is being ended from outside, every call raises the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from arp_model import RunEventType
from arp_runtime.agents.run_input import RunInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from arp_model import ResourceRef, RunRequest, ToolDefinition


class AgentPort(Protocol):
    """The way from a plain function to its runtime. Each method blocks, and does what `AgentContext`'s does."""

    usage: dict[str, Any]

    @property
    def deadline(self) -> datetime | None:
        """See `AgentContext.deadline`."""

    @property
    def canceled(self) -> bool:
        """See `AgentContext.canceled`."""

    def emit(self, type_: RunEventType | str, data: Mapping[str, Any] | None) -> None:
        """See `AgentContext.emit`."""

    def artifact(self, name: str, content: str | bytes | None, uri: str | None) -> ResourceRef:
        """See `AgentContext.artifact`."""

    def list_tools(self) -> Sequence[ToolDefinition]:
        """See `ToolBox.list`."""

    def call_tool(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """See `ToolBox.call`."""


class SyncToolBox:
    """The tools of one run, for a plain function."""

    def __init__(self, port: AgentPort) -> None:
        self._port = port

    def list(self) -> Sequence[ToolDefinition]:
        """The tools that this run may use."""
        return self._port.list_tools()

    def call(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """Call a tool and return its result; raises what `ToolBox.call` raises."""
        return self._port.call_tool(tool_id, args)


class SyncAgentContext(RunInput):
    """One run, as a plain function sees it; see `AgentContext`, of which it has everything.

    A function that works for long without a call looks at `canceled` now and then, and returns when it is true.
    """

    def __init__(self, request: RunRequest, run_id: str, port: AgentPort) -> None:
        super().__init__(request, run_id)
        self.tools = SyncToolBox(port)
        self.usage = port.usage
        self._port = port

    @property
    def deadline(self) -> datetime | None:
        """When the run's `timeout_ms` is over, in UTC; None where it has no such limit."""
        return self._port.deadline

    @property
    def canceled(self) -> bool:
        """Whether the run is being ended from outside: canceled, over a limit, or the runtime stops."""
        return self._port.canceled

    def emit(self, type_: RunEventType | str, data: Mapping[str, Any] | None = None) -> None:
        """Tell an event: `token` (with `text`), `step` (with `name`), `tool_call` or `tool_result`.

        Raises:
            InvalidEventError: that is no event, or not the agent's to tell.
            RunHaltedError: the run is over: a limit was reached, or it was canceled.
        """
        self._port.emit(type_, data)

    def emit_token(self, text: str) -> None:
        """Tell a piece of the answer as soon as it is known: a `token` event. Counts as one token."""
        self.emit(RunEventType.TOKEN, {"text": text})

    def step(self, name: str, **data: Any) -> None:
        """Tell that a step begins: a `step` event with `name` and `data`. Counts as one step."""
        self.emit(RunEventType.STEP, {"name": name, **data})

    def artifact(self, name: str, content: str | bytes | None = None, *, uri: str | None = None) -> ResourceRef:
        """Add something to the result's `artifacts`: a file with this content, or what is already at `uri`.

        Raises:
            InvalidArtifactError: it has no name for a file, or cannot be written.
        """
        return self._port.artifact(name, content, uri)
