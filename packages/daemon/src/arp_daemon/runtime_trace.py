"""What an instance tells of a run in a trace of its own: asked for, bounded, checked, and without secrets.

A runtime that announces `run.trace` is asked while it lives. Whatever it answers, or does not, is an entry or some of
the daemon's trace and never more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import msgspec

from arp_daemon.relay import Relay, RelayError
from arp_daemon.trace import TraceEntry
from arp_model import UNSET, TraceEvent, TraceLevel, TraceResponse
from arp_service.body import nests_too_deep

if TYPE_CHECKING:
    from datetime import datetime

    from arp_daemon.instance import Instance
    from arp_daemon.redaction import Redactor
    from arp_daemon.store import Attempt

# A person waits for the answer, and all of it goes into one.
_TIMEOUT_S = 2.0
_MAX_BYTES = 1024 * 1024
_MAX_TYPE, _MAX_REASON = 100, 500


class _BadTraceError(Exception):
    """What came is no trace of the run."""


async def read_runtime_trace(
    instance: Instance, attempt: Attempt, redactor: Redactor, now: datetime
) -> list[TraceEntry]:
    """Return what the instance of an attempt tells of it, or the one entry that says why it tells nothing.

    Entries are kept within the time of the attempt, whatever clock the instance has: what it says cannot stand before
    the dispatch, or after the end.
    """
    who = {"attempt": attempt.attempt, "instance_id": attempt.instance_id}
    try:
        with anyio.fail_after(_TIMEOUT_S):
            async with Relay(instance.address) as relay:
                events = _decode(await relay.read_trace(attempt.token, _MAX_BYTES), attempt.token)
    except TimeoutError:
        reason = f"no answer within {_TIMEOUT_S:.0f} s"
    except (RelayError, _BadTraceError) as exc:
        reason = redactor.text(str(exc))[:_MAX_REASON]
    else:
        ends = now if attempt.ended_at is None else attempt.ended_at
        return [_entry(event, who, redactor, attempt.dispatched_at, ends) for event in events]
    return [TraceEntry(now, TraceLevel.WARN, "runtime.trace_unavailable", {**who, "reason": reason})]


def _decode(body: bytes, token: str) -> list[TraceEvent]:
    if nests_too_deep(body):
        raise _BadTraceError("the answer nests too deep")
    try:
        events = TraceResponse.from_json(body).events
    except msgspec.DecodeError as exc:
        raise _BadTraceError(f"the answer is no TraceResponse: {exc}") from exc
    found = [] if events is UNSET else events
    if any(event.run_id != token for event in found):
        raise _BadTraceError("the answer is of another run")
    return found


def _entry(
    event: TraceEvent, who: dict[str, object], redactor: Redactor, first: datetime, last: datetime
) -> TraceEntry:
    data = {} if event.data is UNSET else {"data": redactor.value(event.data)}
    return TraceEntry(
        time=event.time,
        level=event.level,
        type=f"runtime.{redactor.text(event.type_)[:_MAX_TYPE]}",
        data={**who, **data},
        place=min(max(event.time, first), last),
    )
