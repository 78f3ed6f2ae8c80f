"""Tools are called through the run's ToolBox, under its policy, and each call is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from arp_runtime.builtin_tools import CALCULATOR, CLOCK, ECHO
from arp_runtime.default_agent import default_agent
from arp_runtime.errors import InvalidToolArgumentsError, ToolDeniedError, ToolError
from arp_runtime.tools import FunctionTool, Tool
from runtime.scene import story

if TYPE_CHECKING:
    from arp_runtime.agent import AgentContext


class _NoArgs(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is taken."""


def _tool(tool_id: str, function: Any) -> Tool:
    return FunctionTool(tool_id=tool_id, description="", arguments=_NoArgs, function=function)


async def test_a_call_and_its_result_are_events() -> None:
    """Bound by a call_id."""
    told = await story(default_agent, "hello")
    assert told.data_of("tool_call") == [{"call_id": "call_1", "tool_id": "echo", "args": {"text": "hello"}}]
    (result,) = told.data_of("tool_result")
    assert result.pop("duration_ms") >= 0
    assert result == {"call_id": "call_1", "tool_id": "echo", "ok": True, "result": {"text": "hello"}}


async def test_an_agent_sees_only_the_tools_it_may_use() -> None:
    """The list is cut by the policy."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        return {"tools": [tool.tool_id for tool in context.tools.list()]}

    assert (await story(agent)).result.output == {"tools": ["calculator", "clock", "echo"]}
    told = await story(agent, tool_policy={"allow_tool_ids": ["echo", "clock"], "deny_tool_ids": ["clock"]})
    assert told.result.output == {"tools": ["echo"]}


async def test_a_denied_tool_is_not_called() -> None:
    """However often the agent tries; it may go on without."""
    calls = 0

    async def function(_args: _NoArgs) -> None:
        nonlocal calls
        calls += 1

    async def agent(context: AgentContext) -> dict[str, Any]:
        for _ in range(2):
            with pytest.raises(ToolDeniedError):
                await context.tools.call("forbidden", {})
        return {"answer": "without"}

    told = await story(agent, tools=[_tool("forbidden", function)], tool_policy={"deny_tool_ids": ["forbidden"]})
    assert calls == 0
    assert told.result.ok
    assert [data["error"]["code"] for data in told.data_of("tool_result")] == ["tool_denied"] * 2


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"deny_tool_ids": ["calculator"]}, "tool_denied"),
        ({"allow_tool_ids": ["clock"]}, "tool_denied"),
        ({"allow_tool_ids": []}, "tool_denied"),
        ({"allow_tool_ids": ["calculator"], "deny_tool_ids": ["calculator"]}, "tool_denied"),
        ({"allow_tool_ids": ["calculator"]}, None),
    ],
)
async def test_the_policy_holds_for_the_default_agent(policy: dict[str, Any], code: str | None) -> None:
    """A run that needs a tool that it may not use fails and says so."""
    assert (await story(default_agent, "What is 1+1?", tool_policy=policy)).code == code


async def test_an_unknown_tool_is_an_error_with_a_code() -> None:
    """And where a policy denies it, no word of whether it exists."""
    data = {"tool_id": "teleport"}
    assert (await story(default_agent, input={"goal": "", "data": data})).code == "tool_not_found"
    policy: dict[str, Any] = {"allow_tool_ids": []}
    assert (await story(default_agent, input={"goal": "", "data": data}, tool_policy=policy)).code == "tool_denied"


@pytest.mark.parametrize(
    ("goal", "message"), [("What is 1/0?", "Division by zero"), ("What time is it in Atlantis?", "Atlantis")]
)
async def test_a_tool_that_fails_ends_the_run_where_the_agent_lets_it(goal: str, message: str) -> None:
    """With code tool_failed, and the reason in both result and event."""
    told = await story(default_agent, goal)
    assert told.code == "tool_failed"
    assert told.result.error
    assert message in told.result.error.message
    (result,) = told.data_of("tool_result")
    assert result["ok"] is False
    assert message in result["error"]["message"]


async def test_an_agent_may_go_on_after_a_tool_failed() -> None:
    """A failed call is not the end of the run."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        try:
            return {"answer": await context.tools.call("calculator", {"expression": "1/0"})}
        except ToolError as error:
            return {"answer": f"I could not: {error.message}"}

    told = await story(agent)
    assert told.result.output == {"answer": "I could not: calculator: Division by zero."}


async def test_arguments_that_do_not_fit_are_refused() -> None:
    """With the place; the tool is not called."""

    async def agent(context: AgentContext) -> None:
        for args in ({}, {"expression": 1}, {"expression": "1", "more": 1}):
            with pytest.raises(InvalidToolArgumentsError, match="calculator"):
                await context.tools.call("calculator", args)

    assert (await story(agent)).result.ok


async def test_a_tool_that_raises_anything_has_failed() -> None:
    """The kind of exception is told, its traceback is not."""

    async def function(_args: _NoArgs) -> None:
        raise KeyError("secret place")

    async def agent(context: AgentContext) -> None:
        await context.tools.call("broken", {})

    told = await story(agent, tools=[_tool("broken", function)])
    assert told.code == "tool_failed"
    assert told.result.error
    assert told.result.error.message == "broken: KeyError: 'secret place'"


async def test_a_tool_that_answers_rubbish_has_failed() -> None:
    """What is no JSON is not a result."""

    async def function(_args: _NoArgs) -> object:
        return object()

    async def agent(context: AgentContext) -> None:
        with pytest.raises(ToolError):
            await context.tools.call("rubbish", {})

    told = await story(agent, tools=[_tool("rubbish", function)])
    assert told.result.ok
    assert [data["ok"] for data in told.data_of("tool_result")] == [False]


@pytest.mark.parametrize(("expression", "answer"), [("2**53", 2**53), ("2**53+1", None), ("1/4", 0.25)])
async def test_the_calculator_gives_a_number_only_where_it_is_exact(expression: str, answer: float | None) -> None:
    """A reader with doubles never gets a wrong digit; the text has them all."""
    result = await CALCULATOR.call({"expression": expression})
    assert result.get("value") == answer
    assert result["text"] == str(eval(expression))


async def test_the_clock_tells_the_time_of_its_zone() -> None:
    """With the zone's offset."""
    result = await CLOCK.call({"time_zone": "Tokyo"})
    assert result["time_zone"] == "Asia/Tokyo"
    assert datetime.fromisoformat(result["time"]).utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("tool", [CALCULATOR, CLOCK, ECHO])
def test_every_builtin_tool_tells_its_schema(tool: Tool) -> None:
    """An agent can learn from it what to send."""
    schema = tool.definition.input_schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert tool.definition.description
