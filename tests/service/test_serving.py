"""Where a service listens, and where it refuses to."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx
import psutil
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from arp_service import serving
from arp_service.application import create_app
from arp_service.serving import CannotListenError, bind, url_of
from arp_service.streaming import text_response
from support.serving import served
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request
    from starlette.responses import Response


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", "", "127.0.0.1.example.com"])
def test_nothing_but_loopback_is_bound(host: str) -> None:
    """Without a token nobody else may reach it; the message says how to reach further."""
    with pytest.raises(CannotListenError, match="loopback"):
        bind(host, 0)


def test_with_a_token_it_may_be_reached_from_elsewhere() -> None:
    """The kernel is asked for the address then; it has none of those set aside for examples, so nothing listens."""
    with pytest.raises(CannotListenError, match="Cannot assign"):
        bind("192.0.2.1", 0, token=True)
    with pytest.raises(CannotListenError, match="no such address"):
        bind("no such name", 0, token=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.7"])
def test_every_loopback_address_is_bound_and_named(host: str) -> None:
    """Port 0 takes a free port, and the URL leads to it."""
    with bind(host, 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener).endswith(f":{port}")
        with socket.create_connection(listener.getsockname()[:2]) as connection:
            assert connection.getpeername()[1] == port


def test_a_port_that_is_taken_is_an_error_with_its_cure_or_the_next_one() -> None:
    """`--auto-port` takes the next free port instead."""
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotListenError, match="--auto-port"):
            bind("127.0.0.1", port)
        with bind("127.0.0.1", port, auto_port=True) as second:
            assert second.getsockname()[1] > port


@pytest.mark.parametrize("port", [-1, 65536, 99999])
@pytest.mark.parametrize("auto_port", [False, True])
def test_a_port_that_there_is_not_is_refused(port: int, auto_port: bool) -> None:
    """Nothing listens at another one, which nobody has asked for."""
    with pytest.raises(CannotListenError, match=f"--port {port}: a port is a number from 0 to 65535"):
        bind("127.0.0.1", port, auto_port=auto_port)


def test_an_inherited_socket_is_taken_over() -> None:
    """`fd://N`; a number that is no socket is an error."""
    given = socket.create_server(("127.0.0.1", 0))
    address = given.getsockname()
    with bind(f"fd://{given.detach()}", 0) as listener:
        assert listener.getsockname() == address
    for wrong in ("fd://9999", "fd://x"):
        with pytest.raises(CannotListenError, match="inherited"):
            bind(wrong, 0)


def test_an_inherited_socket_that_reaches_wider_is_refused() -> None:
    """Whoever bound it: beyond loopback nothing is served without tokens. It listens on nothing here."""
    with socket.socket() as wide:
        wide.bind(("0.0.0.0", 0))
        with pytest.raises(CannotListenError, match="loopback"):
            bind(f"fd://{wide.fileno()}", 0)
        assert wide.getsockname()[0] == "0.0.0.0"
        with bind(f"fd://{os.dup(wide.fileno())}", 0, token=True) as taken_over:
            assert taken_over.getsockname() == wide.getsockname()


def test_half_open_peers_are_noticed_on_accepted_connections() -> None:
    """Keepalive is set on the listening socket and inherited."""
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) > 0


async def test_a_connection_is_closed_when_its_client_has_closed_it() -> None:
    """Also one that was kept alive, or left in the middle of an answer: no descriptor is held for nobody."""

    async def wait(request: Request) -> Response:
        await request.body()
        return text_response(_endless())

    async def answer(_request: Request) -> Response:
        return PlainTextResponse("done")

    app = create_app([Route("/answer", answer), Route("/wait", wait)], lambda _scope, _headers: None)
    async with served(app) as client:
        for _ in range(20):
            async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as once:
                assert (await once.get("/answer")).text == "done"
            async with (
                httpx.AsyncClient(base_url=client.base_url, trust_env=False) as leaving,
                leaving.stream("GET", "/wait") as response,
            ):
                assert await anext(response.aiter_raw())
        await until(lambda: _held(client.base_url.port) == [])


async def _endless() -> AsyncGenerator[bytes, None]:
    while True:
        yield b"data: more\n\n"
        await anyio.lowlevel.checkpoint()


def _held(port: int | None) -> list[str]:
    """Connections that the server holds though their clients are gone."""
    own = psutil.Process().net_connections("tcp")
    return [str(c) for c in own if c.laddr.port == port and c.status != psutil.CONN_LISTEN]


async def test_an_idle_connection_is_closed_and_a_busy_one_answers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody uses is closed in time, counted from its last answer, and never within a request."""
    monkeypatch.setattr(serving, "_KEEP_ALIVE_S", 0.2)
    go_on, asked = anyio.Event(), anyio.Event()

    async def wait(_request: Request) -> Response:
        asked.set()
        await go_on.wait()
        return PlainTextResponse("done")

    app = create_app([Route("/wait", wait)], lambda _scope, _headers: None)
    async with served(app) as client:
        url = client.base_url
        idle, busy = [await anyio.connect_tcp(url.host, url.port or 0) for _ in range(2)]
        async with idle, busy:
            await busy.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asked.wait()
            with pytest.raises(anyio.EndOfStream):
                await idle.receive()
            go_on.set()
            assert (await busy.receive()).endswith(b"\r\n\r\ndone")
            with pytest.raises(anyio.EndOfStream):
                await busy.receive()
