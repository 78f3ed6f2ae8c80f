"""The story of a run, told from what is stored of it and what its runtimes tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import RunEvent, RunResult, RunState, TraceEvent, TraceLevel, TraceResponse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from arp_daemon.store import Attempt, RunRecord


@dataclass(frozen=True)
class TraceEntry:
    """One entry, not yet numbered. `place` is where it stands in time; by default, when it happened."""

    time: datetime
    level: TraceLevel
    type: str
    data: dict[str, Any]
    place: datetime | None = None


def make_trace(
    run: RunRecord,
    attempts: list[Attempt],
    events: Iterable[bytes],
    told: Iterable[TraceEntry] = (),
    left_out: int = 0,
) -> TraceResponse:
    """Queued, each attempt, each run event, what runtimes have told of it, the end; in the order of time.

    `left_out` is how many events at the end of its log there are more than are given.
    """
    entries = [TraceEntry(run.created_at, TraceLevel.INFO, "run.queued", _selected(run))]
    for attempt in attempts:
        entries += _attempt_entries(attempt)
    shown = [_event_entry(event) for event in events]
    entries += shown
    if left_out:
        after = shown[-1].time if shown else run.created_at
        entries.append(TraceEntry(after, TraceLevel.WARN, "events.left_out", {"count": left_out}))
    entries += told
    if run.cancel_requested_at is not None:
        entries.append(TraceEntry(run.cancel_requested_at, TraceLevel.INFO, "run.cancel_requested", {}))
    entries.sort(key=lambda entry: entry.place or entry.time)
    if run.ended_at is not None:
        entries.append(_end_entry(run, run.ended_at))
    return TraceResponse(
        events=[
            TraceEvent(run_id=run.run_id, seq=seq, time=e.time, level=e.level, type_=e.type, data=e.data)
            for seq, e in enumerate(entries)
        ]
    )


def _selected(run: RunRecord) -> dict[str, Any]:
    return {} if run.runtime_profile is None else {"runtime_profile": run.runtime_profile}


def _attempt_entries(attempt: Attempt) -> list[TraceEntry]:
    who = {"attempt": attempt.attempt, "instance_id": attempt.instance_id}
    entries = [TraceEntry(attempt.dispatched_at, TraceLevel.INFO, "run.dispatched", who)]
    if attempt.ended_at is not None:
        said = {} if attempt.said is None else {"said": attempt.said}
        data = {**who, "outcome": attempt.outcome, **said}
        entries.append(TraceEntry(attempt.ended_at, TraceLevel.INFO, "attempt.ended", data))
    return entries


def _event_entry(stored: bytes) -> TraceEntry:
    event = RunEvent.from_json(stored)
    data = {"seq": event.seq} if event.data is msgspec.UNSET else {"seq": event.seq, "data": event.data}
    return TraceEntry(event.time, TraceLevel.DEBUG, f"event.{event.type_.value}", data)


def _end_entry(run: RunRecord, ended_at: datetime) -> TraceEntry:
    """The end, and why it was no other."""
    result = None if run.result is None else RunResult.from_json(run.result)
    error = {} if result is None or not result.error else {"error": result.error.to_dict()}
    level = TraceLevel.ERROR if run.state is RunState.FAILED else TraceLevel.INFO
    return TraceEntry(ended_at, level, f"run.{run.state.value}", error)
