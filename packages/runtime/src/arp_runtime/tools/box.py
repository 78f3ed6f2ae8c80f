"""Tools: what they are, and the box through which a run reaches them.

An agent has no other way to a tool than its `ToolBox`, which checks the run's policy and budget on each call
and tells the run's watchers of it. So no agent can go round either.
"""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from arp_model import RunEventType, TraceLevel
from arp_runtime.errors import AgentError, InvalidToolArgumentsError, ToolDeniedError, ToolError, ToolNotFoundError
from arp_runtime.records.trace import as_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arp_model import ToolDefinition
    from arp_runtime.budget import Budget
    from arp_runtime.records.trace import Trace
    from arp_runtime.tools.offered import OfferedTool
    from arp_runtime.tools.policy import ToolPolicy


class CallOrigin(NamedTuple):
    """Where a call comes from."""

    run_id: str
    call_id: str
    """Unique in its run."""


class Tool(Protocol):
    """Something that agents can call."""

    @property
    def definition(self) -> ToolDefinition:
        """What the tool is; agents read it to choose. Does not change."""

    @property
    def timeout_s(self) -> float:
        """How long a call may take, in seconds; then it is cancelled."""

    async def call(self, args: Mapping[str, Any], origin: CallOrigin) -> Any:
        """Do it, and return what msgspec can write as JSON. Called once policy, budget and schema have agreed.

        Raises:
            ToolError: the tool could not do it; the message says why.
        """


class ToolBox:
    """The tools of one run, given to its agent as `context.tools`."""

    __slots__ = ("_budget", "_policy", "_record", "_run_id", "_tools", "_trace")

    def __init__(
        self,
        run_id: str,
        tools: Mapping[str, OfferedTool],
        policy: ToolPolicy,
        budget: Budget,
        trace: Trace,
        record: Callable[[RunEventType, dict[str, Any]], None],
    ) -> None:
        self._run_id = run_id
        self._tools = tools
        self._policy = policy
        self._budget = budget
        self._trace = trace
        self._record = record

    def list(self) -> Sequence[ToolDefinition]:
        """The tools that this run may use."""
        return [tool.definition for tool_id, tool in self._tools.items() if self._policy.permits(tool_id)]

    async def call(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """Call a tool and return its result, a JSON value. The call and its outcome are events of the run.

        Raises:
            ToolDeniedError: the run's tool_policy forbids it.
            ToolNotFoundError: the runtime has no such tool.
            InvalidToolArgumentsError: `args` do not fit the tool.
            ToolTimeoutError: the tool took too long.
            InvalidToolResultError: what the tool returned is no JSON, or not what it promises.
            ToolError: the tool failed.
            LimitExceededError: the run has no step left.
        """
        self._budget.spend_tool_call()
        call_id = f"call_{self._budget.tool_calls}"
        named = {"call_id": call_id, "tool_id": tool_id}
        args = dict(args)
        try:
            self._record(RunEventType.TOOL_CALL, {**named, "args": args})
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidToolArgumentsError(tool_id, f"no JSON: {exc}") from exc
        started = time.perf_counter()
        try:
            result = await self._find(tool_id).call(args, CallOrigin(self._run_id, call_id))
        except AgentError as error:
            self._record(RunEventType.TOOL_RESULT, {**named, **_failure(error, started)})
            raise
        except (Exception, SystemExit) as exc:
            told = {**named, "traceback": as_utf8("".join(traceback.format_exception(exc)))}
            self._trace.record(self._run_id, TraceLevel.WARN, "tool_failed", told)
            failed = ToolError(as_utf8(f"{tool_id}: {type(exc).__name__}: {exc}"))
            self._record(RunEventType.TOOL_RESULT, {**named, **_failure(failed, started)})
            raise failed from exc
        outcome = {"ok": True, "result": result, "duration_ms": _ms_since(started)}
        self._record(RunEventType.TOOL_RESULT, {**named, **outcome})
        return result

    def _find(self, tool_id: str) -> OfferedTool:
        """Policy first: a run learns nothing of tools that it may not use."""
        if not self._policy.permits(tool_id):
            raise ToolDeniedError(tool_id)
        tool = self._tools.get(tool_id)
        if tool is None:
            raise ToolNotFoundError(tool_id)
        return tool


def _failure(error: AgentError, started: float) -> dict[str, Any]:
    described = {"code": error.code, "message": as_utf8(error.message)}
    return {"ok": False, "error": described, "duration_ms": _ms_since(started)}


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
