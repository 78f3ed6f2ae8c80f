"""How events are written: as server-sent events, and those as newline-delimited JSON.

A log keeps its events as frames of server-sent events. Their data stands on one line each, so that the same bytes,
without what is around the data, are newline-delimited JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENT_STREAM = "text/event-stream"
JSON_LINES = "application/x-ndjson"

_DATA = b"data: "


def frame(id_: str, event: str, data: bytes) -> bytes:
    """One SSE frame; `data` is JSON on one line."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), event.encode(), data)


def numbered_frames(first: int, events: Iterable[str], lines: Iterable[bytes]) -> bytes:
    """Many of them: their ids count from `first`, and each has its event and its data."""
    pairs = enumerate(zip(events, lines, strict=True), first)
    return b"".join([b"id: %d\nevent: %b\ndata: %b\n\n" % (id_, event.encode(), data) for id_, (event, data) in pairs])


def json_lines(frames: bytes) -> bytes:
    """The data of whole frames, a line each."""
    return b"".join([line[len(_DATA) :] + b"\n" for line in frames.split(b"\n") if line.startswith(_DATA)])
