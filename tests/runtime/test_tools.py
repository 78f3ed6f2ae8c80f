"""Tools are called through the run's ToolBox, under its policy, and each call is told."""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

import anyio
import pytest

from arp_runtime.agents.default import default_agent
from arp_runtime.errors import InvalidToolArgumentsError, ToolDeniedError, ToolError
from arp_runtime.tools import functions as function_tools
from arp_runtime.tools.builtin import calculator, clock, echo
from arp_runtime.tools.functions import tool
from runtime.scene import Notes, ended, managed, request, story

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext
    from arp_runtime.tools.box import Tool


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

    @tool
    async def forbidden() -> None:
        nonlocal calls
        calls += 1

    async def agent(context: AgentContext) -> dict[str, Any]:
        for _ in range(2):
            with pytest.raises(ToolDeniedError):
                await context.tools.call("forbidden", {})
        return {"answer": "without"}

    told = await story(agent, tools=[forbidden], tool_policy={"deny_tool_ids": ["forbidden"]})
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
    """The kind of exception is told, its traceback in the trace alone."""

    @tool
    async def broken() -> None:
        raise KeyError("secret place")

    async def agent(context: AgentContext) -> None:
        await context.tools.call("broken", {})

    notes = Notes()
    async with managed(agent, [broken], trace=notes) as runs:
        told = await ended(runs, runs.create(request()).run_id)
    assert told.code == "tool_failed"
    assert "secret place" in notes.taken[1][3]["traceback"]
    assert told.result.error
    assert told.result.error.message == "broken: KeyError: 'secret place'"


async def test_a_tool_that_answers_rubbish_has_failed() -> None:
    """What is no JSON is not a result."""

    @tool
    async def rubbish() -> Any:
        return object()

    async def agent(context: AgentContext) -> None:
        with pytest.raises(ToolError):
            await context.tools.call("rubbish", {})

    told = await story(agent, tools=[rubbish])
    assert told.result.ok
    assert [data["error"]["code"] for data in told.data_of("tool_result")] == ["invalid_tool_result"]


@pytest.mark.parametrize(("expression", "answer"), [("2**53", 2**53), ("2**53+1", None), ("1/4", 0.25)])
async def test_the_calculator_gives_a_number_only_where_it_is_exact(expression: str, answer: float | None) -> None:
    """A reader with doubles never gets a wrong digit; the text has them all."""
    result = await calculator(expression)
    assert result.get("value") == answer
    assert result["text"] == str(eval(expression))


async def test_the_clock_tells_the_time_of_its_zone() -> None:
    """With the zone's offset."""
    result = await clock("Tokyo")
    assert result["time_zone"] == "Asia/Tokyo"
    assert datetime.fromisoformat(result["time"]).utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("builtin", [calculator, clock, echo])
def test_every_builtin_tool_tells_its_schema(builtin: Tool) -> None:
    """An agent can learn from it what to send."""
    schema = builtin.definition.input_schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert builtin.definition.description


async def _codes(agent_calls: list[tuple[str, dict[str, Any]]], tools: list[Tool]) -> list[str]:
    """The codes of the failures that one run's `tool_result` events tell, whose agent goes on after each."""

    async def agent(context: AgentContext) -> None:
        for tool_id, args in agent_calls:
            with pytest.raises(ToolError):
                await context.tools.call(tool_id, args)

    told = await story(agent, tools=tools)
    assert told.result.ok
    return [data["error"]["code"] for data in told.data_of("tool_result")]


async def test_a_tool_that_hangs_fails_after_its_timeout() -> None:
    """Whether it waits in the event loop or blocks a thread, the run goes on."""
    release = threading.Event()

    @tool(timeout_s=0.05)
    async def sleepy() -> None:
        await anyio.sleep_forever()

    @tool(timeout_s=0.05)
    def blocked() -> None:
        release.wait()

    try:
        assert await _codes([("sleepy", {}), ("blocked", {})], [sleepy, blocked]) == ["tool_timeout"] * 2
    finally:
        release.set()


async def test_threads_of_a_tool_that_hangs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they are used up, calls fail after the timeout without one more."""
    monkeypatch.setattr(function_tools, "_MAX_THREADS", 2)
    release = threading.Event()
    started = 0

    @tool(timeout_s=0.05)
    def blocked() -> None:
        nonlocal started
        started += 1
        release.wait()

    try:
        assert await _codes([("blocked", {})] * 4, [blocked]) == ["tool_timeout"] * 4
        assert started == 2
    finally:
        release.set()


async def test_a_timeout_of_the_tools_own_is_a_failure_like_any_other() -> None:
    """The tool's words reach the agent; it was not the runtime that stopped it."""

    @tool
    async def slow_site() -> None:
        raise TimeoutError("the site is slow")

    assert await _codes([("slow_site", {})], [slow_site]) == ["tool_failed"]


@pytest.mark.parametrize("error", [ValueError("\ud800"), ToolError("\ud800")])
async def test_a_tools_words_break_nothing(error: Exception) -> None:
    """Also where no encoding has them."""

    @tool
    async def garbled() -> None:
        raise error

    assert await _codes([("garbled", {})], [garbled]) == ["tool_failed"]


async def test_a_tool_that_exits_ends_its_call_alone() -> None:
    """The runtime and the run go on."""

    @tool
    def leaving() -> None:
        sys.exit(3)

    assert await _codes([("leaving", {})], [leaving]) == ["tool_failed"]


@pytest.mark.parametrize("value", ["x" * (1024 * 1024), {"n": "text"}, {"n": 1, "more": {1j: 1}}])
async def test_a_result_that_breaks_the_promise_is_refused(value: Any) -> None:
    """Too large, not of the output schema, or no JSON."""

    class Counted(TypedDict):
        n: int

    async def count() -> Any:
        return value

    count.__annotations__["return"] = Counted
    assert await _codes([("count", {})], [tool(count)]) == ["invalid_tool_result"]


async def test_arguments_that_are_no_json_are_refused() -> None:
    """The call is not made, and the run goes on."""

    async def agent(context: AgentContext) -> None:
        with pytest.raises(InvalidToolArgumentsError, match="no JSON"):
            await context.tools.call("echo", {"text": object()})

    told = await story(agent)
    assert told.result.ok
    assert told.data_of("tool_call") == []
