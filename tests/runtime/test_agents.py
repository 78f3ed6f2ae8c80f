"""What agents return and raise, and what becomes of it."""

from __future__ import annotations

import asyncio
from builtins import ExceptionGroup
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_runtime.agents.default import default_agent
from arp_runtime.errors import AgentError
from runtime.scene import story

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext


def _returning(value: Any) -> Any:
    async def agent(_context: AgentContext) -> Any:
        return value

    return agent


def _raising(error: BaseException) -> Any:
    async def agent(_context: AgentContext) -> Any:
        raise error

    return agent


def _deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize(("returned", "output"), [({"a": 1}, {"a": 1}), ("text", {"answer": "text"}), ({}, {})])
async def test_what_an_agent_returns_is_the_output(returned: Any, output: dict[str, Any]) -> None:
    """A dict as it is, text as the answer."""
    told = await story(_returning(returned))
    assert told.result.ok
    assert told.result.output == output


async def test_an_agent_that_returns_nothing_has_no_output() -> None:
    """Absent, not null."""
    told = await story(_returning(None))
    assert told.result.ok
    assert "output" not in told.result.to_dict()


@pytest.mark.parametrize("returned", [1, ["x"], {"a": object()}, {"a": "\ud800"}, _deep(100_000), {1j: 1}])
async def test_what_cannot_stand_in_a_result_fails_the_run(returned: Any) -> None:
    """With code invalid_output; the run still ends as promised."""
    assert (await story(_returning(returned))).code == "invalid_output"


async def test_an_agent_error_keeps_code_message_and_details() -> None:
    """An agent speaks to its callers through these."""
    told = await story(_raising(AgentError("no_paper", "The printer is empty.", details={"tray": 2}, retryable=True)))
    assert told.result.error
    assert told.result.error.to_dict() == {
        "code": "no_paper",
        "message": "The printer is empty.",
        "details": {"tray": 2},
        "retryable": True,
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("out of range"), "ValueError: out of range"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (SystemExit(3), "SystemExit: 3"),
        (ExceptionGroup("several", [ValueError("the one")]), "ValueError: the one"),
        (asyncio.CancelledError(), "The agent cancelled itself."),
        (ValueError("\ud800"), None),
    ],
)
async def test_any_other_exception_is_an_agent_error(error: BaseException, message: str | None) -> None:
    """The runtime goes on, and the result has kind and message but no traceback."""
    told = await story(_raising(error))
    assert told.result.error
    if message is None:
        assert told.code == "invalid_output"
    else:
        assert (told.code, told.result.error.message) == ("agent_error", message)


async def test_an_agent_error_in_a_task_group_keeps_its_code() -> None:
    """A group with one member speaks with its voice."""

    async def fail() -> None:
        raise AgentError("inner", "From within.")

    async def agent(_context: AgentContext) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)

    assert (await story(agent)).code == "inner"


async def test_an_agent_that_cancels_its_task_fails_alone() -> None:
    """The runtime takes it for the agent's mistake, not for its own stop."""

    async def agent(_context: AgentContext) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep_forever()

    assert (await story(agent)).code == "agent_error"


async def test_an_agent_knows_its_run() -> None:
    """All of the request that concerns it; what is absent is empty, not None."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        return {
            "run_id": context.run_id,
            "goal": context.goal,
            "context": context.context,
            "data": context.data,
            "limits": context.limits.to_dict(),
            "metadata": context.metadata.to_dict(),
        }

    assert (await story(agent, "g", run_id="r1")).result.output == {
        "run_id": "r1",
        "goal": "g",
        "context": {},
        "data": {},
        "limits": {},
        "metadata": {},
    }
    full: dict[str, Any] = {
        "input": {"goal": "g", "context": {"c": 1}, "data": {"d": 2}},
        "limits": {"max_steps": 5},
        "metadata": {"labels": {"l": "3"}},
    }
    output = (await story(agent, **full)).result.output
    assert output
    assert (output["context"], output["data"]) == ({"c": 1}, {"d": 2})
    assert (output["limits"], output["metadata"]) == ({"max_steps": 5}, {"labels": {"l": "3"}})


async def test_an_agent_that_only_emits_lets_others_run() -> None:
    """The event loop is not held for longer than some events."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async def agent(context: AgentContext) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            for _ in range(1000):
                await context.emit_token("x")
            tasks.cancel_scope.cancel()

    assert (await story(agent)).result.ok
    assert turns >= 10


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        ("What is (19*23)?", "(19*23) = 437"),
        ("hello world", "hello world"),
        ("", ""),
        ("count to 3 quickly", "Counted to 3."),
        ("wait 1 ms", "Waited 0.001 s."),
    ],
)
async def test_the_default_agent_answers(goal: str, answer: str) -> None:
    """Without network or key."""
    output = (await story(default_agent, goal)).result.output
    assert output
    assert output["answer"] == answer


async def test_the_default_agent_knows_the_time() -> None:
    """It names the zone that it tells the time of."""
    output = (await story(default_agent, "What time is it in UTC?")).result.output
    assert output
    assert output["answer"].startswith("In UTC it is ")


async def test_the_default_agent_fails_on_purpose() -> None:
    """With a code of its own, and the reason that the goal gave."""
    told = await story(default_agent, "fail: out of coffee")
    assert told.code == "failed_on_purpose"
    assert told.result.error
    assert told.result.error.message == "out of coffee"
