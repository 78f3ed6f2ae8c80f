"""Event streams over HTTP: replay, resume, and followers of every kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from arp_model import RunEvent
from runtime.streams import SeenEvent, execute, following, read_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.runtime import RunningRuntime


async def _take(events: AsyncIterator[SeenEvent], count: int) -> list[SeenEvent]:
    with anyio.fail_after(10):
        return [await anext(events) for _ in range(count)]


async def _newest_cursor(client: httpx.AsyncClient, run_id: str) -> str:
    """The cursor of a run's last event."""
    async with following(client, "/v1/events") as events:
        with anyio.fail_after(10):
            async for event in events:
                if event.data["run_id"] == run_id and event.type in ("final", "error"):
                    return event.id
    raise AssertionError("The feed ended.")


async def test_each_frame_is_a_whole_run_event(client: httpx.AsyncClient) -> None:
    """`id:` is the seq, `event:` the type, `data:` the RunEvent."""
    for seq, seen in enumerate(await execute(client, "What time is it in Tokyo?")):
        event = RunEvent.from_dict(seen.data)
        assert (seen.id, seen.type) == (str(seq), event.type_.value)
        assert event.seq == seq


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_follower_comes_back_and_misses_nothing(client: httpx.AsyncClient, how: str) -> None:
    """After each seq come exactly the later events; after the last, none, and the stream ends."""
    events = await execute(client, "a b c", run_id=f"back-{how}")
    for seen in events:
        request: dict[str, Any] = (
            {"headers": {"Last-Event-ID": seen.id}} if how == "header" else {"params": {"after": seen.id}}
        )
        assert await read_all(client, f"/v1/runs/back-{how}/events", **request) == events[int(seen.id) + 1 :]


async def test_last_event_id_wins_over_after(client: httpx.AsyncClient) -> None:
    """A browser that reconnects sends the header with the old address."""
    events = await execute(client, "a b c", run_id="both")
    path = "/v1/runs/both/events?after=0"
    assert await read_all(client, path, headers={"Last-Event-ID": "2"}) == events[3:]


@pytest.mark.parametrize("after", ["x", "1.5", "-2", "9" * 30, ""])
async def test_a_position_that_is_no_seq_is_refused(client: httpx.AsyncClient, after: str) -> None:
    """400, instead of a stream from anywhere."""
    await execute(client, "x", run_id="positions")
    answer = await client.get("/v1/runs/positions/events", params={"after": after})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_events_come_while_the_run_goes_on(client: httpx.AsyncClient) -> None:
    """A follower need not wait for the end."""
    await client.post("/v1/runs", json={"run_id": "live", "input": {"goal": "count to 1000000 slowly"}})
    async with following(client, "/v1/runs/live/events") as events:
        assert [event.type for event in await _take(events, 3)] == ["step", "token", "token"]
        assert (await client.get("/v1/runs/live")).json()["state"] == "running"
        await client.post("/v1/runs/live:cancel")
        with anyio.fail_after(10):
            assert [event.type async for event in events][-1] == "error"


async def test_the_feed_has_every_runs_events_and_goes_on(client: httpx.AsyncClient) -> None:
    """One stream, all runs, in order, run after run; it does not end by itself."""
    await execute(client, "x", run_id="feed-0")
    cursor = await _newest_cursor(client, "feed-0")
    async with following(client, "/v1/events", params={"after": cursor}) as events:
        for number in (1, 2):
            own = await execute(client, "a b", run_id=f"feed-{number}")
            seen = await _take(events, len(own))
            assert [event.data for event in seen] == [event.data for event in own]
            assert [event.type for event in seen] == [event.type for event in own]


async def test_the_feed_starts_at_the_oldest_event(client: httpx.AsyncClient) -> None:
    """Without a cursor nothing that is kept is left out."""
    await execute(client, "x", run_id="oldest")
    async with following(client, "/v1/events") as events:
        (first,) = await _take(events, 1)
        assert first.data["seq"] == 0


