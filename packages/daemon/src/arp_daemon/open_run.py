"""A run that has not ended: its state in memory, always the same as or ahead of the store by one write."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import UNSET

from arp_model import RunState, RunStatus
from arp_service.changed import Changed
from arp_service.sse import numbered_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from arp_daemon.selector import Selector
    from arp_daemon.store import RunRecord, StoredEvents

# Watchers that are near the end of the log are served from memory; who is behind reads the store. What has come just
# now may be more than that: who was there before it came is not behind.
_TAIL_BYTES, _MAX_NEW_BYTES = 256 * 1024, 2 * 1024 * 1024


class Phase(Enum):
    """Where a run is on its way; only `OpenRuns` and the link of its instance move it on."""

    QUEUED = "queued"
    """Waits for a slot."""
    ASSIGNED = "assigned"
    """An instance has been chosen; nothing has been sent."""
    SENT = "sent"
    """It may have reached the instance."""
    ACCEPTED = "accepted"
    """The instance has it."""
    ENDED = "ended"
    """Its end is decided; whatever else comes is dropped."""


class Shown:
    """Stored events as watchers see them: made frames when the first of them reads, and kept as one or the other."""

    __slots__ = ("_events", "_frames", "next_seq", "seq", "size")

    def __init__(self, events: StoredEvents) -> None:
        self.seq = events.seq
        self.next_seq = events.next_seq
        self.size = len(events.lines)
        """In bytes, about."""
        self._events: StoredEvents | None = events
        self._frames = b""

    @property
    def frames(self) -> bytes:
        """All of them."""
        if (events := self._events) is not None:
            self._frames, self._events = numbered_frames(events.seq, events.types, events.each()), None
        return self._frames

    def one_by_one(self, first: int) -> list[bytes]:
        """Those from a seq on."""
        return [text + _BETWEEN for text in self.frames.split(_BETWEEN)[max(first - self.seq, 0) : -1]]


# No data of a frame has an empty line in it.
_BETWEEN = b"\n\n"
_UNDER_WAY = frozenset({RunState.QUEUED, RunState.RUNNING})
WITH_INSTANCE = frozenset({Phase.SENT, Phase.ACCEPTED})


class OpenRun:
    """Owned by `OpenRuns`."""

    __slots__ = (
        "_piece",
        "_piece_from",
        "attempt",
        "cancel_requested",
        "changed",
        "created_at",
        "deadline_at",
        "expected_seq",
        "first_seq",
        "instance_id",
        "last_sum",
        "losses",
        "next_seq",
        "phase",
        "position",
        "refusals",
        "request",
        "run_id",
        "selector",
        "shown_to",
        "started_at",
        "state",
        "tail",
        "tail_bytes",
        "tail_start",
        "time_left",
        "token",
    )

    def __init__(self, record: RunRecord, selector: Selector) -> None:
        self.run_id = record.run_id
        self.position = record.position
        self.request = record.request
        self.selector = selector
        self.phase = Phase.QUEUED
        self.state = record.state
        self.created_at = record.created_at
        self.started_at: datetime | None = record.started_at
        self.attempt = record.attempt
        self.instance_id: str | None = record.instance_id
        self.cancel_requested = record.cancel_requested_at is not None
        self.token: str | None = None
        """The run id under which the present attempt's instance knows it."""
        self.next_seq = 0
        """The daemon's next seq."""
        self.first_seq = 0
        """The daemon's seq of the present attempt's first event."""
        self.expected_seq = 0
        """The next seq of the present attempt, as its instance counts."""
        self.last_sum: int | None = None
        """A checksum of the present attempt's last event, as stored; None where it is not known."""
        self.deadline_at: datetime | None = None
        """When its time is over, as decided at its first attempt. None: it may take as long as it likes."""
        self.time_left: timedelta | None = None
        """How much of it there was when the present attempt began; the same at each try to hand it over."""
        self.refusals = 0
        self.losses = 0
        """How often its instance was gone."""
        self.changed = Changed()
        self.tail: deque[Shown] = deque()
        self.tail_bytes = 0
        self.tail_start = 0
        self.shown_to = 0
        """The seq after the last event that is shown."""
        self._piece = b""
        self._piece_from: int | None = None

    @property
    def ended(self) -> bool:
        """Whether its end is decided."""
        return self.phase is Phase.ENDED

    @property
    def is_over(self) -> bool:
        """Whether its end is stored and shown."""
        return self.state not in _UNDER_WAY

    def show(self, stored: Sequence[StoredEvents]) -> None:
        """Show stored events to the watchers, some at least."""
        new = [Shown(events) for events in stored]
        new_bytes = sum(shown.size for shown in new)
        self.tail.extend(new)
        self.tail_bytes += new_bytes
        self.shown_to = new[-1].next_seq
        self._piece_from = None
        while self.tail_bytes > max(_TAIL_BYTES, min(new_bytes, _MAX_NEW_BYTES)):
            gone = self.tail.popleft()
            self.tail_bytes -= gone.size
            self.tail_start = gone.next_seq
        self.changed.notify()

    def begin_at(self, seq: int) -> None:
        """What an earlier daemon has stored, up to this seq, is not in memory."""
        self.next_seq = self.tail_start = self.shown_to = seq

    def shown_from(self, position: int) -> bytes | None:
        """The frames from a seq on, or None where they are no longer in memory; the same bytes for all who ask."""
        if position < self.tail_start:
            return None
        if self._piece_from != position:
            self._piece_from = position
            self._piece = b"".join(reversed([*self._shown_backwards(position)]))
        return self._piece

    def _shown_backwards(self, position: int) -> Iterator[bytes]:
        for shown in reversed(self.tail):
            if shown.next_seq <= position:
                return
            yield shown.frames if shown.seq >= position else b"".join(shown.one_by_one(position))

    def frame_at(self, seq: int) -> bytes | None:
        """The frame with a seq, or None where it is not (or no longer) in memory."""
        for shown in self.tail:
            if shown.seq <= seq < shown.next_seq:
                return shown.one_by_one(seq)[0]
        return None

    def status(self) -> RunStatus:
        """The standard's RunStatus."""
        return run_status(self.run_id, self.state, self.started_at, None, self.instance_id)


def run_status(
    run_id: str,
    state: RunState,
    started_at: datetime | None,
    ended_at: datetime | None,
    instance_id: str | None,
) -> RunStatus:
    """A RunStatus in which what is not known is absent."""
    return RunStatus(
        run_id=run_id,
        state=state,
        started_at=UNSET if started_at is None else started_at,
        ended_at=UNSET if ended_at is None else ended_at,
        runtime_instance_id=UNSET if instance_id is None else instance_id,
    )
