"""Reading server-sent events from chunks of bytes, many frames at a time. Pure.

The SDK's parser follows every rule of the standard, line by line. This one is for the relay, where tens of thousands
of events a second pass: it cuts whole frames and leaves them bytes.
"""

from __future__ import annotations

import re

import msgspec

# Nearly all frames are so; the rest is taken line by line.
_USUAL = re.compile(rb"id: ([^\n]*)\nevent: ([^\n]*)\ndata: ([^\n]*)")


class FrameTooLongError(ValueError):
    """A frame, or what claims to be one, is over the limit."""


class SseFrame(msgspec.Struct, frozen=True, gc=False):
    """One event; empty parts are empty bytes."""

    id: bytes
    event: bytes
    data: bytes


class FrameReader:
    """Give it chunks, get frames. Keeps what is not yet whole, up to `max_frame_bytes`."""

    def __init__(self, max_frame_bytes: int) -> None:
        self._max = max_frame_bytes
        self._rest = bytearray()
        self._carriage_return = b""

    def feed(self, chunk: bytes) -> list[SseFrame]:
        """Return the frames that the chunk completes; comments (heartbeats) give none.

        Raises:
            FrameTooLongError: what is not yet whole is over the limit.
        """
        # What has been looked at is not looked at again: a frame that comes byte by byte costs no more than its length.
        seen = max(len(self._rest) - 1, 0)
        self._rest += self._unix_lines(chunk)
        blocks: list[bytes] = []
        if self._rest.find(b"\n\n", seen) >= 0:
            *blocks, rest = bytes(self._rest).split(b"\n\n")
            self._rest = bytearray(rest)
        if len(self._rest) > self._max or any(len(block) > self._max for block in blocks):
            raise FrameTooLongError(f"an event of more than {self._max} bytes")
        return [frame for block in blocks if (frame := _parse(block)) is not None]

    def _unix_lines(self, chunk: bytes) -> bytes:
        """Lines may end in CRLF; a CR at the very end waits for its LF."""
        text = self._carriage_return + chunk
        self._carriage_return = b"\r" if text.endswith(b"\r") else b""
        return text.removesuffix(b"\r").replace(b"\r\n", b"\n") if b"\r" in text else text


def _parse(block: bytes) -> SseFrame | None:
    if usual := _USUAL.fullmatch(block):
        return SseFrame(*usual.groups())
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
