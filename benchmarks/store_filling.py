"""Fill a store with finished runs: `python -m benchmarks.store_filling PATH FROM TO`.

They are written by the store's own code, a thousand to a transaction, as runs that had one attempt, a token and an
end. Only that nobody executed them is untrue.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from arp_daemon.store import open_sqlite_store
from arp_daemon.store.records import Append, Attempt, NewRun, RunEnd, StoredEvents
from arp_model import RunState

if TYPE_CHECKING:
    from arp_daemon.store.protocol import Store

_BATCH = 1000
_BEGINNING = datetime(2026, 1, 1, tzinfo=timezone.utc)
_BETWEEN = timedelta(milliseconds=10)
_REQUEST = b'{"input":{"goal":"What is (19*23)?"}}'
_RESULT = {"ok": True, "output": {"answer": "(19*23) = 437"}, "usage": {"steps": 2, "tool_calls": 1, "tokens": 3}}


def run_id(number: int) -> str:
    """The id of a stored run."""
    return f"stored-{number}"


async def fill(path: Path, first: int, behind: int) -> None:
    """Add the runs from one number to before another."""
    async with open_sqlite_store(path) as store:
        for start in range(first, behind, _BATCH):
            await _add(store, range(start, min(start + _BATCH, behind)))


async def _add(store: Store, numbers: range) -> None:
    times = [_BEGINNING + number * _BETWEEN for number in numbers]
    runs = [
        NewRun(run_id(number), _REQUEST, time, runtime_profile="default")
        for number, time in zip(numbers, times, strict=True)
    ]
    positions = [record.position for record in await store.insert_runs(runs) if record is not None]
    assert len(positions) == len(runs)
    await store.start_attempts(
        [
            Attempt(position, 1, f"token-{position}", "inst_stored", 0, time)
            for position, time in zip(positions, times, strict=True)
        ]
    )
    ends, events = [], []
    for number, position, time in zip(numbers, positions, times, strict=True):
        result = {"run_id": run_id(number), **_RESULT}
        ends.append(RunEnd(position, RunState.SUCCEEDED, time + _BETWEEN, msgspec.json.encode(result)))
        events.append(_event(number, position, 0, "token", {"text": "(19*23) = 437"}))
        events.append(_event(number, position, 1, "final", _RESULT))
    await store.append(Append(events=events, ends=ends))


def _event(number: int, position: int, seq: int, kind: str, data: dict[str, object]) -> StoredEvents:
    event = {"run_id": run_id(number), "seq": seq, "type": kind, "time": _BEGINNING, "data": data}
    return StoredEvents(position, seq, (kind,), msgspec.json.encode(event))


if __name__ == "__main__":
    anyio.run(fill, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
