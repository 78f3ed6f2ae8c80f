"""What an agent is, and what it is given.

An agent is an async function of one argument, an `AgentContext`. What it returns becomes the run's output:
a dict as it is, text as `{"answer": text}`, None as no output. An exception ends the run as failed: an
`AgentError` with its code and message, any other with code `agent_error`. Cancellation must be let through.

    async def agent(context: AgentContext) -> dict[str, Any]:
        found = await context.tools.call("calculator", {"expression": context.goal})
        return {"answer": found["text"]}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio.lowlevel

from arp_model import Metadata, RunEventType, RunRequestLimits

if TYPE_CHECKING:
    from arp_model import RunRequest
    from arp_runtime.budget import Budget
    from arp_runtime.tools import ToolBox

# An agent that only emits lets others run after so many events.
_EVENTS_A_TURN = 64


class AgentContext:
    """One run, as its agent sees it. Made by the runtime for each run, and of no use after its end.

    Tokens, steps and tool calls count against the run's limits: at one too many the run ends as failed,
    `LimitExceededError` is raised, and catching that does not help.
    """

    __slots__ = (
        "_budget",
        "_record",
        "_turn",
        "context",
        "data",
        "goal",
        "limits",
        "metadata",
        "run_id",
        "said",
        "tools",
    )

    def __init__(
        self,
        request: RunRequest,
        run_id: str,
        tools: ToolBox,
        budget: Budget,
        record: Callable[[RunEventType, dict[str, Any]], None],
    ) -> None:
        self._budget = budget
        self._record = record
        self._turn = 0
        self.run_id = run_id
        self.goal = request.input_.goal
        """What is to be achieved, in plain language."""
        self.context: dict[str, Any] = request.input_.context or {}
        """Background that may be used; empty where the request has none."""
        self.data: dict[str, Any] = request.input_.data or {}
        """Material that the goal is about; empty where the request has none."""
        self.limits = request.limits or RunRequestLimits()
        self.metadata = request.metadata or Metadata()
        self.tools = tools
        """The tools that the run's policy permits."""
        self.said: list[str] = []
        """The text of all tokens so far. A run that is ended from outside has it as its output."""

    async def emit_token(self, text: str) -> None:
        """Tell a piece of the answer as soon as it is known: a `token` event. Counts as one token."""
        self._budget.spend_token()
        self._record(RunEventType.TOKEN, {"text": text})
        self.said.append(text)
        await self._breathe()

    async def step(self, name: str, **data: Any) -> None:
        """Tell that a step begins: a `step` event with `name` and `data`. Counts as one step."""
        self._budget.spend_step()
        self._record(RunEventType.STEP, {"name": name, **data})
        await self._breathe()

    async def _breathe(self) -> None:
        self._turn += 1
        if self._turn % _EVENTS_A_TURN == 0:
            await anyio.lowlevel.checkpoint()


Agent = Callable[[AgentContext], Awaitable[Any]]
"""Called once for each run, many at the same time in one event loop."""
