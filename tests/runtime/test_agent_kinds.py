"""What may be an agent: functions, generators, classes, async or not; and what becomes of what each tells."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_runtime import AgentError, Ending, SyncAgentContext
from arp_runtime.agents.kinds import NoAgentError, Workplace, as_agent
from runtime.scene import managed, request, story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from arp_runtime import AgentContext


async def _told_by(*items: Any, goal: str = "") -> Any:
    async def agent(_context: AgentContext) -> AsyncIterator[Any]:
        for item in items:
            yield item

    return await story(agent, goal)


async def test_text_that_a_generator_yields_is_tokens_and_their_sum_the_answer() -> None:
    """As it comes, one event each."""
    told = await _told_by("Hello, ", "you")
    assert [data["text"] for data in told.data_of("token")] == ["Hello, ", "you"]
    assert told.result.output == {"answer": "Hello, you"}
    assert told.result.usage == {"steps": 0, "tool_calls": 0, "tokens": 2}


async def test_a_dict_that_a_generator_yields_is_the_event_that_it_describes() -> None:
    """Steps and tool calls count as they do elsewhere."""
    told = await _told_by(
        {"type": "step", "data": {"name": "look", "at": "it"}},
        {"type": "tool_call", "data": {"tool_id": "mine"}},
        {"type": "tool_result", "data": {"tool_id": "mine", "ok": True}},
    )
    assert [event["type"] for event in told.events] == ["step", "tool_call", "tool_result", "final"]
    assert told.data_of("step") == [{"name": "look", "at": "it"}]
    assert told.result.usage == {"steps": 2, "tool_calls": 1, "tokens": 0}
    assert "output" not in told.result.to_dict()


async def test_a_final_event_brings_output_usage_and_artifacts() -> None:
    """The answer is then not the sum of the tokens."""
    artifact = {"type": "artifact", "id": "map", "uri": "https://maps.example/1"}
    told = await _told_by(
        "thinking", {"type": "final", "data": {"output": {"a": 1}, "usage": {"credits": 3}, "artifacts": [artifact]}}
    )
    assert told.result.output == {"a": 1}
    assert told.result.usage == {"credits": 3, "steps": 0, "tool_calls": 0, "tokens": 1}
    assert told.events[-1]["data"]["artifacts"] == [artifact]


async def test_an_error_event_fails_the_run_with_its_code() -> None:
    """As if the agent had raised it."""
    told = await _told_by({"type": "error", "data": {"error": {"code": "no_paper", "message": "Empty."}}})
    assert told.result.error
    assert told.result.error.to_dict() == {"code": "no_paper", "message": "Empty."}


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([3], "int is no event"),
        ([{"type": "shout"}], "'shout' is no type of event"),
        ([{"data": {}}], "None is no type of event"),
        ([{"type": "step", "data": "x"}], "data is an object, not str"),
        ([{"type": "step", "data": {"name": "x"}, "time": "now"}], "no `time`"),
        ([{"type": "step", "data": {}}], "`name`"),
        ([{"type": "token", "data": {"text": 3}}], "`text`"),
        ([{"type": "step", "data": {"name": "x", "y": object()}}], "no JSON"),
        ([{"type": "final", "data": {"outputs": {}}}], "outputs"),
        ([{"type": "final", "data": {"ok": False}}], "`ok` is true, or left out"),
        ([{"type": "error", "data": {}}], "error"),
        ([{"type": "final"}, "more"], "Nothing may follow"),
    ],
)
async def test_what_is_no_event_fails_the_run_and_says_what_to_write(items: list[Any], why: str) -> None:
    """With code invalid_event."""
    told = await _told_by(*items)
    assert told.code == "invalid_event"
    assert told.result.error
    assert why in told.result.error.message


async def test_a_generator_is_closed_when_its_run_is_canceled() -> None:
    """Its `finally` runs."""
    begun, closed = anyio.Event(), anyio.Event()

    async def agent(_context: AgentContext) -> AsyncIterator[str]:
        try:
            yield "x"
            begun.set()
            await anyio.sleep_forever()
        finally:
            closed.set()

    async with managed(agent) as runs:
        run = runs.create(request())
        await begun.wait()
        await runs.cancel(run.run_id)
    assert closed.is_set()


async def test_a_plain_function_runs_in_a_thread_and_may_block() -> None:
    """Two that wait for each other both end."""
    meeting = threading.Barrier(2, timeout=5)

    def agent(context: SyncAgentContext) -> str:
        meeting.wait()
        return f"{context.goal}, {threading.current_thread().name}"

    async with managed(agent) as runs:
        for run in [runs.create(request("here", run_id=run_id)) for run_id in ("a", "b")]:
            await run.log.wait_ended()
            assert f"here, run {run.run_id}".encode() in runs.get_result(run.run_id)


async def test_a_plain_function_has_all_of_the_context() -> None:
    """Events, tools, usage, limits and the request, without await."""

    def agent(context: SyncAgentContext) -> dict[str, Any]:
        context.step("look", at="clock")
        context.emit("step", {"name": "again"})
        context.emit_token("tick")
        context.usage["credits"] = 2
        assert context.deadline is not None
        assert not context.canceled
        assert {tool.tool_id for tool in context.tools.list()} == {"clock", "echo"}
        return {"said": context.tools.call("echo", {"text": context.goal})["text"], "data": context.data}

    told = await story(
        agent,
        input={"goal": "hi", "data": {"d": 1}},
        limits={"timeout_ms": 60_000},
        tool_policy={"deny_tool_ids": ["calculator"]},
    )
    assert told.result.output == {"said": "hi", "data": {"d": 1}}
    assert [event["type"] for event in told.events] == ["step", "step", "token", "tool_call", "tool_result", "final"]
    assert told.result.usage == {"credits": 2, "steps": 3, "tool_calls": 1, "tokens": 1}


async def test_an_error_in_a_thread_is_the_runs() -> None:
    """An AgentError with its code; a tool's error can be caught, or let out."""

    def agent(context: SyncAgentContext) -> None:
        try:
            context.tools.call("no-such-tool", {})
        except AgentError as error:
            raise AgentError("mine", error.code) from error

    told = await story(agent)
    assert (told.code, told.result.error and told.result.error.message) == ("mine", "tool_not_found")


