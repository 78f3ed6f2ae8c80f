"""What instances say, by the API: while they run and after, followed, and without their secrets."""

from __future__ import annotations

import shlex
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest

from arp_sdk.daemon import AsyncDaemonClient
from support.daemon import running_daemon
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from support.daemon import RunningDaemon

_AGENT = """\
import os

async def agent(context):
    print(context.goal, os.environ["KEY"])
    return "said"
"""
_PLAIN = Path(__file__).parent.parent / "support" / "bestiary" / "plain_runtime.py"
_SECRET = "correct-horse-battery"
# A wait for a fact that comes in milliseconds.
_SOON_S = 30


@pytest.fixture(scope="module")
async def talking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """A daemon whose agent prints its goal, and its secret."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "talk.py").write_text(_AGENT)
    data_dir = tmp_path_factory.mktemp("data")
    (data_dir / "secrets").mkdir()
    (data_dir / "secrets" / "key").write_text(_SECRET)
    async with running_daemon(data_dir) as daemon:
        ours = {"driver": "runtime", "template": "arp_runtime.cli:main", "agent": "talk:agent"}
        exec_: dict[str, Any] = {**ours, "working_directory": str(folder), "env_from": {"KEY": {"file": "key"}}}
        await daemon.put_profile(**exec_, max=9)
        yield daemon


async def _launch(daemon: RunningDaemon) -> str:
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "default"})
    assert response.is_success, response.text
    return str(response.json()["instances"][0]["instance_id"])


async def _say(daemon: RunningDaemon, instance_id: str, goal: str) -> None:
    run_id = await daemon.submit(goal, runtime_selector={"instance_id": instance_id})
    assert (await daemon.end(run_id))["state"] == "succeeded"


async def _logs(daemon: RunningDaemon, instance_id: str, **query: Any) -> httpx.Response:
    return await daemon.client.get(f"/v1/instances/{instance_id}/logs", params={"stream": "stdout", **query})


@asynccontextmanager
async def _following(daemon: RunningDaemon, instance_id: str) -> AsyncIterator[AsyncIterator[str]]:
    """The pieces that a follower of stdout gets."""
    path, query = f"/v1/instances/{instance_id}/logs", {"stream": "stdout", "follow": "true"}
    with anyio.fail_after(_SOON_S):
        async with daemon.client.stream("GET", path, params=query) as response:
            assert response.is_success
            yield response.aiter_text()


async def _read_line(pieces: AsyncIterator[str]) -> str:
    """What comes up to the next line break, in as many pieces as it likes."""
    line = ""
    while not line.endswith("\n"):
        line += await anext(pieces)
    return line


async def test_logs_are_read_while_an_instance_runs_and_after_it_ended(talking: RunningDaemon) -> None:
    """Issue 3: as text, the last lines; and what was given as a secret is not in them."""
    instance_id = await _launch(talking)
    for goal in ("one", "two", "three"):
        await _say(talking, instance_id, goal)
    response = await _logs(talking, instance_id, lines=2)
    assert response.text == "two ****\nthree ****\n"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "listening" in (await _logs(talking, instance_id, stream="stderr")).text
    assert (await talking.client.delete(f"/v1/instances/{instance_id}")).is_success
    assert (await _logs(talking, instance_id)).text == "one ****\ntwo ****\nthree ****\n"
    assert (await _logs(talking, instance_id, lines=0)).text == ""


async def test_a_follower_hears_each_line_until_the_instance_ends(talking: RunningDaemon) -> None:
    """Issue 3: `follow`."""
    instance_id = await _launch(talking)
    await _say(talking, instance_id, "before")
    async with _following(talking, instance_id) as pieces:
        assert await _read_line(pieces) == "before ****\n"
        await _say(talking, instance_id, "after")
        assert await _read_line(pieces) == "after ****\n"
        await talking.client.delete(f"/v1/instances/{instance_id}")
        assert "".join([piece async for piece in pieces]) == ""


async def test_the_sdk_reads_and_follows(talking: RunningDaemon) -> None:
    """`get_instance_logs` gives what is there, `iter_instance_logs` what comes as well."""
    instance_id = await _launch(talking)
    await _say(talking, instance_id, "hello")
    async with AsyncDaemonClient(talking.url) as client:
        assert await client.get_instance_logs(instance_id, stream="stdout", lines=1) == "hello ****\n"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.delete_instance, instance_id)
            with anyio.fail_after(_SOON_S):
                said = [piece async for piece in client.iter_instance_logs(instance_id, stream="stdout")]
    assert "".join(said) == "hello ****\n"


@pytest.mark.parametrize(
    "query", [{"stream": "stdin"}, {"lines": -1}, {"lines": "x"}, {"lines": 10_001}, {"follow": 1}]
)
async def test_a_wrong_parameter_is_a_400(talking: RunningDaemon, query: dict[str, Any]) -> None:
    """The message names it."""
    response = await _logs(talking, "any", **query)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(next(iter(query)))


async def test_an_unknown_instance_is_a_404_and_a_registered_one_has_no_logs(talking: RunningDaemon) -> None:
    """Issue 3: unknown instance: 404. What the daemon did not launch, it did not hear."""
    response = await _logs(talking, "unheard-of")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "instance_not_found")
    async with running_runtime() as runtime:
        body = {"runtime_api_endpoint": runtime.base_url}
        registered = await talking.client.post("/v1/instances:register", json=body)
        instance_id = registered.json()["instance"]["instance_id"]
        response = await _logs(talking, instance_id)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "instance_logs_not_found")
        await talking.client.delete(f"/v1/instances/{instance_id}")


async def test_logs_outlive_the_daemon_and_a_stop_ends_their_followers(tmp_path: Path) -> None:
    """Issue 3: also after a restart, and without a launcher that remembers the instance."""
    async with running_daemon(tmp_path) as daemon:
        await daemon.put_profile(driver="runtime")
        instance_id = await _launch(daemon)
        said = (await _logs(daemon, instance_id, stream="stderr")).text
        async with _following(daemon, instance_id) as pieces:
            daemon.process.send_signal(signal.SIGTERM)
            assert "".join([piece async for piece in pieces]) == ""
        assert await daemon.stop() == 0
        await daemon.start()
        assert (await _logs(daemon, instance_id, stream="stderr")).text.startswith(said)


async def test_a_follower_that_never_reads_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    """Promise: SIGTERM: streams end, exit 0. What a reader does not take is not waited for."""
    script = f"yes {'x' * 200} & exec {shlex.join([sys.executable, str(_PLAIN)])} $0 $1"
    async with running_daemon(tmp_path) as daemon:
        await daemon.put_profile(driver="command", command=["/bin/sh", "-c", script, "{host}", "{port}"])
        instance_id = await _launch(daemon)
        address = urlsplit(daemon.url)
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect((address.hostname, address.port))
            path = f"/v1/instances/{instance_id}/logs?stream=stdout&follow=true&lines=10000"
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            reader.recv(1)
            # The kernel holds some for it; the piece that comes after that is not taken.
            while len((await _logs(daemon, instance_id, lines=10_000)).content) < 1_000_000:
                pass
            assert await daemon.stop() == 0
