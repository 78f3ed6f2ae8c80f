"""One request and its answer: what HTTP/1.1 (RFC 9112) has on the line, and ASGI (its HTTP, 2.1) in an application."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from arp_service.request_parser import waits_to_be_asked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Scope

    from arp_service.request_parser import IncomingRequest

    Headers = Iterable[tuple[bytes, bytes]]
    Address = tuple[str, int] | None

__all__ = ["BODY_HAS_COME", "BadAnswerError", "Exchange", "Line", "refusal"]

BODY_HAS_COME = "arp.body_has_come"
"""In a scope: whether the whole body was there when the application was called, so that nothing of it is waited for."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_CLOSE = (b"connection", b"close")
# Answers that have no body, whatever their headers say (RFC 9110, 6.4.1).
_NEVER_A_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class BadAnswerError(Exception):
    """The application's answer is none in HTTP."""


class Line(Protocol):
    """What an exchange needs of its connection."""

    async def read(self) -> bool:
        """Wait for more of the request; return False where no more will come."""

    async def until_gone(self) -> None:
        """Return when the client has left."""

    async def write(self, data: bytes) -> None:
        """Return when there is room for more, or nobody to write to."""


class Exchange:
    """`receive` and `send` of one request."""

    def __init__(self, request: IncomingRequest, line: Line, headers: Headers) -> None:
        """Begin with the request's head; `headers` are what every answer has."""
        self._request = request
        self._line = line
        self._headers = headers
        self._is_read = False
        self._is_asked_for = False
        self._head = b""
        """Of an answer that is begun, until it is sent: with what comes first of its body, where its length is told."""
        self._left: int | None = None
        """How many bytes of the answer's body are to come, where its Content-Length tells."""
        self._has_body = True
        self._is_chunked = False
        self.is_begun = False
        self.is_over = False
        self.keeps_alive = False
        """Whether the connection takes another request when this one is over."""

    def scope(self, client: Address, server: Address) -> Scope:
        """What the application is called with."""
        request = self._request
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.1"},
            "http_version": request.version,
            "method": request.method,
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": request.headers,
            "client": client,
            "server": server,
            BODY_HAS_COME: request.is_complete,
        }

    async def receive(self) -> Message:
        """Wait for some of the request's body; when it has all come, for the client to leave."""
        if self.is_over:
            return {"type": "http.disconnect"}
        if self._is_read:
            await self._line.until_gone()
            return {"type": "http.disconnect"}
        request = self._request
        body = request.take()
        while not body and not request.is_complete:
            await self._ask_for_body()
            if not await self._line.read():
                self._is_read = True
                return {"type": "http.disconnect"}
            body = request.take()
        self._is_read = request.is_complete
        return {"type": "http.request", "body": body, "more_body": not request.is_complete}

    async def _ask_for_body(self) -> None:
        """A client may wait to hear that its body is wanted (RFC 9110, 10.1.1)."""
        request = self._request
        if not self._is_asked_for and not self.is_begun and waits_to_be_asked(request.version, request.headers):
            await self._line.write(_CONTINUE)
        self._is_asked_for = True

    async def send(self, message: Message) -> None:
        """Send some of the answer. Raises BadAnswerError."""
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
            if self._left is None:
                await self._line.write(self._take_head())
            return
        data = self._take_head() + self._framed(message.get("body", b""), more=message.get("more_body", False))
        if data:
            await self._line.write(data)

    def _begin(self, status: int, headers: Headers) -> None:
        if self.is_begun:
            raise BadAnswerError("an answer begins once")
        request = self._request
        self._has_body = request.method != "HEAD" and status not in _NEVER_A_BODY
        self.keeps_alive = request.is_complete and request.keeps_alive
        given = list(headers)
        for name, value in given:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection" and value == b"close":
                self.keeps_alive = False
        if self._left is None and self._has_body:
            # HTTP/1.0 has no chunks: there the connection's end is the answer's.
            self._is_chunked = request.version == "1.1"
            if self._is_chunked:
                given.append((b"transfer-encoding", b"chunked"))
        if not self.keeps_alive and _CLOSE not in given:
            given.append(_CLOSE)
        self._head = _head(status, [*given, *self._headers])
        self.is_begun = True

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        """A piece of the body as it goes on the line."""
        if not self.is_begun or self.is_over:
            raise BadAnswerError("a body comes after the beginning of its answer, and before its end")
        if self._left is not None and self._has_body:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise BadAnswerError("a body is as long as its Content-Length says")
        self.is_over = not more
        if not self._has_body:
            return b""
        if not self._is_chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + _LAST_CHUNK


def refusal(status: int, headers: Headers) -> bytes:
    """The answer to what is no request: the last one on its connection."""
    return _head(status, [(b"content-length", b"0"), _CLOSE, *headers])


def _head(status: int, headers: Headers) -> bytes:
    lines = [_status_line(status), *(b"%b: %b" % header for header in headers), b"", b""]
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    if head.count(b"\r") != ends or head.count(b"\n") != ends:
        raise BadAnswerError("a header is a line")
    return head


@cache
def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())
