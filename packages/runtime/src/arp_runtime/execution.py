"""Executing one run: calling the agent within the run's limits, and telling how it ended."""

from __future__ import annotations

from builtins import ExceptionGroup  # by name: the linter believes in Python 3.10
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import structlog

from arp_model import UNSET, RunState
from arp_runtime.agent import AgentContext
from arp_runtime.budget import Budget
from arp_runtime.errors import (
    AgentError,
    AgentFailedError,
    InvalidOutputError,
    LimitExceededError,
    RunCanceledError,
)
from arp_runtime.tool_policy import ToolPolicy
from arp_runtime.tools import ToolBox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_model import RunRequest
    from arp_runtime.agent import Agent
    from arp_runtime.errors import RunHaltedError
    from arp_runtime.events import RunLog
    from arp_runtime.tools import Tool

_log = structlog.get_logger(__name__)

# Some thirty years; the clock's arithmetic needs an end.
_MAX_TIMEOUT_MS = 10**12


class Outcome(NamedTuple):
    """How a run ended."""

    state: RunState
    output: dict[str, Any] | None
    error: AgentError | None
    usage: dict[str, Any]


class Execution:
    """One run under way. Whoever halts it says why, and the agent has no say in that."""

    __slots__ = ("_context", "_halted", "_scope", "_timeout_ms", "budget")

    def __init__(self, request: RunRequest, run_id: str, log: RunLog, tools: Mapping[str, Tool]) -> None:
        self._scope = anyio.CancelScope()
        self._halted: RunHaltedError | None = None
        self._timeout_ms = UNSET if request.limits is UNSET else request.limits.timeout_ms
        self.budget = Budget(request.limits, self.halt)
        box = ToolBox(tools, ToolPolicy(request.tool_policy), self.budget, log.append)
        self._context = AgentContext(request, run_id, box, self.budget, log.append)

    def halt(self, reason: RunHaltedError) -> None:
        """End the run for this reason, by cancelling its agent. The first reason counts."""
        if self._halted is None:
            self._halted = reason
            self._scope.cancel()

    async def perform(self, agent: Agent) -> Outcome:
        """Call the agent, and return how the run ended. Raises only when the runtime itself is cancelled."""
        self._set_deadline()
        output, error = None, None
        if not self._scope.cancel_called:
            with self._scope:
                output, error = await self._call(agent)
        error = self._reason() or error
        if error is not None:
            return self.outcome_of(error)
        return Outcome(RunState.SUCCEEDED, output, None, self.budget.usage())

    def outcome_of(self, error: AgentError) -> Outcome:
        """The outcome of a run that ends with an error: with what was said so far as its output."""
        state = RunState.CANCELED if isinstance(error, RunCanceledError) else RunState.FAILED
        said = "".join(self._context.said)
        output = {"answer": said, "partial": True} if said else None
        return Outcome(state, output, error, self.budget.usage())

    def _set_deadline(self) -> None:
        if self._timeout_ms is UNSET:
            return
        self._scope.deadline = anyio.current_time() + min(self._timeout_ms, _MAX_TIMEOUT_MS) / 1000
        if self._timeout_ms == 0:
            self._scope.cancel()

    def _reason(self) -> RunHaltedError | None:
        """Why the run was ended from outside, if it was; that its agent overslept the deadline counts as well."""
        if self._halted is None and self._timeout_ms is not UNSET and anyio.current_time() >= self._scope.deadline:
            return LimitExceededError("timeout_ms", self._timeout_ms)
        return self._halted

    async def _call(self, agent: Agent) -> tuple[dict[str, Any] | None, AgentError | None]:
        try:
            return _as_output(await agent(self._context)), None
        except AgentError as error:
            return None, error
        except anyio.get_cancelled_exc_class():
            if anyio.get_current_task().has_pending_cancellation():
                raise
            return None, AgentFailedError("The agent cancelled itself.")
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - an agent may raise anything
            _log.warning("agent_failed", run_id=self._context.run_id, exc_info=True)
            return None, _as_agent_error(exc)


def _as_output(value: Any) -> dict[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"answer": value}
    raise InvalidOutputError(f"The agent returned {type(value).__name__}; a dict, text or None is needed.")


def _as_agent_error(exc: BaseException) -> AgentError:
    """What a person needs of an exception; of a group with one member, that of the member."""
    while isinstance(exc, ExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if isinstance(exc, AgentError):
        return exc
    return AgentFailedError(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