async def test_the_feed_resumes_after_a_cursor(client: httpx.AsyncClient) -> None:
    """By header and by query, exactly the events after it."""
    await execute(client, "x", run_id="cursor-0")
    start = await _newest_cursor(client, "cursor-0")
    own = await execute(client, "a b c", run_id="cursor-1")
    async with following(client, "/v1/events", params={"after": start}) as events:
        seen = await _take(events, len(own))
    for index, event in enumerate(seen[:-1]):
        async with following(client, "/v1/events", headers={"Last-Event-ID": event.id}) as events:
            assert await _take(events, len(seen) - index - 1) == seen[index + 1 :]


@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [("0123456789ab-7", 410, "events_expired"), ("rubbish", 400, "invalid_request"), ("", 400, "invalid_request")],
)
async def test_a_cursor_that_cannot_be_resumed_is_refused(
    client: httpx.AsyncClient, cursor: str, status: int, code: str
) -> None:
    """410 tells a follower to begin anew; 400 tells that it has a bug."""
    answer = await client.get("/v1/events", params={"after": cursor})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_cursor_that_is_none_is_refused_although_the_header_counts(client: httpx.AsyncClient) -> None:
    """A client with a bug is told, on this stream as on a run's; an old cursor is no bug, and the header counts."""
    await execute(client, "x", run_id="beside")
    headers = {"Last-Event-ID": await _newest_cursor(client, "beside")}
    answer = await client.get("/v1/events", params={"after": "rubbish"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    own = await execute(client, "x", run_id="later")
    async with following(client, "/v1/events", params={"after": "0123456789ab-7"}, headers=headers) as events:
        assert [event.data for event in await _take(events, len(own))] == [event.data for event in own]


async def test_many_followers_see_the_same(client: httpx.AsyncClient) -> None:
    """Fifty on one run, from its start."""
    await client.post("/v1/runs", json={"run_id": "popular", "input": {"goal": "count to 20"}})
    seen: list[list[SeenEvent]] = []

    async def follow() -> None:
        seen.append(await read_all(client, "/v1/runs/popular/events"))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(follow)
    assert len(seen) == 50
    assert all(events == seen[0] for events in seen)
    assert len(seen[0]) == 22


async def test_a_thousand_watchers_of_one_run_miss_nothing(runtime: RunningRuntime, client: httpx.AsyncClient) -> None:
    """They come while it goes on, each over a connection of its own, and every one sees each event once."""
    goal = "count to 60"
    await client.post("/v1/runs", json={"run_id": "star", "input": {"goal": goal}})
    port = httpx.URL(runtime.base_url).port or 0
    head = f"GET /v1/runs/star/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    seen: Counter[tuple[str, ...]] = Counter()

    async def watch() -> None:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(head)
            answer = b"".join([chunk async for chunk in stream])
        seen[tuple(line[4:] for line in answer.decode().splitlines() if line.startswith("id: "))] += 1

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(watch)
    [(ids, watchers)] = seen.items()
    assert watchers == 1000
    assert ids == tuple(map(str, range(62)))


async def test_a_follower_that_does_not_read_slows_nobody(client: httpx.AsyncClient) -> None:
    """Runs end, others see all of them, and the slow one finds everything when it reads at last."""
    await execute(client, "x", run_id="flood")
    cursor = await _newest_cursor(client, "flood")
    goal = "word " * 200_000  # each run tells some 4 MB, together more than the sockets between us hold
    async with following(client, "/v1/events", params={"after": cursor}) as slow:
        with anyio.fail_after(60):
            fast = [event for number in range(6) for event in await execute(client, goal, run_id=f"flood-{number}")]
            assert [event.data for event in await _take(slow, len(fast))] == [event.data for event in fast]


async def test_a_head_request_opens_no_stream(client: httpx.AsyncClient) -> None:
    """Headers alone, at once."""
    answer = await client.head("/v1/events")
    assert answer.status_code == 200
    assert answer.content == b""
