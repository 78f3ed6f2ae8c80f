"""`arp-runtime serve --reload`: the code is changed, and served."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import httpx

from arp_runtime.agents.child_process import attached
from arp_runtime.commands.reloading import child_arguments, watched
from arp_service.processes import identify, is_alive
from arp_service.stopping import Stop
from runtime.streams import execute, until_under_way
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from support.runtime import RunningRuntime

_AGENT = """
import anyio, os

async def agent(context):
    await context.step("begun", pid=os.getpid())
    if context.goal == "wait":
        await anyio.sleep(0.2)
    return "{answer}"
"""


async def _until_said(runtime: RunningRuntime, word: str, times: int) -> None:
    with anyio.fail_after(30):
        while sum(word in line for line in runtime.log) < times:
            await anyio.lowlevel.checkpoint()


async def test_changed_code_is_served_and_runs_under_way_end(tmp_path: Path) -> None:
    """On the same socket; the runtime that goes lets its runs end; code that does not load is waited out."""
    file = tmp_path / "agent.py"
    file.write_text(_AGENT.format(answer="first"))
    async with (
        running_runtime("--agent", "./agent.py:agent", "--reload", cwd=tmp_path) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=20) as client,
    ):
        begun: dict[str, int] = {}

        async def run_meanwhile() -> None:
            events = await execute(client, "wait")
            begun["pid"] = events[0].data["data"]["pid"]
            assert events[-1].data["data"]["output"] == {"answer": "first"}

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_meanwhile)
            await until_under_way(client)
            file.write_text("def broken(:")
        await _until_said(runtime, "SyntaxError", 1)
        file.write_text(_AGENT.format(answer="second"))
        await _until_said(runtime, "listening", 2)
        events = await execute(client, "x")
        assert events[-1].data["data"]["output"] == {"answer": "second"}
        identity = identify(events[0].data["data"]["pid"])
        assert await runtime.stop() == 0
    assert begun["pid"] != events[0].data["data"]["pid"]
    assert identity is not None
    assert not is_alive(identity)


async def test_a_program_that_has_ended_need_not_be_ended() -> None:
    """Such as a runtime whose code does not load; leaving the block is no error then."""
    with anyio.fail_after(20):
        async with attached([sys.executable, "-c", "raise SystemExit(3)"], [], Stop(), 1.0) as process:
            assert await process.wait() == 3


def test_the_runtime_is_given_the_same_command_line() -> None:
    """But for the socket, and without reloading again."""
    arguments = ["serve", "--agent", "--host", "--host", "::1", "--reload", "--host=x", "--port", "0"]
    assert child_arguments(["serve", "--reload", "--host", "::1", "--port", "0"], 7) == [
        "serve",
        "--port",
        "0",
        "--host",
        "fd://7",
        "--reload=false",
    ]
    assert child_arguments(arguments[:1] + arguments[6:], 7)[:3] == ["serve", "--port", "0"]


def test_the_files_of_an_agent_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python in the current folder, and the file that is named, wherever and whatever it is."""
    (tmp_path / "here").mkdir()
    (tmp_path / "agent.py").touch()
    (tmp_path / "agent.js").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert watched("my_package:agent") == ([tmp_path / "here"], (".py",))
    assert watched("../agent.py:agent") == ([tmp_path / "here", tmp_path], (".py", ".py"))
    assert watched("command:node ../agent.js") == ([tmp_path / "here", tmp_path], (".py", ".js"))
