"""The logs of events: replay from every position, and what is no longer kept."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_model import RunEventType
from arp_runtime.records.chronicle import Chronicle
from arp_runtime.runs.events import Feed, RunLog
from arp_service.errors import EventsExpiredError, InvalidRequestError
from arp_service.stopping import Stop


def _frames(body: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """id, event and data of each frame; fails where a frame has another shape."""
    found = []
    for text in body.decode().removesuffix("\n\n").split("\n\n") if body else []:
        lines = text.split("\n")
        id_, event, data = (line.partition(": ")[2] for line in lines)
        assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"]
        found.append((id_, event, json.loads(data)))
    return found


def _filled_log(feed: Feed, run_id: str, tokens: int) -> RunLog:
    log = RunLog(run_id, feed, Chronicle())
    for number in range(tokens):
        log.append(RunEventType.TOKEN, {"text": f"line {number}\nanother"})
    log.append(RunEventType.FINAL, {"ok": True})
    return log


async def _read_all(log: RunLog | Feed, position: int) -> list[tuple[str, str, dict[str, Any]]]:
    body = b""
    while (frames := await log.read(position)).body:
        body += frames.body
        position = frames.position
        if frames.ended:
            break
    return _frames(body)


async def test_a_run_can_be_replayed_from_every_position() -> None:
    """From seq n on come exactly the events n, n+1, ... to the last, each whole and on one line."""
    log = _filled_log(Feed(), "r1", 5)
    for position in range(6):
        seqs = [(id_, event, data["seq"]) for id_, event, data in await _read_all(log, position)]
        expected = [(str(seq), "token" if seq < 5 else "final", seq) for seq in range(position, 6)]
        assert seqs == expected
    assert (await log.read(6)) == (b"", 6, True)


async def test_a_long_run_is_replayed_whole() -> None:
    """In several sends, and the log has not ended before the last of them."""
    log = _filled_log(Feed(), "r1", 2000)
    assert len(await _read_all(log, 0)) == 2001


async def test_after_the_last_event_nothing_is_taken() -> None:
    """Exactly one final or error, and it is last, whatever a stopped agent still says."""
    log = _filled_log(Feed(), "r1", 1)
    log.append(RunEventType.TOKEN, {"text": "late"})
    log.append(RunEventType.ERROR, {"ok": False})
    assert [event for _, event, _ in await _read_all(log, 0)] == ["token", "final"]


async def test_data_that_is_no_json_leaves_the_log_as_it_was() -> None:
    """A seq is not spent on an event that cannot be told."""
    log = RunLog("r1", Feed(), Chronicle())
    with pytest.raises(TypeError):
        log.append(RunEventType.STEP, {"name": "x", "thing": object()})
    log.append(RunEventType.STEP, {"name": "y"})
    assert [data["seq"] for _, _, data in await _read_all(log, 0)] == [0]


async def test_a_watcher_is_woken_by_the_next_event() -> None:
    """`wait` returns when there is something to read, at once if there is already."""
    log = RunLog("r1", Feed(), Chronicle())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.wait, 0)
            await anyio.lowlevel.checkpoint()
            log.append(RunEventType.TOKEN, {"text": "x"})
        await log.wait(0)


async def test_large_events_go_out_in_several_sends() -> None:
    """One send is bounded in bytes, and still nothing is left out."""
    feed = Feed()
    log = RunLog("r1", feed, Chronicle())
    for _ in range(5):
        log.append(RunEventType.TOKEN, {"text": "x" * 200_000})
    first = await feed.read(0)
    assert len(first.body) < 700_000
    assert len(await _read_all(feed, 0)) == len(await _read_all(log, 0)) == 5


async def test_the_feed_has_all_runs_events_in_order() -> None:
    """As they happened; and after any cursor come exactly those after it."""
    feed = Feed()
    logs = [RunLog("a", feed, Chronicle()), RunLog("b", feed, Chronicle())]
    for number in range(10):
        logs[number % 2].append(RunEventType.TOKEN, {"text": str(number)})
    events = await _read_all(feed, feed.position_after(None))
    assert [data["data"]["text"] for _, _, data in events] == [str(number) for number in range(10)]
    for index, (cursor, _, _) in enumerate(events):
        assert await _read_all(feed, feed.position_after(cursor)) == events[index + 1 :]


@given(st.integers(0, 60), st.integers(1, 20))
async def test_the_feed_keeps_the_newest(appended: int, max_events: int) -> None:
    """Never more than the bound, always the newest without a gap; a cursor before them is expired."""
    feed = Feed(max_events=max_events)
    log = RunLog("r1", feed, Chronicle())
    cursors = []
    for number in range(appended):
        log.append(RunEventType.TOKEN, {"text": str(number)})
        cursors.append((await feed.read(number)).body.partition(b"\n")[0].decode().removeprefix("id: "))
    kept = [data["seq"] for _, _, data in await _read_all(feed, feed.position_after(None))]
    assert kept == list(range(appended - len(kept), appended))
    assert min(appended, 1) <= len(kept) <= max_events
    for seq, cursor in enumerate(cursors):
        if seq + 1 < appended - len(kept):
            with pytest.raises(EventsExpiredError):
                feed.position_after(cursor)
        else:
            assert feed.position_after(cursor) == seq + 1


async def test_the_feed_is_bounded_in_bytes() -> None:
    """Large events push out older ones; the newest stays however large it is."""
    feed = Feed(max_bytes=1000)
    log = RunLog("r1", feed, Chronicle())
    for size in (100, 100, 5000):
        log.append(RunEventType.TOKEN, {"text": "x" * size})
    assert [data["seq"] for _, _, data in await _read_all(feed, feed.position_after(None))] == [2]


async def test_a_follower_that_fell_behind_is_sent_away() -> None:
    """Its stream ends, and its cursor is expired when it comes back: it never misses events unknowingly."""
    feed = Feed(max_events=4)
    log = RunLog("r1", feed, Chronicle())
    for _ in range(10):
        log.append(RunEventType.TOKEN, {"text": "x"})
    assert await feed.read(2) == (b"", 2, True)


@pytest.mark.parametrize("cursor", ["", "7", "-", "x-", "x-y", "-7", "x-1e3", "x-" + "9" * 17])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    """A client's mistake is a 400, not an expired cursor."""
    with pytest.raises(InvalidRequestError):
        Feed().position_after(cursor)


async def test_a_cursor_of_another_process_is_expired() -> None:
    """After a restart the numbers begin anew, and the boot part tells."""
    first, second = Feed(), Feed()
    for feed in (first, second):
        _filled_log(feed, "r1", 3)
    cursor = (await _read_all(first, 0))[1][0]
    first.position_after(cursor)
    with pytest.raises(EventsExpiredError):
        second.position_after(cursor)


async def test_followers_of_the_feed_wake_when_the_process_closes() -> None:
    """Else a stop would wait for them."""
    feed, stop = Feed(), Stop()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.wake_at_close, stop)
            tasks.start_soon(feed.wait, 0)
            await anyio.lowlevel.checkpoint()
            stop.closing.set()
