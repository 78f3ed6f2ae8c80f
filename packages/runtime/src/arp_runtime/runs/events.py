"""The events of runs: a log for each run, and the feed of them all. Watchers read both by position.

An event is encoded once. Both logs keep the same bytes, the SSE frame without its `id:` line, and a watcher's
read puts the ids in front of many frames at once.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import UNSET, RunEvent, RunEventType
from arp_runtime.records.changes import EventTold
from arp_service.changed import Changed
from arp_service.errors import EventsExpiredError, InvalidRequestError
from arp_service.event_stream import Frames
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_runtime.records.chronicle import Chronicle
    from arp_service.stopping import Stop

# How much goes into one send: enough to make a send cheap, little enough that a slow reader gets on.
_FRAMES_A_SEND = 512
_BYTES_A_SEND = 256 * 1024
# How much of the feed is kept for a follower that comes back: some seconds of the fastest runs.
MAX_FEED_EVENTS = 100_000
MAX_FEED_BYTES = 64 * 1024 * 1024

CURSOR_PATTERN = r"^[0-9a-f]+-[0-9]{1,16}$"
"""A cursor of the feed; as a JSON Schema `pattern`."""
_CURSOR = re.compile(CURSOR_PATTERN.removesuffix("$") + r"\Z")
_LAST = (RunEventType.FINAL, RunEventType.ERROR)
# How the frame of an event begins, after its `id:` line.
_HEADS = {type_: b"event: %b\ndata: " % type_.value.encode() for type_ in RunEventType}
_encoder = msgspec.json.Encoder()


class _Typed(msgspec.Struct):
    type: RunEventType


_type_decoder = msgspec.json.Decoder(_Typed)


def check_cursor(text: str) -> str:
    """Return a cursor of the feed, of whatever process.

    Raises:
        InvalidRequestError: it is none.
    """
    if not _CURSOR.match(text):
        raise InvalidRequestError("after: use the id of an event of this stream (also as the Last-Event-ID header).")
    return text


class Feed:
    """The events of all runs in the order in which they happened, as far back as is kept. A `FrameLog`.

    A cursor is `<boot>-<number>`; the boot part is another in each process.
    """

    def __init__(self, max_events: int = MAX_FEED_EVENTS, max_bytes: int = MAX_FEED_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._boot = os.urandom(6).hex()
        self._tails: list[bytes] = []
        self._first = 0
        self._bytes = 0
        self._changed = Changed()

    def append(self, tail: bytes) -> None:
        """Add an event: its frame without the `id:` line."""
        self._tails.append(tail)
        self._bytes += len(tail)
        while len(self._tails) > 1 and self._is_full():
            self._drop_oldest()
        self._changed.notify()

    def position_after(self, cursor: str | None) -> int:
        """The position after the event with this cursor; without one, of the oldest event that is kept.

        Raises:
            InvalidRequestError: it is no cursor of this operation.
            EventsExpiredError: the next event is no longer kept, or the cursor is of another process.
        """
        if cursor is None:
            return self._first
        boot, _, number = check_cursor(cursor).partition("-")
        position = int(number) + 1
        if boot != self._boot or not self._first <= position <= self._first + len(self._tails):
            raise EventsExpiredError(
                "The events after this cursor are not kept; start again without a cursor, "
                "and ask for each run's events where some may be missing."
            )
        return position

    async def read(self, position: int) -> Frames:
        """See `FrameLog.read`. A watcher that has fallen behind what is kept is sent away."""
        if position < self._first:
            return Frames(b"", position, ended=True)
        tails = _portion(self._tails, position - self._first)
        prefix = b"id: %b-" % self._boot.encode()
        body = b"".join([b"%b%d\n%b" % (prefix, position + i, tail) for i, tail in enumerate(tails)])
        return Frames(body, position + len(tails), ended=False)

    async def wait(self, position: int) -> bool:
        """See `FrameLog.wait`."""
        is_there = position < self._first + len(self._tails)
        if not is_there:
            await self._changed.wait()
        return not is_there

    async def wake_at_close(self, stop: Stop) -> None:
        """Send all watchers home when the process closes. Runs in a task of its own."""
        await stop.closing.wait()
        self._changed.notify()

    def _is_full(self) -> bool:
        return len(self._tails) > self._max_events or self._bytes > self._max_bytes

    def _drop_oldest(self) -> None:
        """Drop an eighth at least: dropping one by one would move the list each time."""
        count = max(1, len(self._tails) // 8)
        self._bytes -= sum(map(len, self._tails[:count]))
        del self._tails[:count]
        self._first += count


class RunLog:
    """The events of one run, from seq 0 without a gap to the one last event. A `FrameLog`.

    An event is told (`arp_runtime.records.chronicle`) when it is appended, and shown to watchers once it is kept.
    """

    __slots__ = ("_changed", "_chronicle", "_feed", "_is_closed", "_next_seq", "_run_id", "_tails", "ended", "size")

    def __init__(self, run_id: str, feed: Feed, chronicle: Chronicle) -> None:
        self._run_id = run_id
        self._feed = feed
        self._chronicle = chronicle
        self._next_seq = 0
        self._is_closed = False
        self._tails: list[bytes] = []
        self._changed = Changed()
        self.ended = False
        """Whether the last event is shown."""
        self.size = 0
        """In bytes."""

    def append(self, type_: RunEventType, data: dict[str, Any]) -> None:
        """Add an event. After the last one (`final` or `error`) nothing is taken any more.

        Raises:
            TypeError, ValueError, RecursionError: `data` is not JSON; nothing was added.
        """
        if self._is_closed:
            return
        event = RunEvent(run_id=self._run_id, seq=self._next_seq, type_=type_, time=utc_now(), data=data or UNSET)
        encoded = _encoder.encode(event)
        self._next_seq += 1
        self._is_closed = type_ in _LAST
        self._chronicle.tell(EventTold(self._run_id, event, encoded), partial(self._show, type_, encoded))

    def restore(self, events: Sequence[bytes]) -> None:
        """Take over the events that an earlier process kept. They are not news to the feed."""
        for encoded in events:
            self._add(_type_decoder.decode(encoded).type, encoded)
        self._next_seq = len(events)
        self._is_closed = self.ended

    def encoded_events(self) -> list[bytes]:
        """All events that are shown, each as JSON."""
        return [tail.partition(b"\ndata: ")[2].rstrip(b"\n") for tail in self._tails]

    def _show(self, type_: RunEventType, encoded: bytes) -> None:
        self._feed.append(self._add(type_, encoded))
        self._changed.notify()

    def _add(self, type_: RunEventType, encoded: bytes) -> bytes:
        tail = b"%b%b\n\n" % (_HEADS[type_], encoded)
        self._tails.append(tail)
        self.size += len(tail)
        self.ended = type_ in _LAST
        return tail

    async def read(self, position: int) -> Frames:
        """See `FrameLog.read`. The position is the seq."""
        tails = _portion(self._tails, position)
        body = b"".join([b"id: %d\n%b" % (position + i, tail) for i, tail in enumerate(tails)])
        position += len(tails)
        return Frames(body, position, ended=self.ended and position >= len(self._tails))

    async def wait(self, position: int) -> bool:
        """See `FrameLog.wait`."""
        is_there = position < len(self._tails) or self.ended
        if not is_there:
            await self._changed.wait()
        return not is_there

    async def wait_ended(self) -> None:
        """Return when the last event is there."""
        while not self.ended:
            await self._changed.wait()


def _portion(tails: list[bytes], start: int) -> list[bytes]:
    """What fits into one send, at least one frame if there is any."""
    portion = tails[start : start + _FRAMES_A_SEND]
    size = 0
    for count, tail in enumerate(portion):
        if size > _BYTES_A_SEND:
            return portion[:count]
        size += len(tail)
    return portion