async def test_a_thread_over_a_limit_is_told_so_at_every_call() -> None:
    """Catching the error does not help it."""
    caught: list[str] = []

    def agent(context: SyncAgentContext) -> str:
        for _ in range(3):
            try:
                context.emit_token("x")
            except AgentError as error:
                caught.append(error.code)
        return "all is well"

    told = await story(agent, limits={"max_tokens": 1})
    assert (told.code, caught) == ("limit_exceeded", ["limit_exceeded", "limit_exceeded"])
    assert told.result.output == {"answer": "x", "partial": True}


async def test_a_plain_generator_tells_and_may_return_its_output() -> None:
    """Like an async one, in a thread."""

    def agent(context: SyncAgentContext) -> Generator[Any, None, Any]:
        yield "tick"
        yield {"type": "step", "data": {"name": context.goal}}
        return {"answer": "done"}

    def brief(_context: SyncAgentContext) -> Iterator[str]:
        yield from ("a", "b")

    told = await story(agent, "wind")
    assert [event["type"] for event in told.events] == ["token", "step", "final"]
    assert told.result.output == {"answer": "done"}
    assert (await story(brief)).result.output == {"answer": "ab"}


async def test_an_agent_may_return_a_final() -> None:
    """To say more than its output."""

    async def agent(_context: AgentContext) -> Ending:
        return Ending(output="done", usage={"credits": 1})

    told = await story(agent)
    assert told.result.output == {"answer": "done"}
    assert told.result.usage == {"credits": 1, "steps": 0, "tool_calls": 0, "tokens": 0}


async def test_a_class_is_made_once_and_its_run_called_for_each_run() -> None:
    """Whether async or not; what it keeps in itself, all runs share."""

    class Counting:
        def __init__(self) -> None:
            self.count = 0

        async def run(self, _context: AgentContext) -> dict[str, int]:
            self.count += 1
            return {"count": self.count}

    class Blocking:
        def run(self, context: SyncAgentContext) -> str:
            context.emit_token("x")
            return threading.current_thread().name

    async with managed(Counting) as runs:
        for count in (1, 2):
            run = runs.create(request())
            await run.log.wait_ended()
            assert f'{{"count":{count}}}'.encode() in runs.get_result(run.run_id)
    output = (await story(Blocking, run_id="r1")).result.output
    assert output == {"answer": "run r1"}


def test_where_an_agent_works_is_known_by_what_it_is() -> None:
    """It decides how many runs at once are sensible."""

    async def asynchronous(_greeting: str, _context: AgentContext) -> None: ...

    class Callable:
        async def __call__(self, _context: AgentContext) -> None: ...

    assert as_agent(partial(asynchronous, "hi")).workplace is Workplace.LOOP
    assert as_agent(Callable()).workplace is Workplace.LOOP
    assert as_agent(lambda _context: "x").workplace is Workplace.THREAD


class _Needy:
    def __init__(self, key: str) -> None: ...

    async def run(self, _context: AgentContext) -> None: ...


class _Idle: ...


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (3, "that is int; an agent is a function"),
        (_Idle, "_Idle has no method `run`"),
        (_Needy, "made without arguments"),
        (lambda: None, "cannot be called with one argument"),
        (lambda _a, _b: None, "cannot be called with one argument"),
    ],
)
def test_what_is_no_agent_is_refused_with_the_cure(target: Any, why: str) -> None:
    """Before anything is served."""
    with pytest.raises(NoAgentError) as caught:
        as_agent(target)
    assert why in str(caught.value)


async def test_a_coroutine_from_a_plain_function_is_no_output() -> None:
    """Somebody forgot the `async`."""

    async def inner() -> None: ...

    made = inner()
    told = await story(lambda _context: made)
    made.close()
    assert told.code == "invalid_output"
