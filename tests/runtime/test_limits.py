"""Limits end a run as failed with code limit_exceeded, whatever its agent does."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_model import RunState
from arp_runtime.agents.default import default_agent
from arp_runtime.errors import LimitExceededError
from runtime.scene import Story, story

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext


def _assert_exceeded(told: Story, limit: str, value: int) -> None:
    assert told.status.state is RunState.FAILED
    assert told.result.error
    assert told.result.error.code == "limit_exceeded"
    assert told.result.error.details == {"limit": limit, "value": value}


async def test_a_timeout_of_zero_ends_the_run_at_once() -> None:
    """Its agent is never called."""
    called = False

    async def agent(_context: AgentContext) -> None:
        nonlocal called
        called = True

    told = await story(agent, limits={"timeout_ms": 0})
    _assert_exceeded(told, "timeout_ms", 0)
    assert not called
    assert len(told.events) == 1


async def test_a_timeout_cancels_the_agent() -> None:
    """What was done so far is in the result."""
    stopped = False

    async def agent(context: AgentContext) -> None:
        nonlocal stopped
        await context.emit_token("so ")
        await context.emit_token("far")
        try:
            await anyio.sleep_forever()
        finally:
            stopped = True

    told = await story(agent, limits={"timeout_ms": 20})
    _assert_exceeded(told, "timeout_ms", 20)
    assert stopped
    assert told.result.output == {"answer": "so far", "partial": True}
    assert told.result.usage == {"steps": 0, "tool_calls": 0, "tokens": 2}


async def test_an_agent_that_overslept_its_deadline_has_failed() -> None:
    """Even one that never let go in between, and so could not be cancelled."""

    async def agent(_context: AgentContext) -> dict[str, Any]:
        end = anyio.current_time() + 0.01
        while anyio.current_time() < end:
            pass
        return {"answer": "too late"}

    _assert_exceeded(await story(agent, limits={"timeout_ms": 1}), "timeout_ms", 1)


@pytest.mark.parametrize("timeout_ms", [60_000, 10**30])
async def test_a_timeout_that_is_not_reached_changes_nothing(timeout_ms: int) -> None:
    """However long."""
    assert (await story(default_agent, "x", limits={"timeout_ms": timeout_ms})).result.ok


@given(said=st.integers(0, 12), max_tokens=st.integers(1, 12))
async def test_no_run_says_more_than_max_tokens(said: int, max_tokens: int) -> None:
    """It may say exactly so many; the next one is not told, and fails the run."""

    async def agent(context: AgentContext) -> None:
        for _ in range(said):
            await context.emit_token("x")

    told = await story(agent, limits={"max_tokens": max_tokens})
    assert len(told.data_of("token")) == min(said, max_tokens)
    if said > max_tokens:
        _assert_exceeded(told, "max_tokens", max_tokens)
        assert told.result.output == {"answer": "x" * max_tokens, "partial": True}
    else:
        assert told.result.ok


@given(steps=st.lists(st.sampled_from(["step", "tool"]), max_size=8), max_steps=st.integers(1, 8))
async def test_no_run_takes_more_than_max_steps(steps: list[str], max_steps: int) -> None:
    """A step event and a tool call are a step each."""

    async def agent(context: AgentContext) -> None:
        for step in steps:
            if step == "step":
                await context.step("think")
            else:
                await context.tools.call("echo", {"text": "x"})

    told = await story(agent, limits={"max_steps": max_steps})
    assert len(told.data_of("step")) + len(told.data_of("tool_call")) == min(len(steps), max_steps)
    if len(steps) > max_steps:
        _assert_exceeded(told, "max_steps", max_steps)
    else:
        assert told.result.ok


async def test_an_agent_that_swallows_the_limit_ends_all_the_same() -> None:
    """Neither going on nor returning an output helps it."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        for _ in range(3):
            with suppress(LimitExceededError):
                await context.emit_token("x")
        return {"answer": "all is well"}

    told = await story(agent, limits={"max_tokens": 1})
    _assert_exceeded(told, "max_tokens", 1)
    assert len(told.data_of("token")) == 1
    assert told.result.output == {"answer": "x", "partial": True}


async def test_an_agent_that_waits_after_swallowing_the_limit_is_cancelled() -> None:
    """The run does not wait for it."""

    async def agent(context: AgentContext) -> None:
        with suppress(LimitExceededError):
            await context.step("one")
            await context.step("two")
        await anyio.sleep_forever()

    _assert_exceeded(await story(agent, limits={"max_steps": 1}), "max_steps", 1)


async def test_the_first_reason_counts() -> None:
    """A limit that was reached stays the reason when the agent then raises something of its own."""

    async def agent(context: AgentContext) -> None:
        try:
            await context.emit_token("x")
            await context.emit_token("y")
        finally:
            raise ValueError("cleaning up failed")

    _assert_exceeded(await story(agent, limits={"max_tokens": 1}), "max_tokens", 1)
