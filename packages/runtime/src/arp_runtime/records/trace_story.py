"""A run's trace: what happened to it, and what was told of it. Pure.

Over HTTP it has no run events, for those have an operation of their own; in a file it has everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from arp_model import UNSET, TraceEvent, TraceLevel, TraceResponse
from arp_runtime.records.changes import EventTold, RunBegan, RunEnded, RunTaken, TraceTold

if TYPE_CHECKING:
    from datetime import datetime

    from arp_model import RunState
    from arp_runtime.records.changes import Change
    from arp_runtime.runs.table import Run

# Members that name and count; all other text may be, or repeat, a prompt.
_SHOWN = frozenset({"tool_id", "offered_tool_ids", "call_id", "name", "code", "ok", "seq", "state", "limit"})


class Entry(NamedTuple):
    """A TraceEvent before it has its number."""

    at: datetime
    level: TraceLevel
    type: str
    data: dict[str, Any]


def make_trace(run: Run) -> TraceResponse:
    """Taken, started, what was told, the end. A gap in `seq` tells how many entries are no longer kept."""
    entries = [_taken(run.taken_at)]
    if run.began_at is not None:
        entries.append(_started(run.began_at))
    first_told = len(entries)
    entries += [Entry(told.at, told.level, told.type, told.data) for told in run.trace.entries()]
    if run.ended_at is not None:
        entries.append(_ended(run.ended_at, run.state))
    gap = run.trace.left_out
    numbers = [number if number < first_told else number + gap for number in range(len(entries))]
    return TraceResponse(
        events=[as_trace_event(run.run_id, seq, entry) for seq, entry in zip(numbers, entries, strict=True)]
    )


def entry_of(change: Change) -> Entry | None:
    """The entry that a change makes in a trace file; None where it makes none."""
    match change:
        case RunTaken(_, at, _, request):
            return _taken(at)._replace(data={"request": request.to_dict()})
        case RunBegan(_, at):
            return _started(at)
        case EventTold(_, event):
            data = {"seq": event.seq} if event.data is UNSET else {"seq": event.seq, "data": event.data}
            return Entry(event.time, TraceLevel.DEBUG, f"event.{event.type_.value}", data)
        case TraceTold(_, at, level, type_, data):
            return Entry(at, level, type_, data)
        case RunEnded(_, at, state):
            return _ended(at, state)
    return None


def as_trace_event(run_id: str, seq: int, entry: Entry) -> TraceEvent:
    """The standard's TraceEvent."""
    return TraceEvent(
        run_id=run_id, seq=seq, time=entry.at, level=entry.level, type_=entry.type, data=entry.data or UNSET
    )


def redacted(entry: Entry) -> Entry:
    """The entry without any text that may be, or repeat, a prompt: its length stands in its place."""
    return entry._replace(data=_redact(entry.data))


def _redact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if key in _SHOWN else _redact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact(item) for item in value]
    return f"[{len(value)} characters]" if isinstance(value, str) else value


def _taken(at: datetime) -> Entry:
    return Entry(at, TraceLevel.INFO, "run.taken", {})


def _started(at: datetime) -> Entry:
    return Entry(at, TraceLevel.INFO, "run.started", {})


def _ended(at: datetime, state: RunState) -> Entry:
    return Entry(at, TraceLevel.INFO, "run.ended", {"state": state.value})
