"""What the tests of agents are made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arp_runtime.testing import run_agent, run_agent_async

if TYPE_CHECKING:
    from arp_runtime import AgentContext, SyncAgentContext


def test_a_run_is_executed_as_a_runtime_would() -> None:
    """Request, limits and tools are real; all of it comes back."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        await context.step("look")
        found = await context.tools.call("calculator", {"expression": context.goal})
        return {"answer": found["text"], "data": context.data, "context": context.context}

    run = run_agent(agent, "1+1", data={"d": 1}, context={"c": 2})
    assert run.ok
    assert run.code is None
    assert run.output == {"answer": "2", "data": {"d": 1}, "context": {"c": 2}}
    assert run.data_of("step") == [{"name": "look"}]
    assert [event.type_.value for event in run.events] == ["step", "tool_call", "tool_result", "final"]
    run = run_agent(agent, "1+1", limits={"max_steps": 1})
    assert (run.ok, run.code, run.output) == (False, "limit_exceeded", None)


async def test_an_async_test_has_its_own() -> None:
    """And an agent may be named."""
    assert (await run_agent_async("default", "hello")).output == {
        "answer": "hello",
        "tool_id": "echo",
        "result": {"text": "hello"},
    }


def test_artifacts_are_kept_where_a_folder_is_given(tmp_path: Path) -> None:
    """Otherwise they are gone at the end."""

    def agent(context: SyncAgentContext) -> None:
        context.artifact("a.txt", "x")

    for folder, is_kept in ((tmp_path, True), (None, False)):
        [ref] = run_agent(agent, artifacts_dir=folder).result.artifacts or []
        assert Path(urlsplit(str(ref.uri)).path).exists() is is_kept
