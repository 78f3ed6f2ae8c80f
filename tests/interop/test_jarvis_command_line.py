"""The command line that comes with arp-jarvis-daemon 0.1.0 manages our daemon as it manages its own."""

from __future__ import annotations

import json
import os
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio

from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from support.daemon import RunningDaemon

    Command = Callable[..., Awaitable[Any]]

_COMMAND_TIMEOUT_S = 60


def _commands(jarvis_daemon: Path, url: str, folder: Path) -> Command:
    """A function that runs one command, and returns the JSON that it prints. A dict among its words is a file of it."""

    async def command(*words: str | dict[str, Any]) -> Any:
        given = [word if isinstance(word, str) else await _file(word) for word in words]
        with anyio.fail_after(_COMMAND_TIMEOUT_S):
            done = await anyio.run_process(
                [str(jarvis_daemon / "arp-jarvis-daemon"), *given],
                check=False,
                stderr=PIPE,
                env={**os.environ, "ARP_DAEMON_URL": url},
            )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout else None

    async def _file(content: dict[str, Any]) -> str:
        path = anyio.Path(folder / "request.json")
        await path.write_text(json.dumps(content))
        return str(path)

    return command


async def test_its_command_line_manages_our_daemon(
    jarvis: Path, jarvis_daemon: Path, tools_url: str, daemon: RunningDaemon, tmp_path: Path
) -> None:
    """A profile as its documents have it, an instance of it, a run to its end, and all lists."""
    command = _commands(jarvis_daemon, daemon.url, tmp_path)
    words = [str(jarvis / "arp-jarvis-runtime"), "serve", "--port", "{port}", "--trace-dir", str(tmp_path)]
    profile = {"extensions": {"arp.jarvis.exec": {"driver": "command", "command_template": words}}}
    put = await command("runtime-profiles", "upsert", "theirs", "--request-json", profile)
    assert put == {"runtime_profile": "theirs", **profile}
    listed = await command("runtime-profiles", "list")
    assert [shown["runtime_profile"] for shown in listed["profiles"]] == ["default", "theirs"]

    started = await command("start", "--runtime-profile", "theirs", "--tool-registry-url", tools_url)
    [instance] = started["instances"]
    assert (instance["managed"], instance["runtime_name"]) == (True, "arp-jarvis-runtime")
    assert [shown["instance_id"] for shown in (await command("list"))["instances"]] == [instance["instance_id"]]

    request = {"run_id": "r1", "input": {"goal": "What is (19*23)?"}, "runtime_selector": {"runtime_profile": "theirs"}}
    assert (await command("run", "--request-json", request))["run_id"] == "r1"
    await until_answer(lambda: command("status", "r1"), lambda status: status["state"] == "succeeded")
    assert "437" in (await command("result", "r1"))["output"]["final_text"]
    assert (await command("trace", "r1"))["events"]
    assert [run["run_id"] for run in (await command("runs", "--page-size", "1"))["runs"]] == ["r1"]

    await command("delete", instance["instance_id"])
    await command("runtime-profiles", "delete", "theirs")
    assert (await command("list"))["instances"] == []
