"""HTTP by hand, for clients that do what no library would: stall, trickle, leave at once."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TIMEOUT_S = 60
_MAX_HEAD_BYTES = 64 * 1024
# So much the kernel buffers for a reader that never reads; then its stream stalls.
_SMALL_BUFFER = 4096


def request_head(method: str, path: str, *, length: int | None = None) -> bytes:
    """The head of a request to this machine; with `length` one that announces a JSON body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if length is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def request(method: str, path: str, body: bytes) -> bytes:
    """A whole request with a JSON body."""
    return request_head(method, path, length=len(body)) + body


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[SocketStream]:
    """A connection to a service on this machine, with little room for what is not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
    sock.connect(("127.0.0.1", port))
    async with await SocketStream.from_socket(sock) as stream:
        yield stream


class Answers:
    """The answers on a connection, one after the other."""

    def __init__(self, stream: SocketStream) -> None:
        self._lines = BufferedByteReceiveStream(stream)

    async def next(self) -> tuple[int, bytes]:
        """Read one that has a Content-Length; return its status and body."""
        with anyio.fail_after(_TIMEOUT_S):
            head = await self._lines.receive_until(b"\r\n\r\n", _MAX_HEAD_BYTES)
            status, *fields = head.decode().split("\r\n")
            length = next(int(f.partition(":")[2]) for f in fields if f.lower().startswith("content-length:"))
            return int(status.split()[1]), await self._lines.receive_exactly(length) if length else b""
