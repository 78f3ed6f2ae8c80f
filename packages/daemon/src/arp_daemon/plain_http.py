"""HTTP/1.1 to an instance over a connection of its own: what hand-over and the following of events share."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from arp_daemon.answer_parser import AnswerParser
from arp_daemon.transport import open_socket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arp_daemon.address import Address

_CONNECT_WITHIN_S = 5.0
_READ_BYTES = 1024 * 1024
_TARGET, _LINE = re.compile(r"[!-~]+"), re.compile(r"[ -~]+")


class NotConnectedError(Exception):
    """Nobody takes the connection: nothing was sent."""


class PlainConnection:
    """A connection that carries one request at a time. What is no HTTP raises BrokenAnswerError.

    It is read when somebody wants to know what has come, and not before: while events are stored, an instance that goes
    on to tell of others in small pieces costs nothing for each of them.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._answer = AnswerParser()

    @property
    def is_ready(self) -> bool:
        """Whether a request can be sent: nothing has come since the last answer, not even the connection's end."""
        if not self._answer.is_untouched:
            return False
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    @property
    def is_over(self) -> bool:
        """Whether the whole answer has come."""
        return self._answer.is_over

    async def send(self, request: bytes) -> None:
        """Send a request."""
        with suppress(ConnectionError):  # who refuses a body may answer and close before it has read it
            await asyncio.get_running_loop().sock_sendall(self._socket, request)

    async def read_head(self) -> tuple[int, dict[bytes, bytes]]:
        """Return the status of the answer, and its headers, by their names in lower case."""
        while not self._answer.status:
            await self.receive()
        return self._answer.status, self._answer.headers

    def take(self) -> bytes:
        """Return what has been received of the answer's body and was not taken yet."""
        return self._answer.take()

    async def receive(self) -> None:
        """Wait for bytes, or the end of the connection."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _READ_BYTES)
        else:
            await asyncio.sleep(0)  # who always has more to say lets others have their turn all the same
        self._answer.feed(data)

    def begin_anew(self) -> None:
        """Make ready for the next request, where this one and its answer are over and the connection may be kept."""
        if self._answer.is_over and self._answer.keeps_alive:
            self._answer = AnswerParser()

    def close(self) -> None:
        """Close it, whatever is under way."""
        self._socket.close()


async def connect(address: Address) -> PlainConnection:
    """Connect to the pinned address. Raises NotConnectedError."""
    try:
        with anyio.fail_after(_CONNECT_WITHIN_S):
            return PlainConnection(await open_socket(address))
    except OSError as exc:  # a TimeoutError is one
        raise NotConnectedError(str(exc) or repr(exc)) from exc


def build_request(
    address: Address, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b""
) -> bytes:
    """Return a request for a path below the address. Raises NotConnectedError where it cannot be written."""
    base = urlsplit(address.base_url)
    always = [("Host", base.netloc.rpartition("@")[2]), ("Accept-Encoding", "identity")]
    target = base.path.rstrip("/") + path
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in [*always, *headers])]
    if not _TARGET.fullmatch(target) or not all(map(_LINE.fullmatch, lines)):
        raise NotConnectedError("the address or a header has characters that no request can have")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
