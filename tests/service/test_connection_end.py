"""How a connection ends: its client leaves or takes nothing, or the server ends."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from arp_service import connection, serving
from arp_service.application import create_app
from arp_service.streaming import text_response
from support.connected import GET, HOST, connected
from support.serving import served
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest
    from starlette.requests import Request


class _Large:
    """An endpoint that sends more than the kernel takes, to one client."""

    def __init__(self) -> None:
        self.sent = 0
        self._transport: asyncio.WriteTransport | None = None

    async def __call__(self, request: Request) -> Response:
        assert request.client is not None
        return StreamingResponse(self._pieces(_transport_to(request.client.port)))

    async def _pieces(self, transport: asyncio.WriteTransport) -> AsyncGenerator[bytes, None]:
        self._transport = transport
        while not transport.get_write_buffer_size():
            yield b"x" * 1000
            self.sent += 1000

    def is_closing(self) -> bool:
        return self._transport is not None and self._transport.is_closing()


def _transport_to(port: int) -> asyncio.WriteTransport:
    """The server's end of the connection with a client of this port."""
    transports = [found for found in gc.get_objects() if isinstance(found, asyncio.WriteTransport)]
    return next(found for found in transports if (found.get_extra_info("peername") or (None, None))[1] == port)


async def test_a_reader_that_takes_nothing_for_so_long_that_the_kernel_gives_up_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That its connection timed out is told as another error than that it was reset."""
    monkeypatch.setattr(serving, "_USER_TIMEOUT_MS", 50)
    given_up = anyio.Event()

    async def for_ever(_request: Request) -> Response:
        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    yield b"x" * 100_000
            finally:
                given_up.set()

        return text_response(pieces())

    with capture_logs() as entries:
        async with connected(Route("/for-ever", for_ever)) as client:
            await client.send(GET % b"for-ever")
            with anyio.fail_after(20):
                await given_up.wait()
    assert [entry["event"] for entry in entries] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_who_takes_its_time_gets_the_last_answer_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a server that ends is in a hurry to close."""
    monkeypatch.setattr(connection, "_HURRIED_CLOSE_S", 0)
    large = _Large()
    async with connected(Route("/large", large)) as client:
        await client.send(b"GET /large HTTP/1.0\r\n" + HOST + b"\r\n")
        await until(large.is_closing)
        await client.head()
        assert len(await client.rest()) == large.sent


async def test_an_answer_that_is_given_up_at_the_end_of_the_server_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It had its time; its client sees the end of the connection, and nobody is told of an error."""
    monkeypatch.setattr(serving, "_GRACEFUL_S", 0.05)
    asked = anyio.Event()

    async def never(_request: Request) -> Response:
        asked.set()
        await anyio.sleep_forever()
        return Response()

    async with connected(Route("/never", never)) as client:
        await client.send(GET % b"never")
        with anyio.fail_after(10):
            await asked.wait()
    assert await client.rest() == b""
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_last_answer_that_nobody_takes_is_given_up_at_the_end_of_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is told of an error then either."""
    monkeypatch.setattr(serving, "_GRACEFUL_S", 0.05)
    large = _Large()
    async with served(create_app([Route("/large", large)], lambda _scope, _headers: None)) as client:
        _reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"GET /large HTTP/1.0\r\n" + HOST + b"\r\n")
        await until(large.is_closing)
    writer.close()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_reader_that_leaves_is_noticed_though_it_has_asked_for_more() -> None:
    """What it asks next is not read on and on while it gets its answer."""
    left = anyio.Event()

    async def for_ever(_request: Request) -> Response:
        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                yield b"one"
                await anyio.sleep_forever()
            finally:
                left.set()

        return text_response(pieces())

    async with connected(Route("/for-ever", for_ever)) as client:
        await client.send(GET % b"for-ever" + GET % b"hello")
        await client.head()
        client.writer.transport.abort()
        with anyio.fail_after(10):
            await left.wait()
