"""What an instance answers on one connection, read as an HTTP/1 answer (RFC 9112). No I/O.

llhttp does the reading, by way of httptools: it is strict, and written in C. With h11 a stream of events cost 40 us for
each chunk that the instance had sent, and a hand-over three times as much as it does now.
"""

from __future__ import annotations

import httptools

# What the parser is given without telling of anything, in bytes: it keeps a header until that is whole.
_MAX_UNTOLD_BYTES = 64 * 1024
_INFORMATIONAL, _PLAIN = 1, b"identity"


class BrokenAnswerError(Exception):
    """What came is no HTTP, is an answer that nobody asked for, or breaks off."""


class AnswerParser:
    """Is fed with what comes after one request."""

    def __init__(self) -> None:
        self.status = 0
        """0 until the head has come."""
        self.headers: dict[bytes, bytes] = {}
        """The names are in lower case."""
        self.is_over = False
        """Whether the whole answer has come."""
        self.keeps_alive = False
        """Whether another request may be sent on its connection; known when it is over."""
        self.is_untouched = True
        """Whether nothing has come."""
        self._body: list[bytes] = []
        self._has_told = False
        """Whether, of what it is given now, the parser has told of a head that is whole, some of a body, or an end."""
        self._untold_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Read on; no data are the end of the connection.

        Raises:
            BrokenAnswerError: this cannot be what was asked for.
        """
        if not data:
            self._end()
            return
        self.is_untouched = False
        self._has_told = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.is_over:
                raise BrokenAnswerError(repr(exc.__context__ or exc)) from exc
            self.keeps_alive = False
        self._untold_bytes = 0 if self._has_told else self._untold_bytes + len(data)
        if self._untold_bytes > _MAX_UNTOLD_BYTES:
            raise BrokenAnswerError(f"what stands around the answer's body is over {_MAX_UNTOLD_BYTES} bytes")

    def take(self) -> bytes:
        """Return what has come of the body and was not taken yet."""
        taken = b"".join(self._body)
        self._body.clear()
        return taken

    def _end(self) -> None:
        """Only an answer that does not say how long it is ends with its connection."""
        if not self.status or b"content-length" in self.headers or b"transfer-encoding" in self.headers:
            raise BrokenAnswerError("the connection ended before the answer")
        self.is_over = True

    def on_message_begin(self) -> None:
        """Called by httptools, as all that follow."""
        if self.is_over:
            raise BrokenAnswerError("nobody asked for another answer")
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, whole."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head has come; of an answer that is to follow, nothing is remembered."""
        self._has_told = True
        status = self._parser.get_status_code()
        if status // 100 != _INFORMATIONAL:
            if self.headers.get(b"content-encoding", _PLAIN) != _PLAIN:
                raise BrokenAnswerError("the answer is compressed")  # a few bytes can stand for gigabytes
            self.status = status

    def on_body(self, piece: bytes) -> None:
        """Some of the body."""
        self._has_told = True
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """The end of an answer, or of what announces one."""
        self._has_told = True
        self.is_over = bool(self.status)
        self.keeps_alive = self._parser.should_keep_alive()
