"""Executing one run: calling the agent within the run's limits, and telling how it ended."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from arp_model import UNSET, RunState, TraceLevel
from arp_runtime.agents.context import AgentContext
from arp_runtime.agents.events import Ending
from arp_runtime.agents.returned import as_agent_error, encode_output
from arp_runtime.budget import Budget
from arp_runtime.errors import (
    AgentError,
    AgentFailedError,
    LimitExceededError,
    RunCanceledError,
)
from arp_runtime.halt import Halt
from arp_runtime.records.trace import as_utf8
from arp_runtime.runs.large_output import fit, fit_partial
from arp_runtime.tools.box import ToolBox
from arp_runtime.tools.policy import ToolPolicy
from arp_service.changed import Happened
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_model import ResourceRef, RunRequest
    from arp_runtime.agents.context import Agent
    from arp_runtime.errors import RunHaltedError
    from arp_runtime.runs.events import RunLog
    from arp_runtime.runs.workbench import Workbench

# Some thirty years; the clock's arithmetic needs an end.
_MAX_TIMEOUT_MS = 10**12
# A registry can have a thousand, and each run's trace tells of them.
_MAX_TOOLS_TOLD = 100


class Outcome(NamedTuple):
    """How a run ended."""

    state: RunState
    output: dict[str, Any] | None
    error: AgentError | None
    usage: dict[str, Any]
    artifacts: list[ResourceRef]


class Execution:
    """One run under way. Whoever halts it says why, and the agent has no say in that.

    `on_halt` is called when it is halted, before its agent is cancelled. Nothing here leads back to the execution, so
    that all that a run takes is freed with it, and does not wait for the garbage collector.
    """

    def __init__(
        self, request: RunRequest, run_id: str, log: RunLog, bench: Workbench, on_halt: Callable[[], None]
    ) -> None:
        self.ended = Happened()
        """Set by the run manager when the run has ended."""
        self._scope = anyio.CancelScope()
        self._halt = Halt(on_halt, self._scope.cancel)
        self._timeout_ms = UNSET if request.limits is UNSET else request.limits.timeout_ms
        self._bench = bench
        self._ends_at = float("inf")
        self.budget = Budget(request.limits, self._halt.now)
        box = ToolBox(run_id, bench.tools, ToolPolicy(request.tool_policy), self.budget, bench.trace, log.append)
        self._context = AgentContext(
            request, run_id, box, self.budget, self._halt, bench.artifacts, bench.trace, log.append
        )

    @property
    def timeout_s(self) -> float | None:
        """How long it may take, from its beginning; None for ever."""
        return None if self._timeout_ms is UNSET else min(self._timeout_ms, _MAX_TIMEOUT_MS) / 1000

    def halt(self, reason: RunHaltedError) -> None:
        """End the run for this reason, by cancelling its agent. The first reason counts."""
        self._halt.now(reason)

    def halt_for_timeout(self) -> None:
        """End the run because its time is over."""
        self._halt.now(LimitExceededError("timeout_ms", int(self._timeout_ms or 0)))

    async def perform(self, agent: Agent) -> Outcome:
        """Call the agent, and return how the run ended. Raises only when the runtime itself is cancelled.

        Returns when the agent's work has stopped, however late.
        """
        self._start_clock()
        self._tell_tools()
        output, error = None, None
        if not self._scope.cancel_called:
            with self._scope:
                output, error = await self._call(agent)
        if self._context.left_behind is not None:
            await self._context.left_behind.wait()
        if self.timeout_s is not None and anyio.current_time() >= self._ends_at:  # overslept, and so never cancelled
            self.halt_for_timeout()
        error = self._halt.reason or error
        if error is not None:
            return await self.outcome_of(error)
        return Outcome(RunState.SUCCEEDED, output, None, self._usage(), self._artifacts())

    async def end_halted(self) -> Outcome:
        """The outcome of a run that was halted, whatever its agent still does."""
        assert self._halt.reason is not None
        return await self.outcome_of(self._halt.reason)

    async def outcome_of(self, error: AgentError) -> Outcome:
        """The outcome of a run that ends with an error: with what was said so far as its output."""
        output = await fit_partial("".join(self._context.said), self._context.artifact)
        return self._failed(output, error)

    def never_begun(self, error: AgentError) -> Outcome:
        """The outcome of a run that ends before its turn."""
        return self._failed(None, error)

    def without_output(self, error: AgentError) -> Outcome:
        """The outcome of a run whose agent gave what cannot stand in a result."""
        return Outcome(RunState.FAILED, None, error, self.budget.usage(), self._artifacts())

    def _tell_tools(self) -> None:
        tool_ids = [tool.tool_id for tool in self._context.tools.list()]
        data = {"offered_tool_ids": tool_ids[:_MAX_TOOLS_TOLD], "count": len(tool_ids)}
        self._bench.trace.record(self._context.run_id, TraceLevel.DEBUG, "tools_offered", data)

    def _start_clock(self) -> None:
        if self.timeout_s is None:
            return
        self._ends_at = anyio.current_time() + self.timeout_s
        self._halt.deadline = utc_now() + timedelta(seconds=self.timeout_s)
        if self.timeout_s == 0:
            self.halt_for_timeout()

    def _failed(self, output: dict[str, Any] | None, error: AgentError) -> Outcome:
        state = RunState.CANCELED if isinstance(error, RunCanceledError) else RunState.FAILED
        return Outcome(state, output, error, self._usage(), self._artifacts())

    def _usage(self) -> dict[str, Any]:
        return {**self._context.usage, **self.budget.usage()}

    def _artifacts(self) -> list[ResourceRef]:
        return list(self._context.artifacts.values())

    async def _call(self, agent: Agent) -> tuple[dict[str, Any] | None, AgentError | None]:
        try:
            return await self._settle(await agent(self._context)), None
        except anyio.get_cancelled_exc_class():
            if anyio.get_current_task().has_pending_cancellation():
                raise
            return None, AgentFailedError("The agent cancelled itself.")
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - an agent may raise anything
            error = as_agent_error(exc)
            self._record_failure(exc, error)
            return None, error

    async def _settle(self, value: Any) -> dict[str, Any] | None:
        """The run's output, from what its agent returned."""
        if isinstance(value, Ending):
            self._context.usage.update(value.usage)
            self._context.artifacts.update({ref.id: ref for ref in value.artifacts})
            error = value.agent_error()
            if error is not None:
                raise error
            value = value.output
        return await fit(*encode_output(value), self._context.artifact)

    def _record_failure(self, exc: BaseException, error: AgentError) -> None:
        """An AgentError is what the agent wanted to say; any other exception is a mistake."""
        level = TraceLevel.ERROR if isinstance(error, AgentFailedError) else TraceLevel.DEBUG
        data = {"error": as_utf8(error.message), "traceback": as_utf8("".join(traceback.format_exception(exc)))}
        self._bench.trace.record(self._context.run_id, level, "agent_failed", data)
