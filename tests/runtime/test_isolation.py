"""Plain functions in processes of their own: the same context, and an end that nobody can put off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_model import RunState
from arp_runtime.agents.kinds import Workplace
from arp_runtime.agents.loading import AgentNotLoadableError, load_agent
from arp_service.processes import find_marked
from runtime.scene import Notes, ended, managed, request, story

if TYPE_CHECKING:
    from pathlib import Path

    from arp_runtime.agents.kinds import LoadedAgent
    from runtime.scene import Story

_SOURCE = """
import os, time
from arp_runtime import AgentError, Ending, RunHaltedError, ToolError

def everything(context):
    print("for the trace")
    context.step("look", at=context.goal)
    context.emit_token("tick")
    context.usage["credits"] = 2
    context.artifact("a.txt", "content")
    context.artifact("map", uri="https://maps.example/1")
    try:
        context.tools.call("nothing", {})
    except ToolError as error:
        code = error.code
    assert context.deadline is not None and not context.canceled
    value = context.tools.call("calculator", {"expression": "1+1"})["value"]
    return {"value": value, "code": code, "tools": [t.tool_id for t in context.tools.list()], "data": context.data}

def stream(context):
    yield "a"
    yield {"type": "step", "data": {"name": "b"}}
    yield "c"

def failing(context):
    context.artifact("left.txt", "x")
    raise AgentError("no_paper", "Empty.", details={"tray": 2}, retryable=True)

def broken(context):
    raise ValueError("out of range")

def odd(context):
    return 3

def wrong(context):
    context.emit("final", {})

def dying(context):
    os._exit(7)

def deaf(context):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    context.step("begun")
    time.sleep(1000)

def watching(context):
    context.step("begun")
    while not context.canceled:
        pass
    try:
        context.step("one more")
    except RunHaltedError as error:
        print("was told:", error.code, flush=True)

class Counting:
    def __init__(self):
        self.count = 0

    def run(self, context):
        self.count += 1
        return {"count": self.count}

async def asynchronous(context): ...
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "isolated_agents.py").write_text(_SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "isolated_agents", raising=False)


def _load(name: str) -> LoadedAgent:
    return load_agent(f"./isolated_agents.py:{name}", isolated=True)


async def _told(name: str, goal: str = "", **fields: Any) -> Story:
    return await story(_load(name), goal, **fields)


async def test_an_isolated_function_has_all_of_the_context() -> None:
    """Events, tools, usage, artifacts, limits and the request; what it prints is no event."""
    told = await _told(
        "everything",
        input={"goal": "here", "data": {"d": 1}},
        limits={"timeout_ms": 60_000},
        tool_policy={"deny_tool_ids": ["clock", "echo"]},
    )
    assert told.result.output == {"value": 2, "code": "tool_not_found", "tools": ["calculator"], "data": {"d": 1}}
    assert told.data_of("step") == [{"name": "look", "at": "here"}]
    assert told.data_of("token") == [{"text": "tick"}]
    assert told.result.usage == {"credits": 2, "steps": 3, "tool_calls": 2, "tokens": 1}
    assert [ref.id for ref in told.result.artifacts or []] == ["a.txt", "map"]


async def test_an_isolated_generator_tells_what_it_yields() -> None:
    """As in a thread."""
    told = await _told("stream")
    assert [event["type"] for event in told.events] == ["token", "step", "token", "final"]
    assert told.result.output == {"answer": "ac"}


async def test_an_isolated_functions_error_is_the_runs() -> None:
    """Code, message, details and artifacts; any other exception is an agent_error, without a traceback."""
    told = await _told("failing")
    assert told.result.error
    assert told.result.error.to_dict() == {
        "code": "no_paper",
        "message": "Empty.",
        "details": {"tray": 2},
        "retryable": True,
    }
    assert [ref.id for ref in told.result.artifacts or []] == ["left.txt"]
    told = await _told("broken")
    assert (told.code, told.result.error and told.result.error.message) == ("agent_error", "ValueError: out of range")


@pytest.mark.parametrize(
    ("name", "code"), [("odd", "invalid_output"), ("wrong", "invalid_event"), ("dying", "command_failed")]
)
async def test_an_isolated_function_that_misbehaves_fails_its_run_alone(name: str, code: str) -> None:
    """With the code that it has in a thread; and one that ends its process takes nothing with it."""
    assert (await _told(name)).code == code


async def test_an_isolated_function_that_hears_nothing_is_killed() -> None:
    """Nothing is left behind, and the runtime stays healthy."""
    async with managed(_load("deaf")) as runs:
        run = runs.create(request())
        while b"begun" not in (await run.log.read(0)).body:
            await anyio.lowlevel.checkpoint()
        assert (await runs.cancel(run.run_id)).state is RunState.CANCELED
        assert runs.abandoned == 0
        assert find_marked("ARP_RUN_ID", run.run_id) == []
        assert "extensions" not in (await ended(runs, run.run_id)).result.to_dict()


async def test_an_isolated_function_can_look_at_the_flag() -> None:
    """It has some time to end by itself."""
    notes = Notes()
    async with managed(_load("watching"), trace=notes) as runs:
        run = runs.create(request())
        while b"begun" not in (await run.log.read(0)).body:
            await anyio.lowlevel.checkpoint()
        await runs.cancel(run.run_id)
    assert notes.said() == ["was told: canceled"]


async def test_an_isolated_class_is_made_for_each_run() -> None:
    """Nothing is shared between processes."""
    for _ in range(2):
        assert (await _told("Counting")).result.output == {"count": 1}


def test_only_a_plain_function_can_be_isolated() -> None:
    """The message says so."""
    assert _load("odd").workplace is Workplace.PROCESS
    with pytest.raises(AgentNotLoadableError, match="only a plain function"):
        _load("asynchronous")
