"""Streams of events over connections of their own: what is asked, what comes as one piece, and how they end."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute

from arp_daemon import stream_connection
from arp_daemon.address import Address
from arp_daemon.stream_connection import BrokenStreamError, NotReachedError, open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Server:
    """Answers one request with some bytes, and closes at `end`, or when the client has gone."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.request = b""
        self.end = anyio.Event()
        self.left = anyio.Event()

    async def serve(self, stream: SocketStream) -> None:
        async with stream, anyio.create_task_group() as tasks:
            self.request = await stream.receive()
            await stream.send(self._answer)
            tasks.start_soon(self._until_left, stream)
            await self.end.wait()
            tasks.cancel_scope.cancel()

    async def _until_left(self, stream: SocketStream) -> None:
        try:
            await stream.receive()
        except anyio.EndOfStream:
            self.left.set()
            self.end.set()

    @asynccontextmanager
    async def address(self) -> AsyncIterator[Address]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self.serve)
            with anyio.fail_after(10):
                yield Address(f"http://name.test:{port}/base", ip="127.0.0.1")
            tasks.cancel_scope.cancel()


def _chunks(*texts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(text), text) for text in texts)


async def test_all_that_has_come_is_one_piece() -> None:
    """However many chunks it was sent in: each piece costs a transaction. The connection goes with the block."""
    server = _Server(_HEAD + _chunks(b"one ", b"two ", b"three"))
    async with server.address() as address:
        async with open_stream(address, "/v1/events", "boot-7") as stream:
            assert (stream.status, stream.media_type) == (200, "text/event-stream")
            assert await anext(stream.pieces()) == b"one two three"
        await server.left.wait()
    assert server.request.startswith(b"GET /base/v1/events HTTP/1.1\r\nHost: name.test:")
    assert b"\r\nAccept: text/event-stream\r\n" in server.request
    assert b"\r\nLast-Event-ID: boot-7\r\n" in server.request


async def test_a_stream_that_has_ended_ends() -> None:
    """That is no fault; whoever asked asks again. Without an event seen, nothing is said of one."""
    server = _Server(b"HTTP/1.1 103 Early Hints\r\n\r\n" + _HEAD + _chunks(b"all", b""))
    async with server.address() as address, open_stream(address, "/v1/events", None) as stream:
        assert [piece async for piece in stream.pieces()] == [b"all"]
    assert b"Last-Event-ID" not in server.request


async def test_a_stream_that_breaks_off_is_told_from_one_that_has_ended() -> None:
    """What had come before is given first."""
    server = _Server(_HEAD + _chunks(b"some"))
    async with server.address() as address, open_stream(address, "/v1/events", None) as stream:
        pieces = stream.pieces()
        assert await anext(pieces) == b"some"
        server.end.set()
        with pytest.raises(BrokenStreamError):
            await anext(pieces)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.test ESMTP\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    ],
)
async def test_what_is_no_stream_is_none(answer: bytes) -> None:
    """Another protocol, a compressed answer (a few bytes of which may stand for gigabytes), a head without an end."""
    server = _Server(answer)
    async with server.address() as address:
        with pytest.raises(BrokenStreamError):
            async with open_stream(address, "/v1/events", None):
                pass


async def test_nobody_is_told_from_one_who_breaks_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """No listener, no answer, and no sign of life: it may be there again later."""
    async with _Server(b"").address() as address:
        pass
    with pytest.raises(NotReachedError):
        async with open_stream(address, "/v1/events", None):
            pass
    monkeypatch.setattr(stream_connection, "_SILENT_FOR_S", 0.05)
    async with _Server(b"HTTP/1.1 200").address() as address:
        with pytest.raises(NotReachedError):
            async with open_stream(address, "/v1/events", None):
                pass
    async with _Server(_HEAD).address() as address, open_stream(address, "/v1/events", None) as stream:
        with pytest.raises(NotReachedError):
            await anext(stream.pieces())


async def test_who_never_stops_talking_lets_others_have_their_turn() -> None:
    """Heartbeats without an end make no event that anybody would wait for the store with."""
    flood, heard_enough, most = _chunks(b": ping\n\n" * 10_000), threading.Event(), 3000

    def talk(listener: socket.socket) -> int:
        sock, _ = listener.accept()
        with sock, suppress(ConnectionError):
            sock.recv(10_000)
            sock.sendall(_HEAD)
            for number in range(most):
                if heard_enough.is_set():
                    return number
                sock.sendall(flood)
        return most

    async def read() -> None:
        async with open_stream(Address(f"http://127.0.0.1:{listener.getsockname()[1]}"), "/", None) as stream:
            with suppress(BrokenStreamError):  # the talker may hang up before this is told to end
                async for _ in stream.pieces():
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        talking = asyncio.get_running_loop().run_in_executor(None, talk, listener)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            heard_enough.set()
            assert await talking < most
            tasks.cancel_scope.cancel()
