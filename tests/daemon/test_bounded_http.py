"""Answers are bounded in bytes and in time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute

from arp_daemon.bounded_http import BoundedTransport

if TYPE_CHECKING:
    from anyio.abc import SocketStream

_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
_TIME_S = 0.3


async def _ask(pieces: list[bytes], *, endless: bytes = b"") -> httpx.Response | httpx.HTTPError:
    """What a client makes of a server that sends these pieces, and then one again and again, each soon enough."""
    never = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            with suppress(anyio.BrokenResourceError):
                for piece in pieces:
                    await stream.send(piece)
                while endless:
                    with anyio.move_on_after(_TIME_S / 10):
                        await never.wait()
                    await stream.send(endless)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)
        transport = BoundedTransport(httpx.AsyncHTTPTransport(), max_bytes=100)
        async with httpx.AsyncClient(transport=transport, timeout=_TIME_S) as client:
            outcome: httpx.Response | httpx.HTTPError
            try:
                outcome = await client.get(f"http://127.0.0.1:{port}/")
            except httpx.HTTPError as exc:
                outcome = exc
        tasks.cancel_scope.cancel()
    return outcome


async def test_an_answer_within_the_bounds_is_read() -> None:
    """As by any client."""
    outcome = await _ask([_HEAD + b"\r\n", b"x" * 100])
    assert isinstance(outcome, httpx.Response)
    assert outcome.content == b"x" * 100


async def test_an_answer_that_is_too_long_is_cut_off() -> None:
    """Whatever length it declares, or none."""
    outcome = await _ask([_HEAD + b"\r\n", b"x" * 101])
    assert isinstance(outcome, httpx.DecodingError)
    assert "over 100 bytes" in str(outcome)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", _HEAD + b"\r\n"])
async def test_an_answer_that_comes_byte_by_byte_is_cut_off(head: bytes) -> None:
    """Each byte is in time; the whole is not."""
    assert isinstance(await _ask([head], endless=b"x"), httpx.ReadTimeout)


async def test_a_compressed_answer_is_refused() -> None:
    """Nobody asked for it, and it may stand for gigabytes."""
    outcome = await _ask([_HEAD + b"Content-Encoding: gzip\r\n\r\n"])
    assert isinstance(outcome, httpx.DecodingError)
    assert "compressed" in str(outcome)
