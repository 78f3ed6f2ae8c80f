"""Streaming a log of events by cursor, in the form that the reader asks for.

A watcher holds a position in a log, never a queue: it reads what is there, several events to one send, and waits
for more. So a slow reader costs nothing but its place, and nothing is lost when it comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from arp_service.accept import prefers
from arp_service.errors import InvalidRequestError
from arp_service.sse import EVENT_STREAM, JSON_LINES, json_lines
from arp_service.streaming import StreamedResponse
from arp_service.turns import take_turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from arp_service.stopping import Stop

# Signs of life, which readers pass over.
_COMMENT, _EMPTY_LINE = b": ping\n\n", b"\n"
MAX_SEQ = 10**16 - 1
"""A seq is no larger."""
SEEN_PATTERN = r"^(-1|[0-9]{1,16})?$"
"""`Last-Event-ID`, where it is a seq: -1 is before the first, and empty says nothing. As a JSON Schema `pattern`."""


class Frames(NamedTuple):
    """A piece of a log: its frames, the position after it, and whether the log has ended there."""

    body: bytes
    position: int
    ended: bool


class FrameLog(Protocol):
    """A log that watchers follow."""

    async def read(self, position: int) -> Frames:
        """Return frames from `position` on; an empty body where there are none yet. Called by each watcher."""

    async def wait(self, position: int) -> bool:
        """Return when `read(position)` would give something, or the process closes; False where that was at once."""


def read_after(request: Request) -> int:
    """The seq that the reader has seen last: `Last-Event-ID`, else `?after=`, else -1.

    Raises:
        InvalidRequestError: it is no whole number.
    """
    after, seen = request.query_params.get("after"), request.headers.get("last-event-id")
    asked = -1 if after is None else _read_seq(after)
    return _read_seq(seen) if seen else asked


def wants_json_lines(request: Request) -> bool:
    """Whether `Accept` asks for newline-delimited JSON more than for server-sent events, which are the default."""
    return prefers(",".join(request.headers.getlist("accept")), JSON_LINES, EVENT_STREAM)


def _read_seq(text: str) -> int:
    if text == "-1" or (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SEQ))):
        return int(text)
    raise InvalidRequestError("after: use the seq of the last event seen (also as the Last-Event-ID header).")


class EventStream(StreamedResponse):
    """A log from `position` on, until it ends, the reader leaves, or the process stops.

    `on_left` is called, in the last breath of the answer, when the reader left before the end of the log, or took
    nothing for so long that it was dropped; not when the process stops, and not when the log cannot be read.
    """

    def __init__(
        self,
        log: FrameLog,
        position: int,
        stop: Stop,
        *,
        as_json_lines: bool = False,
        on_left: Callable[[], None] | None = None,
    ) -> None:
        self._log = log
        self._stop = stop
        self._written = json_lines if as_json_lines else bytes
        self._on_left = on_left
        self._ended = False
        super().__init__(
            self._follow(position),
            JSON_LINES if as_json_lines else EVENT_STREAM,
            {"Vary": "Accept"},
            heartbeat=_EMPTY_LINE if as_json_lines else _COMMENT,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a HEAD request opens no stream that could be left."""
        broke = False
        try:
            await super().__call__(scope, receive, send)
        except Exception:
            broke = True
            raise
        finally:
            gone = scope["method"] == "GET" and not (broke or self._ended or self._stop.requested.is_set())
            if gone and self._on_left is not None:
                self._on_left()

    async def _follow(self, position: int) -> AsyncGenerator[bytes, None]:
        has_waited = False
        while True:
            body, position, ended = await self._log.read(position)
            self._ended = ended
            if body:
                if not has_waited:  # a send may return without yielding to the loop: let others run between sends
                    await take_turn()
                yield self._written(body)
            closing = self._stop.closing.is_set()
            if ended or (closing and not body):
                return
            has_waited = not closing and await self._log.wait(position)
