"""Reading server-sent events from chunks of bytes, many frames at a time. Pure.

The SDK's parser follows every rule of the standard, line by line. This one is for the relay, where tens of thousands
of events a second pass: it cuts whole frames and leaves them bytes.
"""

from __future__ import annotations

from typing import NamedTuple


class FrameTooLongError(ValueError):
    """A frame, or what claims to be one, is over the limit."""


class SseFrame(NamedTuple):
    """One event; empty parts are empty bytes."""

    id: bytes
    event: bytes
    data: bytes


class FrameReader:
    """Give it chunks, get frames. Keeps what is not yet whole, up to `max_frame_bytes`."""

    def __init__(self, max_frame_bytes: int) -> None:
        self._max = max_frame_bytes
        self._rest = b""

    def feed(self, chunk: bytes) -> list[SseFrame]:
        """Return the frames that the chunk completes; comments (heartbeats) give none.

        Raises:
            FrameTooLongError: what is not yet whole is over the limit.
        """
        text = self._rest + chunk
        if b"\r" in text:
            text = _unix_lines(text)
        *blocks, self._rest = text.split(b"\n\n")
        if len(self._rest) > self._max:
            raise FrameTooLongError(f"an event of more than {self._max} bytes")
        return [frame for block in blocks if (frame := _parse(block)) is not None]


def _unix_lines(text: bytes) -> bytes:
    """Lines may end in CRLF; a CR at the very end waits for its LF."""
    if text.endswith(b"\r"):
        return text[:-1].replace(b"\r\n", b"\n") + b"\r"
    return text.replace(b"\r\n", b"\n")


def _parse(block: bytes) -> SseFrame | None:
    id_ = event = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
        elif name == b"id":
            id_ = value
    return SseFrame(id_, event, b"\n".join(data)) if data or id_ else None
