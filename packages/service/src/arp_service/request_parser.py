"""What a client sends on one connection, read as HTTP/1 requests (RFC 9112).

llhttp does the reading, by way of httptools: it is strict, and written in C. With h11, which Hypercorn itself reads
with, a third of what a small request takes goes into that.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_HEAD_BYTES", "IncomingRequest", "RequestParser", "waits_to_be_asked"]

# What comes before a request's body is bounded, in bytes: its target, and the names and values of its headers.
MAX_HEAD_BYTES = 32 * 1024
# What the parser is given, and has told of no request since: a header is told of when it is whole.
_MAX_UNTOLD_BYTES = 2 * MAX_HEAD_BYTES
# A client of HTTP/1.0 would have to ask for its connection to be kept, and to be told that it is.
_KEEPS_ALIVE = "1.1"
_BAD_REQUEST, _HEAD_TOO_LARGE, _NOT_IMPLEMENTED, _VERSION_NOT_SUPPORTED = 400, 431, 501, 505


class IncomingRequest:
    """A request whose head has come; its body may still be on its way."""

    __slots__ = ("_pieces", "headers", "is_complete", "keeps_alive", "method", "target", "version")

    def __init__(self, method: str, target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin with what the head says; the names of headers are in lower case."""
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keeps_alive = False
        """Whether the client may send another request after it; known when it is complete."""
        self.is_complete = False
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Some of the body has come."""
        self._pieces.append(piece)

    def take(self) -> bytes:
        """Return what has come of the body and was not taken yet."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def waits_to_be_asked(version: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a client may send no body before it hears that it shall (RFC 9110, 10.1.1)."""
    return version == "1.1" and any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


class RequestParser:
    """Is fed with what comes, and puts requests into `requests`, in their order."""

    def __init__(self) -> None:
        self.requests: deque[IncomingRequest] = deque()
        self.refused: int | None = None
        """Where something came that is no request: the status to answer with. Nothing is read after it."""
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._is_within = False
        """Whether a request has begun that has not ended."""
        self._has_told = False
        """Whether, of what it is given now, the parser has told of a head that is whole, some of a body, or an end."""
        self._untold_bytes = 0
        self._current: IncomingRequest | None = None
        """The one whose head has come, and not yet its end."""

    def feed(self, data: bytes) -> None:
        """Read on."""
        while data and self.refused is None:
            data = self._feed(data)

    def end(self) -> None:
        """No more will come: a request that is not whole is none (RFC 9112, 8)."""
        if self._is_within:
            self._refuse(_BAD_REQUEST)

    def _feed(self, data: bytes) -> bytes:
        """Return what is still to be read."""
        left, self._has_told = b"", False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            left = self._stay_with_http_1(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            self._refuse(_NOT_IMPLEMENTED)
        except httptools.HttpParserError:
            self._refuse(_BAD_REQUEST)
        self._untold_bytes = 0 if self._has_told else self._untold_bytes + len(data)
        if self._head_bytes > MAX_HEAD_BYTES or self._untold_bytes > _MAX_UNTOLD_BYTES:
            self._refuse(_HEAD_TOO_LARGE)
        return left

    def _refuse(self, status: int) -> None:
        self.refused = self.refused or status

    def _stay_with_http_1(self, rest: bytes) -> bytes:
        """No other protocol is offered (RFC 9110, 7.8), but the parser leaves off where a request asks for one.

        Another parser begins with the same request, which asks for nothing.
        """
        if self.refused is not None:
            return b""
        request = self.requests.pop()
        if request.method == "CONNECT":
            self._refuse(_BAD_REQUEST)
        self._parser = httptools.HttpRequestParser(self)
        lines = [b"%b %b HTTP/%b" % (request.method.encode(), request.target, request.version.encode())]
        lines += [b"%b: %b" % header for header in request.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", rest])

    def on_message_begin(self) -> None:
        """Called by httptools, as all that follow."""
        self._target, self._headers, self._head_bytes = b"", [], 0
        self._is_within = True

    def on_url(self, piece: bytes) -> None:
        """The target, which may come in pieces."""
        self._target += piece
        self._head_bytes += len(piece)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, whole. Those that come after the body are left (RFC 9110, 6.5.1)."""
        self._head_bytes += len(name) + len(value)
        if self._current is not None:
            return
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            self._refuse(_NOT_IMPLEMENTED)  # nobody would take it off the body (RFC 9112, 6.1)
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._has_told = True
        version = self._parser.get_http_version()
        if not version.startswith("1."):
            self._refuse(_VERSION_NOT_SUPPORTED)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_HEAD_TOO_LARGE)
        if self.refused is None:
            method = self._parser.get_method().decode("ascii")
            self._current = IncomingRequest(method, self._target, version, self._headers)
            self.requests.append(self._current)

    def on_body(self, piece: bytes) -> None:
        """Some of the body."""
        self._has_told = True
        if self._current is not None:
            self._current.add(piece)

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        self._is_within, self._has_told = False, True
        if self._current is not None:
            self._current.keeps_alive = self._current.version == _KEEPS_ALIVE and self._parser.should_keep_alive()
            self._current.is_complete = True
            self._current = None
