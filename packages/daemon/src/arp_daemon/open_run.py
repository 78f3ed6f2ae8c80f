"""A run that has not ended: its state in memory, always the same as or ahead of the store by one write."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import UNSET

from arp_model import RunState, RunStatus
from arp_service.changed import Changed

if TYPE_CHECKING:
    from datetime import datetime

    from arp_daemon.selector import Selector
    from arp_daemon.store import RunRecord

# Watchers that are near the end of the log are served from memory; who is behind reads the store.
_TAIL_FRAMES = 1024


class OpenRun:
    """Owned by the run manager; the dispatcher moves it between queue and instances."""

    __slots__ = (
        "attempt",
        "cancel_requested",
        "changed",
        "created_at",
        "ending",
        "expected_seq",
        "instance_id",
        "next_seq",
        "position",
        "refusals",
        "request",
        "run_id",
        "selector",
        "started_at",
        "state",
        "tail",
        "tail_start",
        "token",
    )

    def __init__(self, record: RunRecord, selector: Selector) -> None:
        self.run_id = record.run_id
        self.position = record.position
        self.request = record.request
        self.selector = selector
        self.state = record.state
        self.created_at = record.created_at
        self.started_at: datetime | None = record.started_at
        self.attempt = record.attempt
        self.instance_id: str | None = record.instance_id
        self.cancel_requested = record.cancel_requested_at is not None
        self.token = record.run_id
        """The run id under which the present attempt's instance knows it."""
        self.next_seq = 0
        """The daemon's next seq."""
        self.expected_seq = 0
        """The next seq of the present attempt, as its instance counts."""
        self.refusals = 0
        self.ending = False
        """Its end is decided; whatever else comes is dropped."""
        self.changed = Changed()
        self.tail: deque[bytes] = deque(maxlen=_TAIL_FRAMES)
        self.tail_start = 0

    def add_frames(self, frames: list[bytes]) -> None:
        """Show stored events to the watchers."""
        end = self.tail_start + len(self.tail) + len(frames)
        self.tail.extend(frames)
        self.tail_start = end - len(self.tail)
        self.changed.notify()

    def frames_from(self, position: int) -> list[bytes] | None:
        """The frames from a seq on, or None where they are no longer in memory."""
        if position < self.tail_start:
            return None
        skip = position - self.tail_start
        return [frame for index, frame in enumerate(self.tail) if index >= skip]

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
