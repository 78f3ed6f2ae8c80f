"""Reads server-sent events from bytes as they come in. No I/O.

Follows the parsing rules of the HTML standard, "9.2.6 Interpreting an event stream". The `retry` field is left
out: how to resume is the client's own business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest event that is put together, in bytes. What never ends a line must not fill the memory.
MAX_EVENT_SIZE = 64 * 1024 * 1024

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseError(ValueError):
    """An event is larger than MAX_EVENT_SIZE."""


class SseEvent(Struct, frozen=True):
    """One event. `id` is the last that the stream has named, as it shall be sent to resume; "" for none."""

    id: str
    type: str
    data: str


class SseParser:
    """Feed it bytes in pieces of any size; it gives back the events that are complete."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._starts = True
        self._after_cr = False
        self._id = ""
        self._type = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """Yield the events that the chunk completes. Raises SseError. Exhaust it before feeding more."""
        for line in self._lines(chunk):
            event = self._take(line)
            if event is not None:
                yield event

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that the chunk completes; keep the rest."""
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk)
        if lines:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces = []
        self._pieces.append(rest)
        self._size += len(chunk)
        if self._size > MAX_EVENT_SIZE:
            raise SseError(f"an event is larger than {MAX_EVENT_SIZE} bytes")
        if self._starts and lines:
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
            self._starts = False
        return lines

    def _take(self, line: bytes) -> SseEvent | None:
        """Take in one line; return the event that it completes."""
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> SseEvent | None:
        data, type_ = self._data, self._type
        self._data, self._type, self._size = [], "", 0
        return SseEvent(self._id, type_ or "message", "\n".join(data)) if data else None
