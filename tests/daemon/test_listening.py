"""Where programs listen: at a picked port that a stranger may have taken, or at a Unix socket."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import anyio
import pytest

from arp_daemon.port_owner import says_taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.daemon import RunningDaemon

_PLAIN = Path(__file__).parent.parent / "support" / "bestiary" / "plain_runtime.py"
# Tells where it was told to listen, and does so when it is allowed to.
_WAITING = f"""\
import os, socket, sys
control, *place = sys.argv[1:]
with socket.create_connection(("127.0.0.1", int(control))) as connection:
    connection.sendall(" ".join(place).encode())
    connection.recv(1)
os.execv(sys.executable, [sys.executable, {str(_PLAIN)!r}, *place])
"""
_SOON_S = 30


@asynccontextmanager
async def _asked_before_listening(meet: Callable[[list[str]], None]) -> AsyncIterator[int]:
    """Yield the port at which programs tell where they will listen; `meet` is called before each one does."""

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            meet((await stream.receive()).decode().split())
            await stream.send(b"g")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield int(listener.extra(anyio.abc.SocketAttribute.local_port))
        tasks.cancel_scope.cancel()


async def _launch(daemon: RunningDaemon, **exec_: Any) -> dict[str, Any]:
    await daemon.put_profile("p", driver="command", start_timeout_s=_SOON_S, **exec_)
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})
    body: dict[str, Any] = response.json()
    return body


async def _serves(daemon: RunningDaemon, **selector: str) -> bool:
    run_id = await daemon.submit("hi", runtime_selector=selector)
    return bool((await daemon.end(run_id))["state"] == "succeeded")


def _mode(path: Path) -> int | None:
    """Who may do what with a file; None where there is none."""
    return path.stat().st_mode & 0o777 if path.exists() else None


def _was_called(squatter: socket.socket) -> bool:
    squatter.settimeout(0.0)
    try:
        squatter.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize("listens", [True, False])
async def test_a_program_whose_port_was_taken_gets_another_one(daemon: RunningDaemon, listens: bool) -> None:
    """Issue 3: three tries. Whether the squatter listens, or only keeps the program from it; it hears nothing."""
    squatters: list[socket.socket] = []
    ports: list[int] = []

    def meet(place: list[str]) -> None:
        ports.append(int(place[1]))
        if len(ports) < 3:
            squatters.append(held.enter_context(closing(socket.socket())))
            squatters[-1].bind((place[0], ports[-1]))
            if listens:
                squatters[-1].listen()

    with ExitStack() as held:
        async with _asked_before_listening(meet) as control:
            body = await _launch(daemon, command=[sys.executable, "-c", _WAITING, str(control), "{host}", "{port}"])
        assert not (listens and any(map(_was_called, squatters)))
    (instance,) = body["instances"]
    assert len(set(ports)) == 3
    assert instance["runtime_api_endpoint"] == f"http://127.0.0.1:{ports[-1]}"
    assert await _serves(daemon, runtime_profile="p")


async def test_a_program_whose_ports_are_all_taken_is_a_clear_error(daemon: RunningDaemon) -> None:
    """After the third try, nothing is left of any."""
    ports: list[int] = []

    def meet(place: list[str]) -> None:
        ports.append(int(place[1]))
        held.enter_context(closing(socket.create_server((place[0], ports[-1]))))

    with ExitStack() as held:
        async with _asked_before_listening(meet) as control:
            body = await _launch(daemon, command=[sys.executable, "-c", _WAITING, str(control), "{host}", "{port}"])
    assert body["error"]["code"] == "instance_start_failed"
    assert len(set(ports)) == 3
    assert await daemon.instances() == []
    assert not [p for p in daemon.processes() if str(control) in p.cmdline()]


async def test_a_program_at_a_unix_socket_serves_runs(daemon: RunningDaemon) -> None:
    """Issue 3: `{uds}`. Shown as a URL, found by it, and gone with the instance."""
    body = await _launch(daemon, command=[sys.executable, str(_PLAIN), "{uds}"])
    (instance,) = body["instances"]
    endpoint = instance["runtime_api_endpoint"]
    assert urlsplit(endpoint).scheme == "http+unix"
    path = Path(unquote(urlsplit(endpoint).netloc))
    assert _mode(path.parent) == 0o700
    assert await _serves(daemon, runtime_api_endpoint=endpoint)
    await daemon.kill()
    await daemon.start()
    assert [i["instance_id"] for i in await daemon.instances()] == [instance["instance_id"]]
    assert await _serves(daemon, runtime_profile="p")
    await daemon.client.delete(f"/v1/instances/{instance['instance_id']}")
    assert _mode(path.parent) is None


async def test_a_stranger_at_a_unix_socket_is_not_taken_for_the_instance(daemon: RunningDaemon) -> None:
    """The socket must be found among the descriptors of the instance's own tree, before anything is sent."""
    squatters: list[socket.socket] = []

    def meet(place: list[str]) -> None:
        squatters.append(held.enter_context(closing(socket.socket(socket.AF_UNIX))))
        squatters[-1].bind(place[0])
        squatters[-1].listen()

    with ExitStack() as held:
        async with _asked_before_listening(meet) as control:
            body = await _launch(daemon, command=[sys.executable, "-c", _WAITING, str(control), "{uds}"])
        assert [_was_called(squatter) for squatter in squatters] == [False]
    assert body["error"]["code"] == "instance_start_failed"


@pytest.mark.parametrize(
    "said",
    [
        "OSError: [Errno 98] Address already in use",
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:8080",
        "listen tcp 127.0.0.1:8080: bind: address already in use",
        "Port 8080 is already in use",
        "Port 8080 is in use by another program.",
        'Os { code: 98, kind: AddrInUse, message: "Address in use" }',
    ],
)
def test_programs_say_in_many_words_that_a_port_is_taken(said: str) -> None:
    """Python, Node, Go, Flask, Rust."""
    assert says_taken(f"starting\n{said}\n")
    assert not says_taken("cannot import name 'port' from 'use'\n")
