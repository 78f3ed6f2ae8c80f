"""What an instance says of a run, taken in: checked, renumbered, and made what is stored. Touches the run alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from arp_daemon.failures import runtime_error
from arp_daemon.open_run import Phase
from arp_daemon.store import MAX_TOGETHER, RunEnd, StoredEvents, stored_together
from arp_daemon.wire_events import (
    LAST_TYPES,
    ProtocolError,
    encode_event,
    encode_events,
    error_result,
    hide_in_event,
    last_event,
    last_type,
    read_result,
    state_of,
)
from arp_service.info import utc_now
from arp_service.sse import frame

if TYPE_CHECKING:
    from arp_daemon.open_run import OpenRun
    from arp_daemon.redaction import Redactor
    from arp_daemon.wire_events import WireEvent
    from arp_model import RunResult


class Taken(msgspec.Struct, frozen=True):
    """Events to be stored; where the last of them is the run's last one, its end with it."""

    events: StoredEvents
    end: RunEnd | None = None
    at_instance: bool = False
    """Whether the instance may still work on a run that has ended."""


def take(run: OpenRun, events: list[WireEvent], redactor: Redactor) -> list[Taken]:
    """Move a run on by what is said of it, and return what is to be stored: nothing of what is known.

    An event that breaks the protocol ends the run as failed; what comes after the end is dropped.
    """
    if not redactor.knows_nothing:
        events = [hide_in_event(event, redactor) for event in events]
    fresh: list[WireEvent] = []
    result: RunResult | None = None
    for event in events:
        try:
            if event.seq != run.expected_seq + len(fresh):
                _check_known(run, fresh, event)
                continue
            result = read_result(event, run.run_id) if event.type in LAST_TYPES else None
        except ProtocolError as lie:
            taken = _take_fresh(run, fresh, None)
            end = error_result(run.run_id, runtime_error(str(lie)))
            return [*taken, take_end(run, end, said=redactor.quote(encode_event(event, run.run_id, event.seq)))]
        fresh.append(event)
        if result is not None:
            break
    return _take_fresh(run, fresh, result)


def _take_fresh(run: OpenRun, fresh: list[WireEvent], result: RunResult | None) -> list[Taken]:
    """Events that are the next ones; the last of them brings the result, where there is one."""
    taken: list[Taken] = []
    for at in range(0, len(fresh), MAX_TOGETHER):
        some = fresh[at : at + MAX_TOGETHER]
        types, lines = tuple([event.type for event in some]), encode_events(some, run.run_id, run.next_seq)
        taken += [Taken(events) for events in stored_together(run.position, run.next_seq, types, lines)]
        run.next_seq += len(some)
        run.expected_seq += len(some)
        run.last_sum = crc32(lines[lines.rfind(b"\n") + 1 :])
    if result is not None:
        run.phase = Phase.ENDED
        end = RunEnd(run.position, state_of(result), utc_now(), result.to_json())
        taken[-1] = msgspec.structs.replace(taken[-1], end=end)
    return taken


def take_end(run: OpenRun, result: RunResult, *, said: str | None = None, at_instance: bool = True) -> Taken:
    """End a run with a result that no event of its instance brings; the last event is written for it.

    `said` is what the instance said instead.
    """
    now, type_ = utc_now(), last_type(result).value
    stored = StoredEvents(run.position, run.next_seq, (type_,), last_event(result, run.next_seq, now))
    run.next_seq += 1
    run.phase = Phase.ENDED
    return Taken(stored, RunEnd(run.position, state_of(result), now, result.to_json(), said), at_instance)


def _check_known(run: OpenRun, fresh: list[WireEvent], event: WireEvent) -> None:
    """An event that is not the next one has come before, and has to be the same, as far as is remembered.

    `fresh` are those that have come just now.
    """
    expected = run.expected_seq + len(fresh)
    if event.seq > expected:
        raise ProtocolError(f"event {expected} is missing before {event.seq}")
    seq = run.first_seq + event.seq
    body = encode_event(event, run.run_id, seq)
    if event.seq >= run.expected_seq:
        other = encode_event(fresh[event.seq - run.expected_seq], run.run_id, seq) != body
    else:
        shown = run.frame_at(seq)
        other = shown is not None and shown != frame(str(seq), event.type.value, body)
        other |= event.seq == run.expected_seq - 1 and run.last_sum not in {None, crc32(body)}
    if other:
        raise ProtocolError(f"event {event.seq} came again with other content")
