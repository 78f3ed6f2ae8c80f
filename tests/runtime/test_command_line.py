"""`arp-runtime serve`: where it listens, which agent it loads, how it is launched."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from runtime.streams import execute, until_running, until_under_way
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.forked import ForkedCommands

_AGENTS = """
from arp_runtime import AgentContext, SyncAgentContext

async def shout(context: AgentContext) -> str:
    return context.goal.upper()

class Polite:
    async def __call__(self, context: AgentContext) -> dict[str, str]:
        return {"answer": f"Please: {context.goal}"}

polite = Polite()

def blocking(context: SyncAgentContext) -> str:
    context.emit_token("...")
    return f"At last: {context.goal}"
"""

_DEAF = """
import time

def agent(context):
    time.sleep(60)
"""

_IMPATIENT = """
import arp_runtime.cli, arp_runtime.commands.serve, arp_runtime.runs.manager
arp_runtime.commands.serve._LAST_RESORT_S = 1
arp_runtime.runs.manager._INTERRUPT_WAIT_S = 0.1
arp_runtime.cli.main()
"""

_RESISTING = """
import anyio

async def agent(context):
    await context.step("resist")
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()
"""


async def _answer(base_url: str, goal: str) -> object:
    async with httpx.AsyncClient(base_url=base_url, timeout=10) as client:
        return (await execute(client, goal))[-1].data["data"]["output"]["answer"]


@pytest.fixture
def refusal(arp_runtime: ForkedCommands, tmp_path: Path) -> Callable[..., Awaitable[str]]:
    """What a runtime that does not start says; it must be one line."""

    async def refusal(*args: str) -> str:
        done = await arp_runtime.run("serve", *args, cwd=tmp_path)
        assert done.code == 1
        assert done.err.startswith("arp-runtime: ")
        assert done.err.count("\n") == 1
        return done.err

    return refusal


async def test_it_says_where_it_listens() -> None:
    """One line with the URL, and that is where it is."""
    async with running_runtime() as runtime:
        assert runtime.base_url.startswith("http://127.0.0.1:")
        assert await _answer(runtime.base_url, "1+1") == "1+1 = 2"


async def test_a_taken_port_is_refused_or_passed_over(refusal: Callable[..., Awaitable[str]]) -> None:
    """Refused with the cure in the message; with --auto-port the next free one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "--auto-port" in await refusal("--port", str(port))
        async with running_runtime("--auto-port", port=port) as runtime:
            assert runtime.base_url != f"http://127.0.0.1:{port}"
            assert await _answer(runtime.base_url, "1+1") == "1+1 = 2"


async def test_it_serves_on_an_inherited_socket() -> None:
    """A launcher binds, and so knows the address before the runtime has started."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with running_runtime("--host", f"fd://{listener.fileno()}", pass_fds=[listener.fileno()]) as runtime:
            assert runtime.base_url == url
            assert await _answer(url, "1+1") == "1+1 = 2"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "fd://999", "fd://x"])
async def test_what_cannot_or_may_not_be_listened_on_is_refused(
    host: str, refusal: Callable[..., Awaitable[str]]
) -> None:
    """Never wider than loopback without tokens."""
    assert host in await refusal("--host", host)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("my_agents:polite", "Please: hello"),
        ("./my_agents.py:blocking", "At last: hello"),
    ],
)
async def test_it_serves_an_agent_of_ones_own(tmp_path: Path, name: str, answer: str) -> None:
    """From a module in the current folder, where the installed script too looks, or from a file."""
    (tmp_path / "my_agents.py").write_text(_AGENTS)
    script = Path(sys.executable).with_name("arp-runtime")
    async with running_runtime("--agent", name, cwd=tmp_path, program=[str(script)]) as runtime:
        assert await _answer(runtime.base_url, "hello") == answer


async def test_the_agent_can_be_named_in_the_environment(tmp_path: Path) -> None:
    """As every option can."""
    (tmp_path / "my_agents.py").write_text(_AGENTS)
    async with running_runtime(env={"ARP_RUNTIME_AGENT": "my_agents:shout"}, cwd=tmp_path) as runtime:
        assert await _answer(runtime.base_url, "hello") == "HELLO"


async def test_an_agent_that_cannot_be_had_is_refused(refusal: Callable[..., Awaitable[str]]) -> None:
    """In one line that says why, without a traceback."""
    assert "write module:attribute" in await refusal("--agent", "nothing")


@pytest.mark.parametrize(("option", "value"), [("--max-concurrent-runs", "0"), ("--max-waiting-runs", "-1")])
async def test_a_capacity_that_makes_no_sense_is_refused(
    option: str, value: str, arp_runtime: ForkedCommands, tmp_path: Path
) -> None:
    """With the option's name."""
    done = await arp_runtime.run("serve", option, value, cwd=tmp_path)
    assert done.code != 0
    assert option in done.out + done.err


