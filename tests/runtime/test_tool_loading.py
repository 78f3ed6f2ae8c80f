"""Where a runtime's tools come from, what it refuses, and what `arp-runtime tools` shows of them."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from runtime.streams import execute
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.forked import ForkedCommands

_MY_TOOLS = """
from arp_runtime import tool

@tool
def shout(text: str) -> dict[str, str]:
    \"\"\"Says it louder.\"\"\"
    return {"text": text.upper()}

@tool(tool_id="clock")
def my_clock() -> dict[str, str]:
    return {"text": "noon"}

@tool(tool_id="hidden")
def _hidden() -> None: ...
"""


async def _origins(*args: str, cwd: Path, env: Mapping[str, str]) -> dict[str, str]:
    command = [sys.executable, "-m", "arp_runtime", "tools", "--json", *args]
    with anyio.fail_after(30):
        done = await anyio.run_process(command, cwd=cwd, env={**os.environ, **env})
    return {tool["tool_id"]: tool["origin"] for tool in json.loads(done.stdout)}


def _install(site: Path, name: str, module: str, source: str) -> None:
    """What an installed package leaves: a module, and a folder that tells of its entry point."""
    (site / f"{module}.py").write_text(source)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[arp_runtime.tools]\n{name} = {module}\n")


async def test_tools_come_from_modules_files_and_installed_packages(tmp_path: Path) -> None:
    """One list; what is private stays so, and a built-in tool gives way."""
    site = tmp_path / "site"
    site.mkdir()
    _install(site, "weather", "weather_tools", _MY_TOOLS.replace("clock", "barometer").replace("shout", "rain"))
    (tmp_path / "my_tools.py").write_text(_MY_TOOLS)
    expected = {
        "calculator": "built in",
        "clock": "--tools my_tools",
        "echo": "built in",
        "shout": "--tools my_tools",
        "barometer": "entry point weather of weather",
        "rain": "entry point weather of weather",
    }
    env = {"PYTHONPATH": str(site)}
    assert await _origins("--tools", "my_tools", "--tools", "./my_tools.py", cwd=tmp_path, env=env) == expected


async def test_people_see_a_table(tmp_path: Path, arp_runtime: ForkedCommands) -> None:
    """A tool with what it takes, what it does, and where it is from."""
    (tmp_path / "my_tools.py").write_text(_MY_TOOLS)
    code, out, err = await arp_runtime.run("tools", "--tools", "./my_tools.py", cwd=tmp_path, env={"COLUMNS": "200"})
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["shout", "text", "Says", "it", "louder.", "--tools", "./my_tools.py"] in lines


@pytest.mark.parametrize(
    ("args", "source", "words"),
    [
        (["--tools", "nowhere.tools"], "", "--tools nowhere.tools: there is no module 'nowhere', neither in /"),
        (["--tools", "./none.py"], "", "there is no file"),
        (["--tools", "./own.py"], "x = 1", "put @tool before a function"),
        (["--tools", "./own.py"], "def broken(:", "own.py, line 1"),
        (["--tools", "./own.py"], "import arp_runtime\n@arp_runtime.tool\ndef f(x): ...", "line 2)"),
        (["--tools", "./own.py", "--tools", "./other.py"], _MY_TOOLS, "Two tools have the id 'shout'"),
    ],
)
async def test_what_cannot_be_loaded_is_refused_at_the_start(
    args: list[str], source: str, words: str, tmp_path: Path, arp_runtime: ForkedCommands
) -> None:
    """In one line that names the place; a runtime with half of its tools never serves."""
    (tmp_path / "own.py").write_text(source)
    (tmp_path / "other.py").write_text(source)
    code, _, err = await arp_runtime.run("serve", *args, cwd=tmp_path)
    assert code == 1
    assert words in err
    assert len(err.splitlines()) == 1


async def test_a_served_run_can_use_them(tmp_path: Path) -> None:
    """Under its tool_policy, as the built-in ones."""
    (tmp_path / "my_tools.py").write_text(_MY_TOOLS)

    async def outcome(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
        asked = {"goal": "", "data": {"tool_id": "shout", "args": {"text": "hello"}}}
        data: dict[str, Any] = (await execute(client, "", input=asked, **fields))[-1].data["data"]
        return data

    async with (
        running_runtime("--tools", "./my_tools.py", cwd=tmp_path) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        assert (await outcome(client))["output"]["answer"] == "HELLO"
        denied = await outcome(client, tool_policy={"deny_tool_ids": ["shout"]})
        assert denied["error"]["code"] == "tool_denied"
