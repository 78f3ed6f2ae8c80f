"""What an agent is, and what it is given.

An agent is, whichever suits it:

- an async function of one argument, an `AgentContext`;
- an async generator function of the same argument: text that it yields is a `token` event, and a dict
  `{"type": ..., "data": {...}}` the event that it describes (`arp_runtime.agents.events`);
- a plain function, or generator function, of a `SyncAgentContext`: it runs in a thread, and may block;
- a class with a method `run` that is one of these. It is made once, and its `run` called for each run.

What a function returns becomes the run's output: a dict as it is, text as `{"answer": text}`, None as no output. A
generator that yields no `final` event and returns nothing has its joined text as the answer. An exception ends the
run as failed: an `AgentError` with its code and message, any other with code `agent_error`. Cancellation must be let
through.

    async def agent(context: AgentContext) -> dict[str, Any]:
        found = await context.tools.call("calculator", {"expression": context.goal})
        return {"answer": found["text"]}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import anyio.to_thread

from arp_model import RunEventType
from arp_runtime.agents.artifacts import make_artifact
from arp_runtime.agents.events import AgentEvent, check_told, event_type
from arp_runtime.agents.run_input import RunInput
from arp_runtime.errors import InvalidEventError

if TYPE_CHECKING:
    from datetime import datetime

    from arp_model import ResourceRef, RunRequest
    from arp_runtime.agents.artifacts import ArtifactFolder
    from arp_runtime.budget import Budget
    from arp_runtime.halt import Halt
    from arp_runtime.records.trace import Trace
    from arp_runtime.tools.box import ToolBox

# An agent that only emits lets others run after so many events.
_EVENTS_A_TURN = 64


class AgentContext(RunInput):
    """One run, as its agent sees it. Made by the runtime for each run, and of no use after its end.

    Tokens, steps and tool calls count against the run's limits: at one too many the run ends as failed,
    `LimitExceededError` is raised, and catching that does not help.
    """

    def __init__(
        self,
        request: RunRequest,
        run_id: str,
        tools: ToolBox,
        budget: Budget,
        halt: Halt,
        artifacts: ArtifactFolder,
        trace: Trace,
        record: Callable[[RunEventType, dict[str, Any]], None],
    ) -> None:
        super().__init__(request, run_id)
        self.request = request
        """The RunRequest itself."""
        self.tools = tools
        """The tools that the run's policy permits."""
        self.usage: dict[str, Any] = {}
        """What the run consumes by the agent's own count, such as `prompt_tokens`: added to the result's `usage`.
        `steps`, `tool_calls` and `tokens` are the runtime's."""
        self.artifacts: dict[str, ResourceRef] = {}
        """What was made so far, by name."""
        self.said: list[str] = []
        """The text of all tokens so far. A run that is ended from outside has it as its output."""
        self.halt = halt
        self.folder = artifacts
        """Where the files of artifacts go."""
        self.trace = trace
        """What only those who run the runtime are to know goes there."""
        self.left_behind: anyio.Event | None = None
        """Set by an agent that was cancelled and could not stop its work: the event of that work's end."""
        self._budget = budget
        self._record = record
        self._turn = 0

    @property
    def deadline(self) -> datetime | None:
        """When the run's `timeout_ms` is over, in UTC; None where it has no such limit."""
        return self.halt.deadline

    @property
    def canceled(self) -> bool:
        """Whether the run is being ended from outside: canceled, over a limit, or the runtime stops."""
        return self.halt.reason is not None

    async def emit(self, type_: RunEventType | str, data: Mapping[str, Any] | None = None) -> None:
        """Tell an event: `token` (with `text`), `step` (with `name`), `tool_call` or `tool_result`.

        Tokens, steps and tool calls count. `final` and `error` are told by the runtime when the agent has ended.

        Raises:
            InvalidEventError: that is no event, or not the agent's to tell.
            LimitExceededError: it would be one over a limit.
        """
        kind, told = event_type(type_), dict(data or {})
        check_told(AgentEvent(kind, told))
        self._count(kind)
        try:
            self._record(kind, told)
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidEventError(f"The data of a {kind.value} event is no JSON: {exc}.") from exc
        if kind is RunEventType.TOKEN:
            self.said.append(told["text"])
        await self._breathe()

    async def emit_token(self, text: str) -> None:
        """Tell a piece of the answer as soon as it is known: a `token` event. Counts as one token."""
        await self.emit(RunEventType.TOKEN, {"text": text})

    async def step(self, name: str, **data: Any) -> None:
        """Tell that a step begins: a `step` event with `name` and `data`. Counts as one step."""
        await self.emit(RunEventType.STEP, {"name": name, **data})

    async def artifact(self, name: str, content: str | bytes | None = None, *, uri: str | None = None) -> ResourceRef:
        """Add something to the result's `artifacts`: a file with this content, or what is already at `uri`.

        The last one of a name counts.

        Raises:
            InvalidArtifactError: it has no name for a file, or cannot be written.
        """
        make = partial(make_artifact, self.folder, self.run_id, name, content, uri)
        self.artifacts[name] = ref = await anyio.to_thread.run_sync(make)
        return ref

    def _count(self, kind: RunEventType) -> None:
        match kind:
            case RunEventType.TOKEN:
                self._budget.spend_token()
            case RunEventType.STEP:
                self._budget.spend_step()
            case RunEventType.TOOL_CALL:
                self._budget.spend_tool_call()

    async def _breathe(self) -> None:
        self._turn += 1
        if self._turn % _EVENTS_A_TURN == 0:
            await anyio.lowlevel.checkpoint()


Agent = Callable[[AgentContext], Awaitable[Any]]
"""An agent as the runtime calls it, whatever it was written as: many at the same time in one event loop."""
