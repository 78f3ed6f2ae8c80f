"""Tools: what they are, and the box through which a run reaches them.

An agent has no other way to a tool than its `ToolBox`, which checks the run's policy and budget on each call
and tells the run's watchers of it. So no agent can go round either.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from arp_model import RunEventType, ToolDefinition, ToolSource
from arp_runtime.errors import (
    AgentError,
    InvalidToolArgumentsError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from arp_runtime.budget import Budget
    from arp_runtime.tool_policy import ToolPolicy

_log = structlog.get_logger(__name__)

ArgsT = TypeVar("ArgsT", bound=msgspec.Struct)


class Tool(Protocol):
    """Something that agents can call."""

    @property
    def definition(self) -> ToolDefinition:
        """What the tool is; agents read it to choose. Does not change."""

    async def call(self, args: Mapping[str, Any]) -> Any:
        """Do it, and return a JSON value. Called by the ToolBox once policy and budget have agreed.

        Raises:
            InvalidToolArgumentsError: `args` do not fit `definition.input_schema`.
            ToolError: the tool could not do it; the message says why.
        """


@dataclass(frozen=True)
class FunctionTool(Generic[ArgsT]):
    """An async function as a tool. Its arguments are a msgspec Struct, which gives schema and check."""

    tool_id: str
    description: str
    arguments: type[ArgsT]
    function: Callable[[ArgsT], Awaitable[Any]]
    definition: ToolDefinition = field(init=False)

    def __post_init__(self) -> None:
        definition = ToolDefinition(
            tool_id=self.tool_id,
            name=self.tool_id,
            description=self.description,
            input_schema=_input_schema(self.arguments),
            source=ToolSource.REGISTRY_LOCAL,
        )
        object.__setattr__(self, "definition", definition)  # the dataclass is frozen

    async def call(self, args: Mapping[str, Any]) -> Any:
        """See `Tool.call`."""
        try:
            checked = msgspec.convert(args, self.arguments)
        except msgspec.ValidationError as exc:
            raise InvalidToolArgumentsError(self.tool_id, str(exc)) from exc
        return await self.function(checked)


class ToolBox:
    """The tools of one run, given to its agent as `context.tools`."""

    __slots__ = ("_budget", "_policy", "_record", "_tools")

    def __init__(
        self,
        tools: Mapping[str, Tool],
        policy: ToolPolicy,
        budget: Budget,
        record: Callable[[RunEventType, dict[str, Any]], None],
    ) -> None:
        self._tools = tools
        self._policy = policy
        self._budget = budget
        self._record = record

    def list(self) -> Sequence[ToolDefinition]:
        """The tools that this run may use."""
        return [tool.definition for tool_id, tool in self._tools.items() if self._policy.permits(tool_id)]

    async def call(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """Call a tool and return its result. The call and its outcome are events of the run.

        Raises:
            ToolDeniedError: the run's tool_policy forbids it.
            ToolNotFoundError: the runtime has no such tool.
            InvalidToolArgumentsError: `args` do not fit the tool.
            ToolError: the tool failed.
            LimitExceededError: the run has no step left.
        """
        self._budget.spend_tool_call()
        named = {"call_id": f"call_{self._budget.tool_calls}", "tool_id": tool_id}
        self._record(RunEventType.TOOL_CALL, {**named, "args": args})
        started = time.perf_counter()
        try:
            result = await self._find(tool_id).call(args)
            outcome = {"ok": True, "result": result, "duration_ms": _ms_since(started)}
            self._record(RunEventType.TOOL_RESULT, {**named, **outcome})
        except AgentError as error:
            self._record(RunEventType.TOOL_RESULT, {**named, **_failure(error, started)})
            raise
        except Exception as exc:
            _log.warning("tool_failed", tool_id=tool_id, exc_info=True)
            failed = ToolError(f"{tool_id}: {type(exc).__name__}: {exc}")
            self._record(RunEventType.TOOL_RESULT, {**named, **_failure(failed, started)})
            raise failed from exc
        return result

    def _find(self, tool_id: str) -> Tool:
        """Policy first: a run learns nothing of tools that it may not use."""
        if not self._policy.permits(tool_id):
            raise ToolDeniedError(tool_id)
        tool = self._tools.get(tool_id)
        if tool is None:
            raise ToolNotFoundError(tool_id)
        return tool


def _input_schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([arguments])
    schema: dict[str, Any] = components[arguments.__name__]
    return schema


def _failure(error: AgentError, started: float) -> dict[str, Any]:
    described = {"code": error.code, "message": error.message}
    return {"ok": False, "error": described, "duration_ms": _ms_since(started)}


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
