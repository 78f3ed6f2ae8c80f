"""A connection that stays open, and carries one request after the other."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_HOST = "127.0.0.1"


class Answer(NamedTuple):
    """What came back; the body of a stream is what its reader was given."""

    status: int
    body: bytes


def request(method: str, path: str, body: bytes | None = None) -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {_HOST}\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One connection. Ask for one thing at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._lost: Exception | None = None
        self._status = 0
        self._left: int | None = None
        """Bytes of the body, or of its chunk, that have not come; None while a head is awaited."""
        self._chunked = False
        self._read: Callable[[bytes], object] | None = None
        self._parts: list[bytes] = []
        self.opened: asyncio.Future[None] | None = None
        """Resolved when the head of an answer is there; for streams."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self, request: bytes, read: Callable[[bytes], object] | None = None) -> Answer:
        """Send a request and wait for all of its answer; `read` is given each piece of the body as it comes."""
        return await self.send(request, read)

    def send(self, request: bytes, read: Callable[[bytes], object] | None = None) -> asyncio.Future[Answer]:
        """Send a request; the future is its answer."""
        if self._lost is not None:
            raise self._lost
        self._answer = asyncio.get_running_loop().create_future()
        self._read = read
        self._parts = []
        self._left = None
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Let go of it."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._lost = exc or ConnectionResetError("The server closed the connection.")
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(self._lost)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._step():
            pass

    def _step(self) -> bool:
        """Take what is next out of the buffer; False where more is needed first."""
        if self._left is None:
            return self._take_head()
        if self._chunked:
            return self._take_chunk()
        self._pass_on(self._buffer)
        self._left -= len(self._buffer)
        self._buffer = b""
        return self._finish() if self._left <= 0 else False

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[: end + 2]
        self._buffer = self._buffer[end + 4 :]
        self._status = int(head[9:12])
        self._chunked = _CHUNKED.search(head) is not None
        length = _LENGTH.search(head)
        self._left = int(length[1]) if length else 0
        if self.opened is not None and not self.opened.done():
            self.opened.set_result(None)
        return self._finish() if not self._chunked and self._left == 0 else True

    def _take_chunk(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        size = int(self._buffer[:end], 16)
        behind = end + 2 + size
        if len(self._buffer) < behind + 2:
            return False
        if size:
            self._pass_on(self._buffer[end + 2 : behind])
        self._buffer = self._buffer[behind + 2 :]
        return True if size else self._finish()

    def _pass_on(self, piece: bytes) -> None:
        if self._read is None:
            self._parts.append(piece)
        else:
            self._read(piece)

    def _finish(self) -> bool:
        self._left = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._status, b"".join(self._parts)))
        return True


async def connect(port: int) -> Connection:
    """Open a connection to a port of this machine."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, _HOST, port)
    return connection
