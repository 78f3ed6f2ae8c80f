"""Calls over kept connections: what arrives, what is kept, and what is known when there is no answer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute

from arp_daemon import kept_connections
from arp_daemon.address import Address
from arp_daemon.kept_connections import Answer, KeptConnections, NoAnswerError
from arp_daemon.plain_http import NotConnectedError
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import SocketStream

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_LARGEST = 1000


class _Server:
    """Answers each request with the next of some answers; an empty one, and `closes`, end the connection."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self._answers = list(answers)
        self._closes = closes
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = anyio.Event()
        self.gate = anyio.Event()
        self.gate.set()

    async def serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            while self._answers:
                try:
                    request = await stream.receive()
                except anyio.EndOfStream:
                    return
                self.requests.append(request)
                answer = self._answers.pop(0)
                await self.gate.wait()
                await stream.send(answer)
                if self._closes or not answer:
                    break
        self.closed.set()

    @asynccontextmanager
    async def calls(self) -> AsyncIterator[KeptConnections]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self.serve)
            calls = KeptConnections(Address(f"http://name.test:{port}/base", ip="127.0.0.1"), _LARGEST)
            yield calls
            calls.close()
            tasks.cancel_scope.cancel()


async def test_a_call_says_what_it_is_and_its_connection_is_kept() -> None:
    """The number is called, and the name is in the Host header; the next call goes the same way."""
    server = _Server(_OK, b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n")
    async with server.calls() as calls:
        assert await calls.post("/v1/runs", b'{"a":1}') == Answer(200, b"{}")
        assert await calls.post("/v1/runs", b"{}") == Answer(404, b"no")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /base/v1/runs HTTP/1.1\r\nHost: name.test:")
    assert b"Content-Length: 7" in head
    assert body == b'{"a":1}'
    assert server.connections == 1


async def test_calls_at_the_same_time_have_a_connection_each() -> None:
    """None waits for the answer to another, and both connections are kept."""
    server = _Server(_OK, _OK, _OK, _OK)
    server.gate = anyio.Event()
    async with server.calls() as calls, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(calls.post, "/", b"{}")
        await until(lambda: len(server.requests) == 2)
        server.gate.set()
    assert server.connections == 2


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """A runtime may close what is idle; the next call opens another one."""
    server = _Server(_OK, _OK, closes=True)
    async with server.calls() as calls:
        await calls.post("/", b"{}")
        await server.closed.wait()
        for _ in range(10):  # until the loop has looked at its sockets
            await anyio.lowlevel.checkpoint()
        assert await calls.post("/", b"{}") == Answer(200, b"{}")
    assert server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    ids=["nothing", "nonsense", "cut off", "too long", "compressed", "another protocol"],
)
async def test_what_is_no_answer_leaves_unknown_whether_it_arrived(said: bytes) -> None:
    """And its connection is not used again."""
    async with _Server(said, closes=True).calls() as calls:
        with pytest.raises(NoAnswerError):
            await calls.post("/", b"{}")
        with pytest.raises((NoAnswerError, NotConnectedError)):
            await calls.post("/", b"{}")


async def test_an_answer_that_takes_too_long_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is for the whole of it."""
    monkeypatch.setattr(kept_connections, "_ANSWER_WITHIN_S", 0.05)
    server = _Server(_OK)
    server.gate = anyio.Event()
    async with server.calls() as calls:
        with pytest.raises(NoAnswerError):
            await calls.post("/", b"{}")


async def test_what_was_sent_unasked_is_no_answer_to_the_next_call() -> None:
    """More than an answer breaks the protocol: the connection is given up."""
    server = _Server(_OK + _OK, _OK)
    async with server.calls() as calls:
        await calls.post("/", b"{}")
        await calls.post("/", b"{}")
    assert server.connections == 2


async def test_what_comes_unasked_later_ends_the_connection_too() -> None:
    """It is noticed when the next call looks for a connection."""
    sent = anyio.Event()
    connections = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal connections
        connections += 1
        async with stream:
            await stream.receive()
            await stream.send(_OK)
            await anyio.lowlevel.checkpoint()
            await stream.send(_OK)
            sent.set()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        calls = KeptConnections(Address(f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"))
        assert await calls.post("/", b"{}") == Answer(200, b"{}")
        await sent.wait()
        assert await calls.post("/", b"{}") == Answer(200, b"{}")
        calls.close()
        tasks.cancel_scope.cancel()
    assert connections == 2


async def test_nobody_at_the_address_means_that_nothing_was_sent(tmp_path: Path) -> None:
    """A port that nobody listens at, and a Unix socket that is not there."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
    for address in (Address(f"http://127.0.0.1:{port}"), Address("http://localhost", uds=str(tmp_path / "none"))):
        with pytest.raises(NotConnectedError):
            await KeptConnections(address).post("/", b"{}")


async def test_an_answer_may_end_with_its_connection() -> None:
    """One that does not say how long it is; its connection is not used again."""
    server = _Server(b"HTTP/1.1 200 OK\r\n\r\n{}", closes=True)
    async with server.calls() as calls:
        assert await calls.post("/", b"{}") == Answer(200, b"{}")
        with pytest.raises((NoAnswerError, NotConnectedError)):
            await calls.post("/", b"{}")


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/\u00fc"])
async def test_what_no_request_can_carry_is_not_sent(path: str) -> None:
    """Nothing of it arrives."""
    server = _Server(_OK)
    async with server.calls() as calls:
        with pytest.raises(NotConnectedError):
            await calls.post(path, b"{}")
    assert server.requests == []
