"""The story of a run, told from what is stored of it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from arp_model import RunEvent, TraceEvent, TraceLevel, TraceResponse

if TYPE_CHECKING:
    from arp_daemon.store import Attempt, RunRecord, StoredEvent


class _Entry(NamedTuple):
    time: datetime
    level: TraceLevel
    type: str
    data: dict[str, Any]


def make_trace(run: RunRecord, attempts: list[Attempt], events: list[StoredEvent]) -> TraceResponse:
    """Queued, each attempt, each run event, the end; in the order of time."""
    entries = [_Entry(run.created_at, TraceLevel.INFO, "run.queued", {})]
    for attempt in attempts:
        entries += _attempt_entries(attempt)
    entries += [_event_entry(event) for event in events]
    if run.cancel_requested_at is not None:
        entries.append(_Entry(run.cancel_requested_at, TraceLevel.INFO, "run.cancel_requested", {}))
    entries.sort(key=lambda entry: entry.time)
    if run.ended_at is not None:
        entries.append(_Entry(run.ended_at, TraceLevel.INFO, f"run.{run.state.value}", {}))
    return TraceResponse(
        events=[
            TraceEvent(run_id=run.run_id, seq=seq, time=e.time, level=e.level, type_=e.type, data=e.data)
            for seq, e in enumerate(entries)
        ]
    )


def _attempt_entries(attempt: Attempt) -> list[_Entry]:
    who = {"attempt": attempt.attempt, "instance_id": attempt.instance_id}
    entries = [_Entry(attempt.dispatched_at, TraceLevel.INFO, "run.dispatched", who)]
    if attempt.ended_at is not None:
        data = {**who, "outcome": attempt.outcome}
        entries.append(_Entry(attempt.ended_at, TraceLevel.INFO, "attempt.ended", data))
    return entries


def _event_entry(stored: StoredEvent) -> _Entry:
    event = RunEvent.from_json(stored.event)
    data = {"seq": event.seq} if event.data is msgspec.UNSET else {"seq": event.seq, "data": event.data}
    return _Entry(event.time, TraceLevel.DEBUG, f"event.{event.type_.value}", data)
