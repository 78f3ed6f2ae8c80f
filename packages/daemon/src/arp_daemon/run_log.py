"""A run's stored events as a log that watchers follow: the end from memory, the rest from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.errors import CorruptRecordError
from arp_daemon.wire_events import LAST_TYPES
from arp_service.event_stream import Frames
from arp_service.sse import numbered_frames

if TYPE_CHECKING:
    from arp_daemon.open_run import OpenRun
    from arp_daemon.runs import RunManager
    from arp_daemon.store import Store

# So many events at a time are read from the store, and may share one send.
_PAGE = 500
_LAST = frozenset(type_.value for type_ in LAST_TYPES)


class RunLog:
    """`FrameLog` of one run; `position` is the seq of the next event to show.

    Who watches an open run is shown its end from memory, too: the store would be asked three times for it.
    """

    def __init__(self, runs: RunManager, store: Store, run_id: str, position_in_store: int) -> None:
        self._runs = runs
        self._store = store
        self._run_id = run_id
        self._stored_at = position_in_store
        self._run: OpenRun | None = runs.find_open(run_id)

    async def read(self, position: int) -> Frames:
        """See `FrameLog`."""
        run = self._run = self._run or self._runs.find_open(self._run_id)
        shown = None if run is None else run.shown_from(position)
        if run is not None and shown is not None:
            return Frames(shown, max(position, run.shown_to), ended=run.is_over)
        events = await self._store.list_events(self._stored_at, position, _PAGE)
        body = b"".join(numbered_frames(some.seq, some.types, some.each()) for some in events)
        ended = not events and (run is None or run.is_over) and await self._has_ended()
        if ended:
            await self._check_end(position)
        return Frames(body, events[-1].next_seq if events else position, ended)

    async def wait(self, position: int) -> bool:
        """See `FrameLog`."""
        run = self._run
        if run is None or run.is_over or position < run.shown_to:
            return False
        await run.changed.wait()
        return True

    async def _check_end(self, position: int) -> None:
        """A log without its last event has lost it. Who asks for more than there ever was gets nothing.

        Raises:
            CorruptRecordError: so it is.
        """
        before = await self._store.list_events(self._stored_at, position - 1, 1) if position else []
        if (before and before[0].types[-1] not in _LAST) or not position:
            what = f"event {position} of run {self._run_id!r}"
            raise CorruptRecordError(f"The stored {what} is missing.", details={"record": what})

    async def _has_ended(self) -> bool:
        return (await self._runs.record(self._run_id)).ended_at is not None
