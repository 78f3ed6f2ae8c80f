"""What an instance says of a run, taken in: checked, renumbered, and made what is stored. Touches the run alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from arp_daemon.failures import runtime_error
from arp_daemon.open_run import Phase
from arp_daemon.store import RunEnd, StoredEvent
from arp_daemon.wire_events import (
    LAST_TYPES,
    ProtocolError,
    encode_event,
    error_result,
    last_event,
    last_type,
    read_result,
    state_of,
)
from arp_service.info import utc_now
from arp_service.sse import frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_daemon.open_run import OpenRun
    from arp_daemon.wire_events import WireEvent
    from arp_model import RunResult


class Taken(msgspec.Struct, frozen=True):
    """The event to be stored; where it is the last one, the run's end with it."""

    event: StoredEvent
    end: RunEnd | None = None
    at_instance: bool = False
    """Whether the instance may still work on a run that has ended."""

    @property
    def frame(self) -> bytes:
        """As watchers see it."""
        return frame(str(self.event.seq), self.event.type, self.event.event)


def take(run: OpenRun, event: WireEvent, quote: Callable[[bytes], str]) -> Taken | None:
    """Move a run on by an event, and return what is to be stored: nothing where the event is known.

    An event that breaks the protocol ends the run as failed; `quote` makes of it what may be shown.
    """
    try:
        if event.seq < run.expected_seq:
            _check_known(run, event)
            return None
        if event.seq > run.expected_seq:
            raise ProtocolError(f"event {run.expected_seq} is missing before {event.seq}")
        result = read_result(event, run.run_id) if event.type in LAST_TYPES else None
    except ProtocolError as lie:
        result = error_result(run.run_id, runtime_error(str(lie)))
        return take_end(run, result, said=quote(encode_event(event, run.run_id, event.seq)))
    body = encode_event(event, run.run_id, run.next_seq)
    stored = StoredEvent(run.position, run.next_seq, event.type.value, body)
    run.next_seq += 1
    run.expected_seq += 1
    run.last_sum = crc32(body)
    if result is None:
        return Taken(stored)
    run.phase = Phase.ENDED
    return Taken(stored, RunEnd(run.position, state_of(result), utc_now(), result.to_json()))


def take_end(run: OpenRun, result: RunResult, *, said: str | None = None, at_instance: bool = True) -> Taken:
    """End a run with a result that no event of its instance brings; the last event is written for it.

    `said` is what the instance said instead.
    """
    now, type_ = utc_now(), last_type(result).value
    stored = StoredEvent(run.position, run.next_seq, type_, last_event(result, run.next_seq, now))
    run.next_seq += 1
    run.phase = Phase.ENDED
    return Taken(stored, RunEnd(run.position, state_of(result), now, result.to_json(), said), at_instance)


def _check_known(run: OpenRun, event: WireEvent) -> None:
    """An event that comes again has to be the same, as far as is remembered."""
    seq = run.first_seq + event.seq
    body = encode_event(event, run.run_id, seq)
    shown = run.frame_at(seq)
    other = shown is not None and shown != frame(str(seq), event.type.value, body)
    if other or (event.seq == run.expected_seq - 1 and run.last_sum not in {None, crc32(body)}):
        raise ProtocolError(f"event {event.seq} came again with other content")
