"""Events of a stream, counted as they come; each is looked at no closer than to know that none is missing."""

from __future__ import annotations

import re

_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_END = b"\n\n"


class FrameCount:
    """How many events a stream has had; their ids count up from 0. Comments are none."""

    def __init__(self) -> None:
        self.events = 0
        self.pieces = 0
        """In how many pieces they came: of a chunked body, that is how often the server has sent."""
        self._first: int | None = None
        self._last = -1
        self._rest = b""

    def feed(self, piece: bytes) -> int:
        """Take what came, whole frames or not; return the number of events so far."""
        self.pieces += 1
        whole, end, self._rest = (self._rest + piece).rpartition(_END)
        if not end:
            return self.events
        whole += end
        self.events += whole.count(b"\ndata: ")
        if self._first is None and (first := _ID.search(whole)):
            self._first = int(first[1])
        at = max(whole.rfind(b"\nid: ") + 1, 0)
        if last := _ID.match(whole, at):
            self._last = int(last[1])
        return self.events

    @property
    def complete(self) -> bool:
        """Whether there was each event once, from the first to the last."""
        return self._first == 0 and self._last == self.events - 1