async def test_the_capacity_is_what_was_asked_for() -> None:
    """Beyond it 503 overloaded, also for an item of a batch; health tells how many wait."""
    async with (
        running_runtime("--max-concurrent-runs", "1", "--max-waiting-runs", "1", "--drain-grace-s", "0") as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        items = [{"run_id": f"r{number}", "input": {"goal": "wait 60 seconds"}} for number in range(3)]
        results = (await client.post("/v1/runs:batch", json={"runs": items})).json()["results"]
        assert [item.get("error", {}).get("code") for item in results] == [None, None, "overloaded"]
        refused = await client.post("/v1/runs", json={"input": {"goal": "x"}})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        health = (await client.get("/v1/health")).json()
        assert health["checks"][0]["details"] == {"under_way": 2, "waiting": 1}
        assert (await client.get("/v1/version")).json()["extensions"]["arp.max_concurrent_runs"] == 1


async def test_a_deaf_thread_makes_the_runtime_degraded_and_does_not_keep_it_alive(tmp_path: Path) -> None:
    """The run ends as canceled, no more are taken, and SIGTERM still ends the process with exit code 0."""
    (tmp_path / "deaf.py").write_text(_DEAF)
    async with running_runtime("--agent", "./deaf.py:agent", "--cancel-grace-s", "0.1", cwd=tmp_path) as runtime:
        async with httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client:
            await client.post("/v1/runs", json={"run_id": "r1", "input": {"goal": "x"}})
            await until_running(client, "r1")
            assert (await client.post("/v1/runs/r1:cancel")).json()["state"] == "canceled"
            result = (await client.get("/v1/runs/r1/result")).json()
            assert result["extensions"] == {"arp.abandoned": True}
            health = (await client.get("/v1/health")).json()
            checks = {check["name"]: check["status"] for check in health["checks"]}
            assert health["status"] == checks["runs"] == checks["abandoned_agents"] == "degraded"
            refused = await client.post("/v1/runs", json={"input": {"goal": "x"}})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        assert await runtime.stop() == 0


async def test_an_agent_that_resists_everything_cannot_keep_the_process_alive(tmp_path: Path) -> None:
    """Its run is told as interrupted, and the kernel ends the process soon after."""
    (tmp_path / "resisting.py").write_text(_RESISTING)
    async with running_runtime(
        "--agent", "resisting:agent", "--drain-grace-s", "0", cwd=tmp_path, program=("-c", _IMPATIENT)
    ) as runtime:
        async with httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    last: list[str] = []

                    async def follow() -> None:
                        last.append((await execute(client, "x"))[-1].data["data"]["error"]["code"])

                    tasks.start_soon(follow)
                    await until_under_way(client)
                    assert await runtime.stop() != 0
        assert last == ["interrupted"]


async def test_the_log_is_json_lines() -> None:
    """For programs that collect it."""
    async with running_runtime() as runtime:
        assert await runtime.stop() == 0
    assert [json.loads(line)["event"] for line in runtime.log] == ["listening"]


_LOGGER = '''
"""An agent that logs."""

import logging


async def agent(context):
    logging.getLogger("mine").warning("thinking")
'''


async def test_what_an_agent_logs_bears_its_run(tmp_path: Path) -> None:
    """Also through the standard library's logging: each line has the run_id."""
    (tmp_path / "logger.py").write_text(_LOGGER)
    async with (
        running_runtime("--agent", "./logger.py:agent", cwd=tmp_path) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        for run_id in ("r1", "r2"):
            await execute(client, "x", run_id=run_id)
        assert await runtime.stop() == 0
    said = [json.loads(line) for line in runtime.log if "thinking" in line]
    assert [(line["event"], line["run_id"]) for line in said] == [("thinking", "r1"), ("thinking", "r2")]


async def test_the_help_tells_what_each_command_does() -> None:
    """Also of those that an instance never imports."""
    with anyio.fail_after(30):
        done = await anyio.run_process([sys.executable, "-m", "arp_runtime", "--help"])
    said = done.stdout.decode()
    for command, what in (("init", "Write a small project"), ("run", "Execute one run"), ("tools", "Show the tools")):
        (line,) = [line for line in said.splitlines() if line.startswith(f"│ {command} ")]
        assert what in line


async def test_a_token_that_is_put_in_force_is_asked_for(tmp_path: Path) -> None:
    """Made where there is none; who comes through a proxy needs it, and the document says so."""
    path = tmp_path / "token"
    async with (
        running_runtime(env={"ARP_RUNTIME_TOKEN_FILE": str(path), "ARP_RUNTIME_ALLOW_HOST": "arp.example"}) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        through = {"Via": "1.1 proxy", "Host": "arp.example"}
        assert (await client.get("/openapi.json", headers=through)).status_code == 401
        through["Authorization"] = f"Bearer {path.read_text().strip()}"
        document = (await client.get("/openapi.json", headers=through)).json()
        assert document["security"] == [{"ArpBearerJWT": []}, {}]
        assert path.read_text().strip() not in "".join(runtime.log)
